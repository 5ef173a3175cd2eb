"""Rows in order of time: sorted, and each time of a series once.

2024-01-03   the newest row first, as banks and shops export
2024-01-02
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates
from elman.data.tables.content import BadRows
from elman.data.tables.table import Table
from elman.data.time_series.frequency import usual
from elman.data.time_series.grid import DAY, HOUR
from elman.data.time_series.observations import Floats, Ints, Observations, shown
from elman.data.time_series.options import Duplicates
from elman.wording import counted, listed

MONTHS_APART = 150  # days from one change of the clocks to the next, at least
BY = {"sum": "added up", "mean": "averaged", "last": "the last of them taken"}


def in_order(
    rows: Observations, how: Duplicates | None, opened: Table, dates: Dates, bad: BadRows,
    *, advice: str,
) -> tuple[Observations, tuple[str, ...]]:  # fmt: skip
    """Rows sorted by series and time, one for each time of a series; and what is told of it.

    An hour that comes twice when the clocks are put back is averaged. Other times that come twice
    are bad rows, told with `advice`, unless `how` says what becomes of them.
    """
    rows, told, back = _sorted(rows)
    facts = (told,) if told else ()
    fresh = np.ones(len(rows.moments), dtype=np.bool_)
    fresh[1:] = (np.diff(rows.moments) != 0) | (np.diff(rows.which) != 0)
    if fresh.all():
        return rows, facts
    hours = _clocks_put_back(rows, fresh) if how is None else ()
    if how is None and not hours:
        for k in np.flatnonzero(~fresh):
            first, other = sorted((int(rows.lines[k - 1]), int(rows.lines[k])))
            name = shown(rows.names[rows.which[k]])
            told = f"{dates.text(int(rows.moments[k]))} comes twice"
            told += f' for "{name}"' if name else ""
            bad.add(opened.where(other), f"{told}, in {opened.unit} {first:,} too; {advice}")
        return rows.at(fresh), facts
    starts = np.flatnonzero(fresh)
    made = replace(rows.at(starts), values=_joined(rows.values, starts, how or "mean"))
    if how is not None:
        again = counted(int((~fresh).sum()), "value")
        return made, (*facts, f"{again} at times that come again: {BY[how]}")
    if back <= len(hours) * len(rows.names):
        facts = ()  # the clocks went back, the rows did not
    days = listed([dates.text(hour) for hour in hours], 4)
    averaged = f"hours that come twice, as the clocks are put back, are averaged: {days}"
    return made, (*facts, averaged)


def _sorted(rows: Observations) -> tuple[Observations, str, int]:
    """Rows sorted, those of one time as they came; what is told; how often time went back."""
    by_series = np.argsort(rows.which, kind="stable")
    same = np.diff(rows.which[by_series]) == 0
    spans = np.diff(rows.moments[by_series])[same]
    back = int((spans < 0).sum())
    if not back:
        in_turn = bool((np.diff(by_series) > 0).all())
        return (rows if in_turn else rows.at(by_series)), "", 0
    told = "they were out of order" if (spans > 0).any() else "they were newest first"
    return rows.at(np.lexsort((rows.moments, rows.which))), f"rows sorted by time; {told}", back


def _joined(values: Floats, starts: Ints, how: Duplicates) -> Floats:
    """The values [N, C] of each group of rows, from its start to the next, as one."""
    there = np.isfinite(values)
    if how == "last":
        rows = np.where(there, np.arange(len(values))[:, None], -1)
        latest = np.maximum.reduceat(rows, starts)
        found: Floats = np.take_along_axis(values, np.maximum(latest, 0), 0)
        return np.where(latest >= np.r_[starts][:, None], found, np.nan)
    counts = np.add.reduceat(there.astype(np.float64), starts)
    sums = np.add.reduceat(np.where(there, values, 0.0), starts)
    return np.where(counts > 0, sums / np.maximum(counts, 1) if how == "mean" else sums, np.nan)


def _clocks_put_back(rows: Observations, fresh: NDArray[np.bool_]) -> tuple[int, ...]:
    """The hours that come twice, if they are those of daylight saving's end: whole ones, at night,
    each value of theirs twice, months apart."""
    again = rows.moments[~fresh]
    step = usual(np.diff(rows.moments)[fresh[1:] & (np.diff(rows.which) == 0)])
    if step > HOUR or HOUR % step:
        return ()
    hours, counts = np.unique(again // HOUR * HOUR, return_counts=True)
    at_night = (hours % DAY) // HOUR <= 3
    apart = np.diff(hours) >= MONTHS_APART * DAY
    whole = counts % (HOUR // step) == 0  # of one series, or of several
    return tuple(hours.tolist()) if at_night.all() and apart.all() and whole.all() else ()
