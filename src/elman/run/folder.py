"""The run folder: all that is left of a training run, and all that anything else needs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from elman.errors import UserError
from elman.options import read_toml
from elman.run import at_work, verdict
from elman.run.files import filling, writing
from elman.run.verdict import Verdict

OPTIONS, PREPROCESSING, WEIGHTS = "options.toml", "preprocessing.json", "model.safetensors"
METRICS, CHECKPOINT, SCORES = "metrics.jsonl", "checkpoint/state.safetensors", "scores.json"
RIVALS = "rivals.json"


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run folder, and its plain files read with care: a stranger may have made them."""

    path: Path

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    @property
    def checkpoint(self) -> Path:
        return self.path / CHECKPOINT

    def options(self) -> dict[str, Any]:
        """The tables `task`, `data`, `train`, `NAME of the task` of options.toml."""
        tables = read_toml(self._existing(OPTIONS))
        if not isinstance(tables.get("task"), str) or not isinstance(tables.get("train"), dict):
            raise UserError(f"{self.path / OPTIONS}: damaged (no task in it)")
        return tables

    def preprocessing(self) -> dict[str, Any]:
        return self._json(PREPROCESSING)

    def scores(self) -> dict[str, Any]:
        """The final scores; empty before the run has ended. UserError where they are damaged."""
        if not (self.path / SCORES).exists():
            return {}
        record = self._json(SCORES)
        try:
            verdict.from_record(record)
        except ValueError as error:
            raise UserError(f"{self.path / SCORES}: damaged ({error})") from None
        if not _is_size(record.get("seconds")):
            raise UserError(f"{self.path / SCORES}: damaged (seconds is no number)")
        if not _is_count(record.get("epochs", 0)):
            raise UserError(f"{self.path / SCORES}: damaged (epochs is no count)")
        for name in ("planned", "ended"):
            if not isinstance(record.get(name, ""), str):
                raise UserError(f"{self.path / SCORES}: damaged ({name} is no text)")
        return record

    def verdict(self) -> Verdict:
        """The final scores beside those of the rivals; without any before the run has ended."""
        record = self.scores()
        return verdict.from_record(record) if record else Verdict({}, {})

    def metrics(self) -> list[dict[str, Any]]:
        """Every line of metrics.jsonl that is a whole record, in order; others are passed over.

        Whole: `split` is train or validation, `step` and `epoch` are integers from 0, `loss` is a
        number or null, `learning_rate` and `gradient_norm` are numbers, and `sample` is text if it
        is there. Of these no number but the loss is negative.
        """
        path = self.path / METRICS
        if not path.is_file():
            return []
        return records(path.read_text(encoding="utf-8", errors="replace"))

    def rivals(self) -> list[tuple[str, dict[str, float]]]:
        """The simple things to beat and their scores, known before training; none in runs without a
        validation part. What is no number is passed over."""
        try:
            kept = json.loads((self.path / RIVALS).read_text(encoding="utf-8"))
            return [
                (str(one["name"]), {str(n): v for n, v in one["scores"].items() if _is_number(v)})
                for one in kept
            ]
        except (OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
            return []

    def _existing(self, name: str) -> Path:
        if not self.path.is_dir():
            what = "is a file, not a run folder" if self.path.exists() else "no such run folder"
            raise UserError(f"{self.path}: {what}")
        if not (self.path / name).is_file():
            raise UserError(f"{self.path}: not a run folder, or damaged: {name} is missing")
        return self.path / name

    def _json(self, name: str) -> dict[str, Any]:
        path = self._existing(name)
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: damaged (not valid JSON)") from error
        if not isinstance(value, dict):
            raise UserError(f"{path}: damaged (not a JSON object)")
        return value


def records(text: str) -> list[dict[str, Any]]:
    """The whole records in lines of metrics.jsonl, as `RunFolder.metrics` promises them."""
    found = []
    # Not splitlines: a sample may hold what that takes for the end of a line.
    for line in text.split("\n"):
        with contextlib.suppress(ValueError, RecursionError):
            record = json.loads(line)
            if _is_whole(record):
                found.append(record)
    return found


def _is_whole(record: object) -> bool:
    """Whether a line of metrics.jsonl is what `metrics` promises."""
    if not isinstance(record, dict):
        return False
    sample = record.get("sample", "")
    return (
        record.get("split") in ("train", "validation")
        and all(_is_count(record.get(name)) for name in ("step", "epoch"))
        and all(_is_size(record.get(name)) for name in ("learning_rate", "gradient_norm"))
        and "loss" in record
        and (record["loss"] is None or _is_number(record["loss"]))
        and isinstance(sample, str)
        and sample == sample.encode("utf-8", "ignore").decode()  # no lone surrogates
    )


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_size(value: object) -> bool:
    """Whether it is a number from 0, infinity included, that fits a float."""
    return _is_count(value) or (type(value) is float and value >= 0)


def _is_number(value: object) -> bool:
    return _is_size(value) or (type(value) is float and value < 0)


def create(
    path: Path,
    options: Mapping[str, Any],
    preprocessing: Mapping[str, Any],
    copies: Mapping[str, Path],
    *,
    force: bool,
) -> RunFolder:
    """Make a run folder: filled beside its place, then renamed, so that it is never half there.

    `copies` are files to keep in it, by name.
    """
    check_free(path, force=force)
    with filling(path) as fresh:
        (fresh / "checkpoint").mkdir()
        (fresh / OPTIONS).write_text(tomli_w.dumps(options), encoding="utf-8")
        (fresh / PREPROCESSING).write_text(
            json.dumps(preprocessing, ensure_ascii=False), encoding="utf-8"
        )
        for name, source in copies.items():
            shutil.copyfile(source, fresh / name)
    return RunFolder(path)


def check_free(path: Path, *, force: bool, flag: str = "--run") -> None:
    """Refuse a place that holds something, unless it is a run that nobody trains and `force` says
    to replace it.

    `flag` is what names another place.
    """
    with writing(path):
        if Path.cwd().is_relative_to(path.resolve()):
            raise UserError(f"{path}: is the folder you are in, or above it; choose another {flag}")
        parent = next(p for p in path.absolute().parents if p.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            raise UserError(f"{path}: cannot be written ({parent}: no folder that you may write)")
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return
        if not all((path / name).is_file() for name in (OPTIONS, PREPROCESSING)):
            raise UserError(f"{path}: exists and is not a run folder; choose another {flag}")
        if not force:
            raise UserError(f"{path}: holds a run; give --force to replace it, or another {flag}")
    at_work.check_idle(path)


def free_name(stem: str, parent: Path = Path("runs")) -> Path:
    """The first of runs/STEM, runs/STEM-2, … that is not taken."""
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "run"
    path, number = parent / stem, 2
    while path.exists():
        path, number = parent / f"{stem}-{number}", number + 1
    return path
