"""Where a unit is high, and what was read around there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Place:
    """Where a unit is high: the step, its value, and the steps around it."""

    step: int
    sequence: int
    value: float
    before: str
    at: str
    after: str


def contexts(
    values: Floats, steps: Sequence[Sequence[str]], *, count: int = 5, before: int = 40,
    after: int = 10, lowest: bool = False,
) -> list[Place]:  # fmt: skip
    """Where a unit [T, B] is highest, or lowest, in text, no two places within `before` steps."""
    there = np.arange(len(values))[:, None] < np.array([len(one) for one in steps])
    signed = np.where(there, -values if lowest else values, -np.inf)
    found: list[Place] = []
    for place in np.argsort(-signed, axis=None, kind="stable"):
        t, b = np.unravel_index(place, signed.shape)
        if len(found) == count or signed[t, b] == -np.inf:
            break
        if all(b != p.sequence or abs(t - p.step) > before for p in found):
            one = steps[b]
            found.append(
                Place(
                    int(t),
                    int(b),
                    float(values[t, b]),
                    "".join(one[max(0, t - before) : t]),
                    one[t],
                    "".join(one[t + 1 : t + 1 + after]),
                )
            )
    return found
