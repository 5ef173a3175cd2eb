"""What is left of a benchmark: a folder with bench.json and, where matplotlib is, bench.png."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from elman.bench.compare import SHARE, Result
from elman.bench.options import BenchOptions
from elman.bench.table import named, threads
from elman.errors import UserError
from elman.options import plain
from elman.run.files import writing
from elman.run.folder import free_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

NO_PICTURE = "bench.png is not drawn: matplotlib is not installed; pip install 'elman[plot]'"
COLOURS = {
    "elman": "tab:red", "elman-bf16": "darkred", "torch": "tab:orange", "torch-bf16": "tab:olive",
    "keras": "tab:blue", "jax": "tab:green",
    "onnx": "tab:purple", "joey": "tab:brown",
}  # fmt: skip


def free_folder(asked: Path | None) -> Path:
    """Where to write. UserError: the place that was asked for is taken, or cannot be written."""
    path = asked or free_name("bench")
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UserError(f"{path}: exists; choose another --output")
    parent = next(p for p in path.absolute().parents if p.exists())
    # Tried out, as nobody wants to hear of it after an hour of measuring.
    with writing(path), tempfile.TemporaryDirectory(dir=parent):
        return path


def record(
    facts: Mapping[str, Any], options: BenchOptions, missing: Mapping[str, str],
    results: Sequence[Result], seconds: float, *, complete: bool,
) -> dict[str, Any]:  # fmt: skip
    """bench.json: where, how, and every result; `complete` unless it was interrupted."""
    return {
        "where": dict(facts),
        "options": plain(options),
        "missing": dict(missing),
        "complete": complete,
        "seconds": round(seconds, 1),
        "results": [_plain(result) for result in results],
    }


def _plain(result: Result) -> dict[str, Any]:
    made = asdict(result)
    made["seconds"] = {name: s._asdict() for name, s in result.seconds.items()}
    made["ratio"] = result.ratio and result.ratio._asdict()
    made["goals"] = [asdict(goal) | {"met": goal.met} for goal in result.goals]
    return made


def write(path: Path, made: Mapping[str, Any], results: Sequence[Result]) -> bool:
    """Fill the folder beside its place and rename it. False where no picture could be drawn."""
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    with writing(path):
        try:
            fresh.mkdir(parents=True)
            text = json.dumps(made, indent=1, allow_nan=False)
            (fresh / "bench.json").write_text(text + "\n", encoding="utf-8")
            drawn = draw(results, fresh / "bench.png")
            if path.exists():
                path.rmdir()  # empty, as `free_folder` saw
            fresh.rename(path)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return drawn


def draw(results: Sequence[Result], path: Path) -> bool:
    """Shares of the peak against the size, and below how near each goal is."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    curves = [r for r in results if r.row in ("train", "infer")]
    reached = _by_line(results)
    by_panel: dict[tuple[str, str], list[Result]] = {}
    for r in curves:
        by_panel.setdefault((named(r), r.case.split()[0]), []).append(r)
    panels = sorted(by_panel, reverse=True)
    below = 1 + 0.25 * len(reached)
    rows = -(-len(panels) // 3)
    figure = Figure(figsize=(11, 3 * rows + below), layout="constrained")
    heights = (max(3 * rows, 0.1), below)
    above, under = cast("Sequence[SubFigure]", figure.subfigures(2, 1, height_ratios=heights))
    if panels:
        grid = list(above.subplots(rows, min(3, len(panels)), squeeze=False).flat)
        for axes in grid[len(panels) :]:
            axes.remove()
        for (row, cell), axes in zip(panels, grid, strict=False):
            _shares(axes, by_panel[row, cell])
            axes.set_title(f"{row} {cell}")
        # The last panel has the most peers.
        grid[len(panels) - 1].legend(frameon=False, fontsize=7)
    if reached:
        _goals(under.subplots(), reached)
    figure.savefig(path, dpi=110)
    return True


def _shares(axes: Axes, results: Sequence[Result]) -> None:
    """Solid with all threads, dashed with fewer; crosses are what is to be reached."""
    most = max(r.threads for r in results)
    for count in sorted({r.threads for r in results}):
        mine = [r for r in results if r.threads == count]
        for name in mine[0].values:
            points = [(int(r.case.split()[1]), r.values[name]) for r in mine]
            known = [(H, 100 * share) for H, share in points if share is not None]
            solid = count == most
            axes.plot(
                *zip(*known, strict=True), "o-" if solid else "o--", ms=3, lw=1.2,
                color=COLOURS[name], label=f"{name}, {threads(mine[0])}" if solid else None,
            )  # fmt: skip
    for result in results:
        for goal in result.goals:
            if goal.what == SHARE:
                H = int(result.case.split()[1])
                reach = goal.reach * (result.product or 1) / (result.peak or result.product or 1)
                axes.plot(H, 100 * reach, "x", color="black", ms=6)
    sizes = sorted({int(r.case.split()[1]) for r in results})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(H) for H in sizes])
    axes.set_xlabel("H; dashed: fewer threads; crosses: goals")
    axes.set_ylabel("% of the peak")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)


def _by_line(results: Sequence[Result]) -> dict[str, list[tuple[str, float]]]:
    """How near each goal is, 1 where it is just met, with its size: those alike on one line."""
    lines: dict[str, list[tuple[str, float]]] = {}
    for result in results:
        *kind, size = result.case.split()
        for goal in result.goals:
            nearness = goal.reach / goal.reached if goal.at_most else goal.reached / goal.reach
            what = "times as fast" if goal.what.startswith("times") else goal.what
            line = f"{' '.join([named(result), *kind])}, {threads(result)}: {what}"
            lines.setdefault(line, []).append((size, nearness))
    return lines


def _goals(axes: Axes, lines: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """A dot for each size, right of the line where its goal is met."""
    for k, points in enumerate(lines.values()):
        for size, nearness in points:
            axes.plot(nearness, k, "o", ms=4, color="tab:green" if nearness >= 1 else "tab:red")
            axes.annotate(
                size, (nearness, k), (0, 3), textcoords="offset points", ha="center", fontsize=5
            )
    axes.axvline(1, color="black", lw=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(len(lines)), list(lines), fontsize=7)
    axes.set_ylim(len(lines) - 0.3, -0.7)
    axes.set_xlabel("what was reached, over what is to be reached")
    axes.grid(alpha=0.3, axis="x")
