"""A run as files that need no Elman, held against the run itself before they take their place."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from elman.errors import RunError, UserError, unknown_name
from elman.export import certificate
from elman.export.program import Export, How
from elman.run import files, folder
from elman.run.prepare import Trained

CERTIFICATE = "certificate.json"
# What may be asked for, and the packages that it needs, of the extra of the same name.
BACK_ENDS = {"onnx": ("onnx", "onnxruntime"), "c": ()}
ASKED = 20  # raw questions
PACKAGES = ("elman", "torch", "numpy", "onnx", "onnxruntime")  # whose versions are told


@dataclass(frozen=True)
class Exported:
    """An export that has proved good: where it is, its certificate, and lines for the user."""

    path: Path
    record: dict[str, Any]
    told: tuple[str, ...]


def export(
    run: Trained, model: nn.Module, to: str, how: How, *, path: Path | None = None, seed: int = 0,
    force: bool = False,
) -> Exported:  # fmt: skip
    """Into `path`, or a folder of the run that bears the format's name.

    UserError: it cannot leave, or its place is taken. RunError: it would not be the same network.
    """
    if to not in BACK_ENDS:
        raise unknown_name("format", to, BACK_ENDS)
    if run.task.export is None:
        raise UserError(f"{run.folder.path}: models of the task {run.task.name} cannot leave yet")
    name = to if how.precision == "float32" else f"{to}-{how.precision}"
    path = run.folder.path / name if path is None else path
    check_free(path, force=force)
    back_end = _back_end(to)
    leaving = run.task.export(model.eval(), run.preprocessing, run.options)
    with files.filling(path) as fresh:
        written = back_end.write(leaving, fresh, how)
        compared = certificate.compare(leaving, back_end.open_written(fresh), seed)
        asked = _asked(leaving, back_end, fresh, how, seed)
        told = certificate.told(compared, asked, how.precision)
        if not certificate.passes(compared, asked, how.precision):
            raise RunError(f"--to {to}: not the same network, so nothing is kept: {told}")
        record = {
            "task": run.task.name,
            "to": to,
            "precision": how.precision,
            "seed": seed,
            "tolerance": certificate.TOLERANCE[how.precision],
            "programs": [one.to_json() for one in compared],
            "answers": None if asked is None else asked.to_json(),
            "files": _hashes(fresh, written.files),
            "run": _hashes(run.folder.path, _kept(run)),
            "versions": _versions(),
        }
        text = json.dumps(record, indent=1, ensure_ascii=False)
        (fresh / CERTIFICATE).write_text(text, encoding="utf-8")
    return Exported(path, record, (*written.told, told))


def check_free(path: Path, *, force: bool) -> None:
    """UserError for a place that holds something other than an older export, or one unasked."""
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / CERTIFICATE).is_file():
        raise UserError(f"{path}: exists and is no export; choose another --output")
    if not force:
        raise UserError(f"{path}: holds an export; give --force to replace it, or another --output")


def _back_end(to: str) -> Any:
    for package in BACK_ENDS[to]:
        if importlib.util.find_spec(package) is None:
            raise UserError(f"--to {to}: needs {package}; pip install 'elman[{to}]'")
    return importlib.import_module(f"elman.export.{to}")


def _asked(
    leaving: Export, back_end: Any, place: Path, how: How, seed: int
) -> certificate.Asked | None:
    """What the file that answers by itself says; None where there is none."""
    if leaving.raw is None or not hasattr(back_end, "answers"):
        return None
    questions = leaving.raw.drawn(np.random.default_rng(seed), ASKED)
    said = back_end.answers(place, questions)
    if said is None:
        return None
    return certificate.asked(questions, leaving.raw.answered(questions), said, how.precision)


def _kept(run: Trained) -> list[str]:
    names = [folder.OPTIONS, folder.PREPROCESSING, folder.WEIGHTS]
    return [name for name in names if (run.folder.path / name).is_file()]


def _hashes(place: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    found = {}
    for name in names:
        data = (place / name).read_bytes()
        found[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    return found


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
