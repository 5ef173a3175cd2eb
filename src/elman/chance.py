"""How far apart chance puts two scores of the same data: a paired bootstrap over its units."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
DRAWS = 2000
FEWEST = 6  # units below which nothing is said of chance
MOST = 4096  # units drawn from; more are put together, neighbours first
DRAWN = 200  # draws at once, for the sake of memory


@dataclass(frozen=True)
class Tally:
    """What a score is counted from, by units that are as good as independent of one another.

    A unit is a sequence, a sentence, a series; two values that share what they were made from are
    in one. `sums` [N, K] holds K sums of each, and `score` makes of such sums [..., K], added up
    over any units, the score [...]: the share of hits is of two sums, hits and count.
    """

    unit: str
    sums: Floats
    score: Callable[[Floats], Floats]

    def __post_init__(self) -> None:
        if self.sums.ndim != 2:
            raise ValueError(f"sums of shape {self.sums.shape}: need units by sums")


def shares(unit: str, parts: Floats, counts: Floats) -> Tally:
    """The tally of a score that is one sum over another, of both [N] by units."""
    return Tally(
        unit, np.stack([parts, counts], 1).astype(np.float64), lambda s: s[..., 0] / s[..., 1]
    )


def interval(own: Tally, other: Tally) -> tuple[float, float] | None:
    """Between which bounds the difference of two scores, own less other's, lies with 95 %.

    Units are drawn anew, with replacement, the same for both (Koehn 2004, aclanthology W04-3250),
    always by the same random numbers. As few units vary too little among themselves, the bounds
    stand further out the fewer there are: the expanded percentile interval of Hesterberg 2015,
    arXiv:1411.5279. None with fewer than `FEWEST` units.
    """
    if len(own.sums) != len(other.sums):
        raise ValueError(f"{len(own.sums)} units against {len(other.sums)}")
    if len(own.sums) < FEWEST:
        return None
    mine, theirs = _together(own.sums), _together(other.sums)
    n = len(mine)
    random = np.random.default_rng(n)
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):  # draws in which nothing was counted
        for _ in range(DRAWS // DRAWN):
            often = random.multinomial(n, np.full(n, 1 / n), size=DRAWN).astype(np.float64)
            found.append(own.score(often @ mine) - other.score(often @ theirs))
    drawn = np.concatenate(found)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < DRAWS // 2:
        return None
    outside = NormalDist().cdf(-math.sqrt(n / (n - 1)) * _student(n - 1))
    low, high = np.quantile(drawn, [outside, 1 - outside])
    return float(low), float(high)


def _together(sums: Floats) -> Floats:
    """At most `MOST` units, neighbours added up."""
    if len(sums) <= MOST:
        return sums
    edges = np.linspace(0, len(sums), MOST + 1).astype(np.int64)[:-1]
    found: Floats = np.add.reduceat(sums, edges, axis=0)
    return found


def _student(freedom: int) -> float:
    """The quantile of Student's distribution beyond which half of 1 - `LEVEL` lies.

    By the series of Fisher and Cornish around the normal one; good to 1 % from 5 degrees on.
    """
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    tail: float = sum(term / freedom ** (k + 1) for k, term in enumerate(terms))
    return z + tail
