"""Every task with every cell, exported to ONNX and C: how far off, how large, how fast.

    python bench/exports.py FOLDER            every export that is not there yet, and its difference
    python bench/exports.py FOLDER --time     the time of a step of those that have none yet
    python bench/exports.py FOLDER --table    the table of docs/export.md

Models have random weights and 64 units; each is held against its export by the certificate's drawn
batches. Each row is written once it is known, so that whatever was cut off goes on: rows.jsonl and
times.jsonl. Times are medians of turns taken one after the other, of one sequence of 100 steps
(forecasts: of a window; decoders and notes: of one step, most of which is the call), PyTorch's by
its own kernels, one thread each; calls are made from Python, some 20 µs each, 0.2 µs a step.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

STEPS, TURNS, CASES = 100, 7, 8
LONG_ENOUGH = 0.004  # seconds of one turn
FORMATS = ("onnx", "c")
PRECISIONS: tuple[Literal["float32", "int8"], ...] = ("float32", "int8")
OPTIONS: dict[str, dict[str, Any]] = {
    "classify": {"bag": "none", "vocabulary": 1000}, "tag": {"vocabulary": 1000},
    "forecast": {"members": 1, "look_back": 96, "share": 1.0},
}  # fmt: skip
TIMED = {"tag": "tagger", "translate": "step"}  # of several programs; else the first


def main() -> None:
    parser = argparse.ArgumentParser(description="The parity table of exports.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--task", help="one alone")
    parser.add_argument("--seconds", type=float, default=1e9, help="end after so long")
    asked = parser.parse_args()
    os.environ["ELMAN_KERNELS"] = "off" if asked.time else ""
    os.environ["OMP_NUM_THREADS"] = "1"
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.table:
        print("\n".join(table(asked.folder)))
        return
    end = time.monotonic() + asked.seconds
    for row in (timed if asked.time else made)(asked.folder, asked.task):
        print(json.dumps(row), flush=True)
        if time.monotonic() > end:
            break


def made(folder: Path, only: str | None) -> Iterator[dict[str, Any]]:
    """Exports, each with the largest difference of any output or state."""
    from elman import cells, tasks
    from elman.errors import ElmanError
    from elman.export import certificate
    from elman.export.program import How

    known = {_key(row) for row in _read(folder / "rows.jsonl")}
    for task in [only] if only else tasks.names():
        for cell in cells.names():
            wanted = [
                (to, precision)
                for to in FORMATS
                for precision in PRECISIONS
                if (task, cell, to, precision) not in known
            ]
            if not wanted:
                continue
            leaving = _leaving(folder, task, cell)
            for to, precision in wanted:
                row: dict[str, Any] = {
                    "task": task, "cell": cell, "to": to, "precision": precision
                }  # fmt: skip
                place = _place(folder, row)
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir(parents=True)
                back_end = importlib.import_module(f"elman.export.{to}")
                try:
                    back_end.write(leaving, place, How(precision))
                    compared = certificate.compare(
                        leaving, back_end.open_written(place), seed=0, cases=CASES
                    )
                    worst = max((one.export for one in compared), key=lambda one: one.value)
                    row |= {"difference": worst.value, "where": worst.name}
                    row["bytes"] = _bytes(place, to)
                except ElmanError as error:
                    row["why"] = str(error)
                _append(folder / "rows.jsonl", row)
                yield row


def _bytes(place: Path, to: str) -> int:
    """Of ONNX's files; of C what a program has of it, tables and code."""
    if to == "onnx":
        return sum(path.stat().st_size for path in place.glob("*.onnx"))
    from elman.export.c import compiler

    with tempfile.TemporaryDirectory() as made:
        size = compiler.size(place / "model.c", Path(made), compiler.compiler())
    return size.code + size.tables if size is not None else 0


def timed(folder: Path, only: str | None) -> Iterator[dict[str, Any]]:
    """Microseconds of a step through the network itself and through the export."""
    import torch

    torch.set_num_threads(1)
    known = {_key(row) for row in _read(folder / "times.jsonl")}
    for row in _read(folder / "rows.jsonl"):
        if "why" in row or _key(row) in known or only not in (None, row["task"]):
            continue
        leaving = _leaving(folder, row["task"], row["cell"])
        name = TIMED.get(row["task"]) or next(iter(leaving.programs))
        opened = importlib.import_module(f"elman.export.{row['to']}").open_written
        runners = (leaving.originals[name], opened(_place(folder, row))[name])
        inputs, steps = _one_sequence(leaving.programs[name])
        states = leaving.programs[name].first_states(1) or None
        torch_us, export_us = (1e6 * s / steps for s in _turns(runners, inputs, states))
        row = {key: row[key] for key in ("task", "cell", "to", "precision")}
        row |= {"pytorch_us": torch_us, "export_us": export_us, "steps": steps}
        _append(folder / "times.jsonl", row)
        yield row


def _one_sequence(program: Any) -> tuple[dict[str, Any], int]:
    """Inputs of one row and, where time is free, `STEPS` steps; and how many there are."""
    import numpy as np

    draw, inputs, lengths = np.random.default_rng(0), {}, []
    for name in program.inputs:
        value = program.values[name]
        shape = [1, *(STEPS if d == "T" else int(d) for d in value.shape[1:])]
        if name == "lengths":
            inputs[name] = np.array([STEPS])
        elif name in program.limits:
            inputs[name] = draw.integers(0, program.limits[name], shape).astype(value.kind)
        else:
            inputs[name] = draw.standard_normal(shape).astype(np.float32)
        if len(shape) > 2 or (len(shape) > 1 and value.kind == "int64"):
            lengths.append(shape[1])
    return inputs, min(lengths, default=1)  # a decoder reads one token, whatever its memory


def _turns(runners: tuple[Any, ...], inputs: Any, states: Any) -> list[float]:
    """Seconds of a call of each, medians of turns taken one after the other."""
    counts = []
    for runner in runners:
        runner.run(inputs, states)
        began = time.perf_counter()
        runner.run(inputs, states)
        counts.append(max(1, round(LONG_ENOUGH / (time.perf_counter() - began))))
    found: list[list[float]] = [[] for _ in runners]
    for _ in range(TURNS):
        for runner, count, seconds in zip(runners, counts, found, strict=True):
            began = time.perf_counter()
            for _ in range(count):
                runner.run(inputs, states)
            seconds.append((time.perf_counter() - began) / count)
    return [statistics.median(seconds) for seconds in found]


# ---- Models ----------------------------------------------------------------------------------


@functools.lru_cache(1)
def _leaving(folder: Path, task: str, cell: str) -> Any:
    """What leaves of a new model of a task with this cell."""
    import dataclasses

    import torch

    from elman import tasks
    from elman.options import make

    kept, options = _prepared(folder, task)
    changed = {"cell": (cell,), "weight_drop": 0.0} | (
        {"decoder_cell": (cell,)} if task == "translate" else {}
    )
    own = dataclasses.replace(make(tasks.options(task), options), **changed)
    torch.manual_seed(0)
    found = tasks.get(task)
    model = found.build(kept, own).eval()
    return found.export(model, kept, own)


def _prepared(folder: Path, task: str) -> tuple[Any, Any]:
    """What a model of a task keeps of its built-in data, and settled options; made once."""
    path = folder / f"{task}.json"
    if not path.exists():
        from elman.options import plain
        from elman.run import prepare
        from elman.run.clock import Clock
        from elman.run.options import parse

        wanted = {"hidden_size": 64, "epochs": 1, "run": folder / "runs" / task, "force": True}
        own, how = parse(task, wanted | OPTIONS.get(task, {}))
        job = prepare.new(task, [], own, how, Clock(None), lambda line: None)
        kept, options = job.dataset.preprocessing(), plain(job.options)
        path.write_text(json.dumps([kept, options], ensure_ascii=False), encoding="utf-8")
    kept, options = json.loads(path.read_text(encoding="utf-8"))
    return kept, options


# ---- Rows ------------------------------------------------------------------------------------


def table(folder: Path) -> list[str]:
    """Lines of Markdown: a row for a task and a cell."""
    times = {_key(row): row for row in _read(folder / "times.jsonl")}
    rows = {_key(row): row for row in _read(folder / "rows.jsonl")}
    heads = [f"{to} {precision}" for to in FORMATS for precision in PRECISIONS]
    lines = [
        "| task | cell | " + " | ".join(heads) + " | PyTorch µs a step | "
        + " | ".join(f"{head} µs" for head in heads) + " |",
        "|---|---|" + "---|" * (2 * len(heads) + 1),
    ]  # fmt: skip
    for task, cell in sorted({(key[0], key[1]) for key in rows}):
        keys = [(task, cell, to, precision) for to in FORMATS for precision in PRECISIONS]
        parity = [_told(rows.get(key)) for key in keys]
        own = [times[key] for key in keys if key in times]
        torch_us = statistics.median(row["pytorch_us"] for row in own) if own else None
        each = [times[key]["export_us"] if key in times else None for key in keys]
        cells = [task, cell, *parity, *(map(_micro, [torch_us, *each]))]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _told(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    if "why" in row:
        return "refused"
    return f"{row['difference']:.0e}, {row['bytes'] / 1000:,.0f} kB"


def _micro(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _key(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["task"], row["cell"], row["to"], row["precision"]


def _place(folder: Path, row: dict[str, Any]) -> Path:
    return folder / str(row["task"]) / str(row["cell"]) / f"{row['to']}-{row['precision']}"


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
