"""What is asked of a tracker. Each has a module here with a function `opened` that gives one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Outcome = Literal["finished", "interrupted", "failed"]
PROJECT = "elman"  # where the user's environment names no other


@dataclass(frozen=True)
class Told:
    """A run as a tracker is told of it: `id` is that which goes on when the run is resumed, or
    empty the first time; `options` are those of options.toml, named `train.seed`."""

    path: Path
    id: str
    options: Mapping[str, str | int | float | bool]


class Tracker(Protocol):
    """One run in a tracker, open for writing in this process."""

    id: str

    def note(self, step: int, time: float, values: Mapping[str, float]) -> None:
        """Values at a step, finite; `time` in seconds since 1970. Steps never fall."""

    def flush(self) -> None:
        """Write what was noted."""

    def end(self, outcome: Outcome, scores: Mapping[str, float]) -> None:
        """The run has ended; with the final scores, of a finished one."""
