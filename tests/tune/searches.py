"""Small searches on a text, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from elman.tune import tune
from elman.tune.result import Result

SMALL: dict[str, Any] = {
    "epochs": 1, "batch_size": 4, "sequence_length": 16, "threads": 1, "sample": 0,
}  # fmt: skip


def search(text: Path, run: str | Path = "study", **other: Any) -> Result:
    asked = {"search": "hidden_size=4..12", "trials": 4, "seeds": 2, "jobs": 1, "minutes": 600,
             "pruner": "none", **SMALL, "run": Path(run), **other}  # fmt: skip
    return tune("text", str(text), **asked)


def trials_of(result: Result) -> list[Any]:
    return result.search.study.get_trials(deepcopy=False)
