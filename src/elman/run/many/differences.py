"""Paired differences of scores over seeds, and how far chance could have made them.

Student's interval of the mean difference: runs of the same seed read the same data in the same
order, so that what they have in common cancels. It tells of the chance in training alone: other
data would bring other differences. Bounds are given for each difference alone, and, by Bonferroni,
so that all differences of a table lie within theirs together with 95 %.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean, stdev

from elman.chance import LEVEL


@dataclass(frozen=True)
class Difference:
    """By how much one's score is larger than the other's, over the seeds that both have.

    The bounds are None where the seeds do not tell: fewer than two, or no spread at all.
    """

    seeds: int
    mean: float
    low: float | None  # of this difference alone, with 95 %
    high: float | None
    low_together: float | None  # of as many differences as are told, together with 95 %
    high_together: float | None

    @property
    def sure(self) -> bool:
        """Whether 0 lies outside the bounds of all differences together."""
        low, high = self.low_together, self.high_together
        return low is not None and high is not None and not low <= 0 <= high


def paired(
    own: Mapping[int, float], other: Mapping[int, float], together: int = 1
) -> Difference | None:
    """The difference of two scores by seed, one of `together` that are told; None without any."""
    found = [own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())]
    found = [value for value in found if math.isfinite(value)]
    if not found:
        return None
    centre, n = mean(found), len(found)
    spread = stdev(found) if n > 1 else 0.0
    if spread == 0:
        return Difference(n, centre, None, None, None, None)
    wide = [
        student(n - 1, 1 - (1 - LEVEL) / count) * spread / math.sqrt(n) for count in (1, together)
    ]
    return Difference(
        n, centre, centre - wide[0], centre + wide[0], centre - wide[1], centre + wide[1]
    )


@functools.cache
def student(freedom: int, inside: float) -> float:
    """The t within which, on both sides of 0, Student's distribution has so much of its weight."""
    low, high = 0.0, math.pi / 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _inside(middle, freedom) < inside else (low, middle)
    return math.tan(low) * math.sqrt(freedom)


def _inside(angle: float, freedom: int) -> float:
    """P(|T| < t) with tan(angle) = t / √freedom: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    return (angle + sine * total) * 2 / math.pi if odd else sine * total
