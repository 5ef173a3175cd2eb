"""What a probe gives: numbers with their names, units, axes, and how many things they tell of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Measured:
    """An array of numbers that says what it is. Page, JSON and tests all read this.

    `values` has one axis for each name in `axes`; a number alone has none. `sample` counts the
    things that the numbers were taken from, `of` names them ("places", "steps", "sequences").
    `spread`, of the shape of `values`, is the standard deviation over them, where there is one.
    `labels` gives the entries of an axis names; an axis without counts from 0. A number that could
    not be had is NaN.
    ValueError: shapes that do not fit together.
    """

    name: str
    values: Values
    unit: str  # "nats", "steps", "share"; empty for numbers without one
    axes: tuple[str, ...]
    sample: int
    of: str = "steps"
    spread: Values | None = None
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.values.shape
        if len(shape) != len(self.axes):
            raise ValueError(f"{self.name}: {len(self.axes)} axes for an array of shape {shape}")
        if self.spread is not None and self.spread.shape != shape:
            raise ValueError(f"{self.name}: a spread of shape {self.spread.shape}, not {shape}")
        for axis, names in self.labels.items():
            if axis not in self.axes or len(names) != shape[self.axes.index(axis)]:
                raise ValueError(f"{self.name}: {len(names)} labels do not fit axis {axis}")

    @property
    def number(self) -> float:
        """The value of one that has no axes. ValueError: it has some."""
        if self.axes:
            raise ValueError(f"{self.name} has axes {', '.join(self.axes)}")
        return float(self.values)

    def record(self) -> dict[str, Any]:
        """Plain lists and numbers for JSON; what is not finite is None."""
        record: dict[str, Any] = {
            "name": self.name,
            "unit": self.unit,
            "axes": list(self.axes),
            "sample": self.sample,
            "of": self.of,
            "values": _plain(self.values.tolist()),
        }
        if self.spread is not None:
            record["spread"] = _plain(self.spread.tolist())
        if self.labels:
            record["labels"] = {axis: list(names) for axis, names in self.labels.items()}
        return record


def one(
    name: str, value: float, unit: str, sample: int, of: str = "steps", spread: float | None = None
) -> Measured:
    """A single number."""
    wide = None if spread is None else np.asarray(spread)
    return Measured(name, np.asarray(value), unit, (), sample, of, wide)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
