"""What a run came to, for people: a verdict, curves, samples, and a card for model hubs."""

from __future__ import annotations

import importlib.util
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from elman.probe import glance
from elman.run.files import replace, writing
from elman.run.folder import OPTIONS, RunFolder
from elman.run.sharing import card
from elman.run.sharing.options import told
from elman.run.verdict import Verdict, score_table
from elman.wording import counted, minutes

Record = Mapping[str, Any]
RISEN, FALLEN, GAP = 0.01, 0.005, 0.15  # shares of a loss that say more than chance
SHARES = ("accuracy", "micro_f1", "exact")  # scores of which 1 is the best there is
MOST_DROPPED = 0.6  # share of units
BEGUN = 50  # batches, before which nothing can be said of a network that is bad
ANNEALED = 0.05  # share of the highest learning rate below which a flat curve says nothing


def write_report(
    folder: RunFolder, data: Sequence[str], remarks: Sequence[str], apart: str = ""
) -> str:
    """Write report.md, README.md and, where matplotlib is installed, curves.png; the verdict.

    `data` are lines on the data, `remarks` on what came of it; `apart` as in `advice`.
    """
    records, verdict, tables = folder.metrics(), folder.verdict(), folder.options()
    drawn = draw(records, folder.path / "curves.png")
    lines = advice(folder, apart)
    planned = folder.scores().get("planned", "")
    data = [*data, *([f"planned: {planned}"] if planned else [])]
    replace(folder.path / "report.md", page(records, verdict, tables, lines, data, remarks, drawn))
    name = folder.path.absolute().name
    about = card.of_run(folder, tables, told(folder.path, {}), name)
    replace(folder.path / card.FILE, about)
    return " ".join(lines)


def advice(folder: RunFolder, apart: str = "") -> list[str]:
    """Plain sentences: is anything gained, was the time used, is it still learning or overfitting,
    and what to try next.

    `apart` says why training and validation loss are not to be compared, where they are not.
    """
    run, records, tables = folder.path, folder.metrics(), folder.options()
    verdict = folder.verdict()
    lines = [line for line in (verdict.told, _used(folder.scores(), tables)) if line]
    if verdict.diverged:
        updates = max((r["step"] for r in records if _is(r, "train")), default=0)
        if updates < BEGUN:
            told = f"It learnt from {counted(updates, 'batch', 'batches')} alone: give it longer."
            return [*lines, told]
        return [*lines, f"Try {_again(run, tables, 'learning_rate')}."]
    ended = bool(folder.scores().get("ended"))
    return lines + course(run, records, verdict, tables, apart, ended=ended)


def course(
    run: Path, records: Sequence[Record], verdict: Verdict, tables: Mapping[str, Any],
    apart: str = "", *, ended: bool = False,
) -> list[str]:  # fmt: skip
    """What the curves say, and the command to try next; `apart` as in `advice`, `ended` whether the
    run ended as nothing got better."""
    lines: list[str] = []
    if verdict.first in SHARES and verdict.scores[verdict.first] == 1:
        return ["Every answer was right: only other data can tell more."]
    if tables[tables["task"]].get("share") == 0:
        return ["The network has no share in the answers: back-tests did not bear it out."]
    curve = [(r["step"], r["loss"]) for r in records if _is(r, "validation")]
    if len(curve) < 3:
        missing = "Too few validations" if curve else "No validation"
        return [*lines, f"{missing} to say whether it is still learning or overfitting."]
    best_step, best = min(curve, key=lambda point: point[1])
    before, last = curve[(len(curve) - 1) * 3 // 4][1], curve[-1][1]
    train = [r["loss"] for r in records if _is(r, "train")][-5:]
    if last > (1 + RISEN) * best:
        kept = [r["step"] for r in records if _is(r, "validation") and r.get("best") is True][-1:]
        told = (
            f"It is overfitting: validation was best at step {best_step:,} and has risen since; "
            "the best weights were kept."
            if kept in ([], [best_step])
            else f"It is overfitting: the validation loss was lowest at step {best_step:,} and has "
            f"risen since; the weights of step {kept[0]:,} were kept, where {_worded(verdict)} was "
            "best."
        )
        lines.append(f"{told} More data would help; or try {_again(run, tables, 'dropout')}.")
    elif last < (1 - FALLEN) * before:
        lines.append(
            f"It is still learning: the last quarter of the run took {1 - last / before:.1%} off "
            f"the validation loss. Try {_longer(run, tables)}."
        )
    else:
        rates = [r["learning_rate"] for r in records if _number(r.get("learning_rate"))]
        if not ended:
            lines.append(
                "The curve is flat at its end, as it must be once the learning rate has fallen: "
                "only a longer run can tell what more time would bring: "
                f"{_longer(run, tables)}."
                if rates and rates[-1] < ANNEALED * max(rates)
                else "It has levelled off: more time alone will change little."
            )
        lines.append(
            f"Training and validation loss do not compare: {apart}."
            if apart
            else "Training loss is far below validation loss: more data would help; or try "
            f"{_again(run, tables, 'dropout')}."
            if train and sum(train) / len(train) < (1 - GAP) * last
            else "Training and validation are close: a larger network may do better: "
            f"{_again(run, tables, 'hidden_size')}."
        )
    return lines


def _used(record: Record, tables: Mapping[str, Any]) -> str:
    """How much of the promised minutes was used, and why no more; empty of a run in epochs."""
    promised = tables["train"].get("minutes")
    if "epochs" not in record or promised is None or "epochs" in tables["train"]:
        return ""
    times = f"{minutes(record['seconds'])} of {minutes(60 * promised)}"
    if record.get("ended"):
        return f"It ended after {times}: {record['ended']}."
    epochs = record["epochs"]
    return f"It used {times}, for {counted(epochs, 'epoch') if epochs else 'less than an epoch'}."


def _longer(run: Path, tables: Mapping[str, Any]) -> str:
    """The command that goes on with a run for twice as long."""
    how = tables["train"]
    flag = (
        f"--epochs {2 * how['epochs']}" if "epochs" in how else f"--minutes {2 * how['minutes']:g}"
    )
    return f"`elman resume {shlex.quote(str(run))} {flag}`"


def _again(run: Path, tables: Mapping[str, Any], option: str) -> str:
    """The command that trains anew with one option changed, the way it would be tried next."""
    task, how = tables["task"], tables["train"]
    own = tables[task]
    match option:
        case "learning_rate":
            flag = f"--learning-rate {how['learning_rate'] / 4:g}"
        case "dropout" if own.get("dropout", 0.0) < MOST_DROPPED:
            flag = f"--dropout {min(MOST_DROPPED, own.get('dropout', 0.0) + 0.2):g}"
        case _:
            double = option == "hidden_size"
            sizes = (2 * size if double else max(1, size // 2) for size in own["hidden_size"])
            flag = f"--hidden-size {','.join(map(str, sizes))}"
    config = shlex.quote(str(run / OPTIONS))
    return f"`elman train {task} --config {config} {flag}`"


def _worded(verdict: Verdict) -> str:
    """The name of the first score, in words."""
    return (verdict.first or "the score").replace("_", " ")


def page(
    records: Sequence[Record], verdict: Verdict, tables: Mapping[str, Any],
    lines: Sequence[str], data: Sequence[str], remarks: Sequence[str], drawn: bool,
) -> str:  # fmt: skip
    """report.md."""
    text = ["# Report", "", *lines, ""]
    if verdict.scores:
        text += [*score_table(verdict), ""]
    text += ["## Curves", "", _curves(drawn), ""]
    samples = [r for r in records if r.get("sample")]
    if samples:
        text += ["## What it wrote", ""]
        for record in [samples[0], samples[-1]][: min(2, len(samples))]:
            text += [f"After step {record['step']:,}:", "", *_quoted(record["sample"]), ""]
    if remarks:
        text += ["## What to look at", "", *remarks, ""]
    text += ["## The data", "", *[f"- {line}" for line in data], ""]
    text += ["## Options", ""]
    for name, table in tables.items():
        values = table if isinstance(table, dict) else {name: table}
        text += [
            f"- `{key}` = `{json.dumps(value, ensure_ascii=False)}`"
            for key, value in values.items()
        ]
    return "\n".join(text) + "\n"


def draw(records: Sequence[Record], path: Path) -> bool:
    """Loss, learning rate, gradient norm and what glances showed against steps; False where
    matplotlib is missing."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    train = [r for r in records if _is(r, "train")]
    checked = [r for r in records if _is(r, "validation")]
    if not train:
        return False
    seen = [r for r in checked if isinstance(r.get("inside"), dict) and r["inside"]]
    figure = Figure(figsize=(8, 7.5 if seen else 6), layout="constrained")
    panels = figure.subplots(
        3 if seen else 2, 1, sharex=True, height_ratios=(2, 1, 1)[: 2 + bool(seen)]
    )
    loss, rest = panels[:2]
    steps = [r["step"] for r in train]
    loss.plot(steps, [r["loss"] for r in train], lw=1, color="tab:blue", label="training")
    if checked:
        points = [r["step"] for r in checked], [r["loss"] for r in checked]
        loss.plot(*points, "o-", ms=4, color="tab:orange", label="validation")
    loss.set_ylabel("loss")
    loss.legend(frameon=False)
    loss.grid(alpha=0.3)
    rest.plot(steps, [r["gradient_norm"] for r in train], lw=1, color="tab:gray")
    rest.set_ylabel("gradient norm", color="tab:gray")
    rest.set_yscale("log")
    panels[-1].set_xlabel("step")
    rates = rest.twinx()
    rates.plot(steps, [r["learning_rate"] for r in train], lw=1, color="tab:green")
    rates.set_ylabel("learning rate", color="tab:green")
    rates.set_ylim(bottom=0)
    if seen:
        _draw_inside(panels[2], seen)
    fresh = path.with_name(f".{path.name}.new.png")
    with writing(path):
        figure.savefig(fresh, dpi=120)
        fresh.replace(path)
    return True


def _draw_inside(panel: Any, records: Sequence[Record]) -> None:
    """How far gradients reach, and on a second axis how full gates are and the spectral radius."""
    shares = panel.twinx()
    for axis, name, label, style in (
        (panel, glance.GRADIENT, "steps until gradients are 1 %", "o-"),
        (shares, glance.SATURATION, "share of gates at their ends", "s--"),
        (shares, glance.RADIUS, "spectral radius", "^:"),
    ):
        points = [(r["step"], r["inside"].get(name)) for r in records]
        points = [(step, value) for step, value in points if _number(value)]
        if points:
            colour = "tab:blue" if axis is panel else "dimgray"
            axis.plot(*zip(*points, strict=True), style, ms=4, lw=1, color=colour, label=label)
    panel.set_ylabel("steps", color="tab:blue")
    panel.set_ylim(bottom=0)
    shares.set_ylim(bottom=0)
    handles = [*panel.get_lines(), *shares.get_lines()]
    panel.legend(
        handles=handles, frameon=False, fontsize=8, ncol=3, loc="lower center",
        bbox_to_anchor=(0.5, 1),
    )  # fmt: skip
    panel.grid(alpha=0.3)


def _is(record: Record, split: str) -> bool:
    return record.get("split") == split and _number(record.get("loss"))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _curves(drawn: bool) -> str:
    return (
        "![loss, gradient norm and learning rate](curves.png)"
        if drawn
        else "Not drawn: matplotlib is not installed; `pip install 'elman[plot]'`."
    )


def _quoted(sample: str) -> list[str]:
    # An indented block: whatever the sample holds cannot end it, as a fence might.
    return ["    " + line for line in sample.splitlines()]
