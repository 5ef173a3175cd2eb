"""What a run's metrics.jsonl has told so far, kept short however long it trains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from elman.apps.lab.pieces.curves import Point
from elman.probe.glance import GRADIENT, SATURATION
from elman.run.folder import RunFolder
from elman.run.following import Follower

MOST = 2_000  # points kept of a series; then every second goes
SAMPLES = 20  # kept


@dataclass
class History:
    """Series over the minutes of a run, and its last samples with their minutes."""

    follower: Follower
    train: list[Point] = field(default_factory=list)
    validation: list[Point] = field(default_factory=list)
    score: list[Point] = field(default_factory=list)  # the first of the task's
    speed: list[Point] = field(default_factory=list)
    rate: list[Point] = field(default_factory=list)  # of learning
    saturation: list[Point] = field(default_factory=list)  # %
    reach: list[Point] = field(default_factory=list)  # steps that gradients reach back
    samples: list[tuple[float, str]] = field(default_factory=list)
    score_name: str = ""
    last: dict[str, Any] = field(default_factory=dict)  # the last record

    def grow(self) -> bool:
        """Take what is new; whether there was anything."""
        records, anew = self.follower.new()
        if anew:
            self.__init__(self.follower)  # type: ignore[misc]
        for record in records:
            self._take(record)
        return bool(records) or anew

    def _take(self, record: dict[str, Any]) -> None:
        self.last = record
        minutes = number(record.get("seconds")) / 60
        loss = record["loss"]
        _add(self.rate, minutes, record["learning_rate"])
        if record["split"] == "train":
            _add(self.train, minutes, loss)
            _add(self.speed, minutes, record.get("units_per_second"))
            return
        _add(self.validation, minutes, loss)
        scores = record.get("scores")
        if isinstance(scores, dict) and scores:
            self.score_name = next(iter(scores))
            _add(self.score, minutes, scores[self.score_name])
        inside = record.get("inside")
        if isinstance(inside, dict):
            _add(self.saturation, minutes, inside.get(SATURATION), 100)
            _add(self.reach, minutes, inside.get(GRADIENT))
        if record.get("sample"):
            self.samples = [*self.samples[-SAMPLES + 1 :], (minutes, record["sample"])]


def history(folder: RunFolder) -> History:
    """The history of a run, nothing read yet."""
    return History(Follower(folder))


def number(value: object) -> float:
    """A value of a stranger's file as a finite number; 0 where it is none."""
    usable = isinstance(value, int | float) and abs(value) < 1e300
    return float(value) if usable else 0.0  # type: ignore[arg-type]


def _add(series: list[Point], x: float, value: object, times: float = 1.0) -> None:
    if isinstance(value, int | float) and abs(value) < 1e300:
        series.append((x, times * value))
        if len(series) > MOST:
            del series[1:-1:2]
