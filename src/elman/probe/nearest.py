"""Where else a network was in such a state; units selected over a stretch, and where they match.

States are values [T, B, U]; `there` [T, B] are the steps that count. Selecting and matching are
those of LSTMVis, Strobelt et al. 2018, doi:10.1109/TVCG.2017.2744158 (arXiv:1606.07461).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError, unknown_name

Values: TypeAlias = NDArray[np.floating]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Metric: TypeAlias = Literal["cosine", "euclidean"]

METRICS = ("cosine", "euclidean")
COUNT, APART = 10, 20  # places that are told, and steps between any two of them
EVER_ON = 0.5  # of the range of a unit's values: above it a unit is on, if nobody says otherwise


@dataclass(frozen=True)
class Neighbour:
    """A step of a sequence, and how far its state is from the one asked for."""

    step: int
    sequence: int
    distance: float


def nearest(
    values: Values, step: int, sequence: int, *, there: Bools | None = None,
    metric: Metric = "cosine", count: int = COUNT, apart: int = APART,
) -> list[Neighbour]:  # fmt: skip
    """The places whose states are nearest to that of one place, the nearest first.

    By 1 - cosine, or by Euclidean distance. Places within `apart` steps of the one asked for, or of
    a nearer one that is told already, are left out.
    UserError: no such place, an unknown metric.
    """
    there = _there(values, there)
    if metric not in METRICS:
        raise unknown_name("metric", metric, METRICS)
    _check(there, step, step + 1, sequence)
    distances = _distances(values, values[step, sequence], metric)
    order = np.argsort(np.where(there, distances, np.inf), axis=None, kind="stable")
    places = (divmod(int(p), there.shape[1]) for p in order)
    kept = _apart(((t, b) for t, b in places if there[t, b]), (step, sequence), apart, count)
    return [Neighbour(t, b, float(distances[t, b])) for t, b in kept]


@dataclass(frozen=True)
class Match:
    """A stretch of a sequence in which selected units are on, from `start` up to `stop`."""

    sequence: int
    start: int
    stop: int
    shared: int  # selected units that are on throughout
    further: int  # other units that are on throughout


def select(
    values: Values, sequence: int, start: int, stop: int, threshold: float | Values, *,
    there: Bools | None = None, bounded: bool = False,
) -> list[int]:  # fmt: skip
    """The units that are above `threshold`, one or one a unit, at every step of a stretch.

    With `bounded` only those that are not so at the step before it nor at the step after it.
    UserError: no such stretch.
    """
    _check(_there(values, there), start, stop, sequence)
    on = values[:, sequence] > threshold  # [T, U]
    chosen = on[start:stop].all(0)
    if bounded:
        for outside in (start - 1, stop):
            if 0 <= outside < len(on):
                chosen &= ~on[outside]
    return [int(u) for u in np.flatnonzero(chosen)]


def match(
    values: Values, sequence: int, start: int, stop: int, threshold: float | Values, *,
    there: Bools | None = None, bounded: bool = False, count: int = COUNT,
) -> list[Match]:  # fmt: skip
    """Stretches elsewhere in which the units selected are on too, the best first.

    Ranked by how many of them are on at each step of a stretch of the same length; of equal ones
    the one with fewer further units comes first. Each is then made as long as the units that it
    shares stay on together. Those that overlap the stretch asked for, or a better one, are left
    out. UserError: no such stretch; no unit that could be selected.
    """
    there = _there(values, there)
    chosen = select(values, sequence, start, stop, threshold, there=there, bounded=bounded)
    if not chosen:
        raise UserError(
            f"no unit is above the threshold from step {start} to step {stop - 1}; lower the "
            "threshold or take fewer steps"
        )
    on = (values > threshold) & there[..., None]
    length, mine = stop - start, np.zeros(values.shape[2], np.bool_)
    mine[chosen] = True
    # Steps in a row at which each unit has been on, up to each step.
    run, runs = np.zeros(on.shape[1:], np.int64), np.empty(on.shape, np.int64)
    for t, now in enumerate(on):
        run = (run + 1) * now
        runs[t] = run
    through = runs[length - 1 :] >= length  # [T - length + 1, B, U], by the first step
    shared, further = through[..., mine].sum(-1), through[..., ~mine].sum(-1)
    order = np.lexsort((further.ravel(), -shared.ravel()))
    found: list[Match] = []
    taken = np.zeros(there.shape, np.bool_)
    taken[start:stop, sequence] = True
    for place in order:
        t, b = divmod(int(place), there.shape[1])
        if len(found) == count or shared[t, b] == 0:
            break
        if taken[t : t + length, b].any():
            continue
        common = through[t, b] & mine
        first, last = t, t + length
        while first > 0 and on[first - 1, b, common].all() and not taken[first - 1, b]:
            first -= 1
        while last < len(on) and on[last, b, common].all() and not taken[last, b]:
            last += 1
        taken[first:last, b] = True
        found.append(Match(b, first, last, int(shared[t, b]), int(further[t, b])))
    return found


def half_way(values: Values, there: Bools | None = None) -> Floats:
    """For each unit the middle between its lowest and its highest value, [U]: a threshold."""
    seen = values[_there(values, there)].astype(np.float64)
    middle: Floats = seen.min(0) + EVER_ON * (seen.max(0) - seen.min(0))
    return middle


def _there(values: Values, there: Bools | None) -> Bools:
    return np.ones(values.shape[:2], np.bool_) if there is None else there


def _check(there: Bools, start: int, stop: int, sequence: int) -> None:
    T, B = there.shape
    if not 0 <= sequence < B:
        raise UserError(f"sequence {sequence}: there are {B}, from 0")
    if not (0 <= start < stop <= T and there[start:stop, sequence].all()):
        length = int(there[:, sequence].sum())
        raise UserError(f"steps {start} to {stop - 1}: sequence {sequence} has {length}, from 0")


def _distances(values: Values, state: Values, metric: Metric) -> Floats:
    """Of every place from one state, [T, B]; a state of zeros is at a right angle to all."""
    if metric == "euclidean":
        each: Floats = np.linalg.norm((values - state).astype(np.float64), axis=-1)
        return each
    sizes = np.linalg.norm(values.astype(np.float64), axis=-1) * np.linalg.norm(state)
    top = values.astype(np.float64) @ state.astype(np.float64)
    cosines: Floats = np.divide(top, sizes, out=np.zeros_like(top), where=sizes > 0)
    return 1 - cosines


def _apart(
    places: Iterable[tuple[int, int]], asked: tuple[int, int], apart: int, count: int
) -> list[tuple[int, int]]:
    """The first `count` places that are so far from the one asked for and from each other."""
    kept = [asked]
    for t, b in places:
        if len(kept) > count:
            break
        if all(b != other or abs(t - step) > apart for step, other in kept):
            kept.append((t, b))
    return kept[1:]
