"""A series without gaps: what is missing is counted, and filled where it is little.

2024-01-02   1
2024-01-05   4   two rows are missing before it
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.time_series.grid import Grid
from elman.data.time_series.observations import Floats, Ints
from elman.data.time_series.options import Fill
from elman.wording import counted

SHORT = 3  # values in a row that are filled on a line, whatever the season
OF_SEASON = 0.05  # the same, as a share of a season
OF_SERIES = 0.1  # values of a series that are filled at most without being asked
LONGEST = 1_000_000  # values that are filled in a series at most
ADVICE = "give --fill previous, linear or zero"


class Regular(NamedTuple):
    """Values at every place. `known` of them have a first column; the rest is ahead."""

    places: Ints  # [T + N]
    values: Floats  # [T + N, C]
    known: int  # T
    filled: int  # values that were missing
    longest: int  # of them in a row


class Fault(NamedTuple):
    """What is wrong with a series, at one of its rows."""

    row: int
    what: str


def shortest_told(season: int | None) -> int:
    """How many values in a row are filled without being asked."""
    return max(SHORT, int(OF_SEASON * (season or 0)))


def regular(
    name: str, places: Ints, values: Floats, grid: Grid | None, fill: Fill | None, *, ahead: int
) -> Regular | Fault:
    """A series of rows in order, [N] places and values [N, C], the first column its own.

    The last `ahead` columns are known beyond its last value. What is missing before its first value
    is no gap: the series begins later. What is missing after its last one is the future.
    """
    steps = np.diff(places) if grid is None else grid.between(places)
    if (off := np.flatnonzero(steps <= 0)).size:
        assert grid is not None
        k = int(off[0])
        here = grid.text(int(places[k]))
        return Fault(k + 1, f'"{name}" is {grid.name}, but no such time follows {here}')
    present = np.flatnonzero(np.isfinite(values[:, 0]))
    if not present.size:
        return Fault(0, f'"{name}" holds no values')
    first, last = int(present[0]), int(present[-1])
    end = len(values) if ahead else last + 1
    places, values, steps = places[first:end], values[first:end], steps[first : end - 1]
    if steps.sum() == len(steps) and np.isfinite(values).all():
        return Regular(places, values, last - first + 1, 0, 0)
    index = np.concatenate([[0], np.cumsum(steps)])
    known, total = int(index[last - first]) + 1, int(index[-1]) + 1
    if total - len(index) > LONGEST:
        return Fault(first, f'"{name}" has gaps of {counted(total - len(index), "value")} in all')
    spread = np.full((total, values.shape[1]), np.nan)
    spread[index] = values
    cut = values.shape[1] - ahead
    missing = np.isnan(spread)
    missing[known:, :cut] = False
    filled, longest = int(missing.sum()), _longest(missing)
    if fill is None:
        season = None if grid is None else grid.season
        few = max(1, OF_SERIES * known)
        if longest > shortest_told(season) or missing.sum(0).max() > few:
            return _first_gap(name, places, index, missing, grid, first, season)
    every = places if grid is None else grid.filled(places, steps)
    for c in range(values.shape[1]):
        stop = known if c < cut else total
        spread[:stop, c] = filled_in(spread[:stop, c], fill or "linear")
    return Regular(every, spread, known, filled, longest)


def _longest(missing: NDArray[np.bool_]) -> int:
    """The most rows after one another of which a value is missing, in any column."""
    longest = 0
    for column in missing.T:
        edges = np.flatnonzero(np.diff(column.astype(np.int8), prepend=0, append=0))
        if edges.size:
            longest = max(longest, int((edges[1::2] - edges[::2]).max()))
    return longest


def _first_gap(
    name: str, places: Ints, index: Ints, missing: NDArray[np.bool_], grid: Grid | None,
    skipped: int, season: int | None,
) -> Fault:  # fmt: skip
    """Where the first gap is that is too long, or the first of all where they are too many."""
    long = shortest_told(season)
    gone = np.asarray(missing.any(1))
    edges = np.flatnonzero(np.diff(gone.astype(np.int8), prepend=0, append=0))
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    lengthy = np.flatnonzero(lengths > long)
    k = int(lengthy[0]) if lengthy.size else 0
    start = int(starts[k])
    row = int(np.searchsorted(index, start))  # the first that is there, at or after the gap
    why = (
        f"gaps of more than {long} are not filled unasked"
        if lengthy.size
        else f"{int(gone.sum()):,} of {len(gone):,} are too many to be filled unasked"
    )
    if index[row] == start:
        what = f'a value of "{name}" is missing'
    else:
        before = int(places[row - 1])
        told = grid.text(before) if grid is not None else str(before)
        rows = int(index[row] - index[row - 1]) - 1
        what = f'{counted(rows, "row")} of "{name}" missing after {told}'
    assumed = "" if grid is None else grid.dates.assumption()
    return Fault(skipped + row, f"{what}; {why}: {ADVICE}{assumed and f'; {assumed}'}")


def filled_in(values: Floats, fill: Fill) -> Floats:
    """Values [T] with a number for each NaN."""
    there = np.flatnonzero(np.isfinite(values))
    if not there.size or len(there) == len(values):
        return np.nan_to_num(values) if not there.size else values
    every = np.arange(len(values))
    if fill == "zero":
        return np.where(np.isfinite(values), values, 0.0)
    if fill == "linear":
        return np.interp(every, there, values[there])
    latest = np.maximum(np.searchsorted(there, every, side="right") - 1, 0)
    return values[there[latest]]
