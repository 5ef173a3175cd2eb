"""An export as files: a model for each program, and a Python file that answers with them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elman.errors import RunError, UserError
from elman.export.onnx import joining
from elman.export.onnx.graph import Storage
from elman.export.onnx.model import OPSET, model_of
from elman.export.onnx.runners.network import Network
from elman.export.program import Export, How, Program, Written
from elman.wording import listed

STORAGE: dict[str, Storage] = {"float32": "float32", "int8": "int8"}


def write(export: Export, folder: Path, how: How) -> Written:
    """UserError: a precision that ONNX Runtime has no operators for, or more than 2 GiB."""
    if how.precision not in STORAGE:
        raise UserError(
            f"--to onnx --precision {how.precision}: gives {listed(list(STORAGE), 3)}; "
            f"{how.precision} is for --to c"
        )
    files: list[str] = []
    for name, program in export.programs.items():
        file = f"{how.name}.onnx" if name == "model" else f"{how.name}_{name}.onnx"
        record = _record(export, name, program, whole=not files)
        model = model_of(program, how.name, STORAGE[how.precision], record)
        (folder / file).write_bytes(model)
        files.append(file)
    told = [f"opset {OPSET}, checked by onnx; batch and time are free"]
    if how.precision == "int8":
        told.append(_gain(export, [folder / file for file in files]))
    if export.task in joining.TASKS:
        files.append(f"{how.name}.py")
        (folder / files[-1]).write_text(joining.joined(export.task), encoding="utf-8")
        told.append(f"{files[-1]} answers raw input, by numpy and onnxruntime alone")
    return Written(tuple(files), tuple(told))


def _gain(export: Export, files: Sequence[Path]) -> str:
    size = sum(file.stat().st_size for file in files)
    numbers = sum(w.size for program in export.programs.values() for w in program.weights.values())
    return f"{size:,} bytes, where the weights alone are {4 * numbers:,} as float32"


def open_written(folder: Path) -> dict[str, Network]:
    """The programs of a folder that `write` has filled, by their names."""
    networks = [Network(path) for path in sorted(folder.glob("*.onnx"))]
    return {network.record["program"]: network for network in networks}


def answers(folder: Path, questions: list[Any]) -> list[Any] | None:
    """What the Python file of an export says to raw questions, in a process of its own; None where
    there is no such file.

    RunError: it fails.
    """
    file = next(folder.glob("*.py"), None)
    if file is None:
        return None
    asked = "".join(json.dumps(question) + "\n" for question in questions)
    ended = subprocess.run(
        [sys.executable, "-I", file, "--json"], input=asked, capture_output=True, encoding="utf-8",
        errors="surrogateescape", check=False,
    )  # fmt: skip
    if ended.returncode:
        raise RunError(f"{file}: {ended.stderr.strip().rpartition(chr(10))[2]}")
    return [json.loads(line) for line in ended.stdout.splitlines()]


def _record(export: Export, name: str, program: Program, *, whole: bool) -> dict[str, Any]:
    """What a model says of itself; the first of several has what stands around all of them."""
    states = [
        {"name": s.name, "before": s.before, "after": s.after, "initial": s.initial.tolist()}
        for s in program.states
    ]
    record = {"task": export.task, "program": name, "states": states}
    return record | ({"surroundings": export.surroundings} if whole else {})
