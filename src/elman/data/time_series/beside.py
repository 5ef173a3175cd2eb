"""Columns that say of the time again what is known from elsewhere: they are no series.

date,year,month,unix,sales   year and month are parts of the date, unix is the date once more
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates
from elman.data.dates.parts import PART_OF
from elman.data.tables.profile import is_missing
from elman.data.time_series.columns import Columns
from elman.data.time_series.grid import DAY
from elman.data.time_series.time_names import said
from elman.data.time_series.times import EPOCH, SAYS, Times

Ints = NDArray[np.int64]
WEEKDAYS = frozenset(
    {"weekday", "dayofweek", "day_of_week", "dow", "wday", "wochentag", "星期", "day_of_the_week"}
)


def parts_of_time(columns: Columns, found: Times, taken: set[str]) -> tuple[str, ...]:
    """Columns of numbers that say nothing but a part of the time: its year, month, weekday."""
    if found.dates is None or found.dates.resolution == "number":
        return ()
    named = [
        name
        for name in columns.numbers(tuple(taken))
        if (low := name.strip().lower()) in PART_OF or low in WEEKDAYS
    ]
    if not named:
        return ()
    moments, faulty, cells = _read(columns, found, found.dates, named)
    return tuple(
        name
        for name, column in zip(named, cells, strict=True)
        if _is_part(name.strip().lower(), column, moments, faulty)
    )


def _read(
    columns: Columns, found: Times, dates: Dates, named: Sequence[str]
) -> tuple[Ints, NDArray[np.bool_], Sequence[Sequence[object]]]:
    """The moments of all rows, which of them are none, and the cells of these columns."""
    cells = columns.cells((*found.names, *named))
    times = cells[: len(found.names)]
    rows = times[0] if found.parts is None else found.parts.cells(times)
    return *dates.moments(rows), cells[len(found.names) :]


def same_times(columns: Columns, found: Times, taken: set[str]) -> tuple[str, ...]:
    """Columns of numbers that are the time once more: seconds since 1970, a serial, 1900.042.

    They are called so, or have no names at all, and rise evenly as the times do.
    """
    if found.dates is None or found.dates.resolution == "number":
        return ()
    headed = columns.opened.header
    named = [name for name in columns.numbers(tuple(taken)) if said(name) or not headed]
    if not named:
        return ()
    moments, faulty, cells = _read(columns, found, found.dates, named)
    made = []
    for name, column in zip(named, cells, strict=True):
        numerals = columns.reading.column(name).numerals
        assert numerals is not None
        values, wrong = numerals.numbers(column)
        there = ~(faulty | wrong | np.isnan(values))
        if there.sum() < 3:
            continue
        again = _says_again(moments[there], values[there], headed)
        dates = columns.reading.column(name).dates
        if not again and headed and dates is not None and dates.resolution != "number":
            dated, _ = dates.moments(column)  # 200512, 200601
            again = _says_again(moments[there], dated[there].astype(np.float64), headed)
        if again:
            made.append(name)
    return tuple(made)


def _says_again(moments: Ints, values: NDArray[np.float64], headed: bool) -> bool:
    """Whether values go up by the same for every equal step of time, or row after row."""
    when, first = np.unique(moments, return_index=True)
    value = values[first]
    again = values[np.argsort(moments, kind="stable")]
    if len(when) < 3 or len(np.unique(again)) > 1.1 * len(when):
        return False
    steps = np.diff(value)
    if not (steps > 0).all():
        return False
    if not headed:  # nothing speaks for it but that it is the year
        years = when.astype("M8[us]").astype("M8[Y]").astype(np.int64) + 1970
        return bool((np.floor(value + 1e-9) == years).mean() >= 0.99)
    spans = np.diff(when)
    rate = (value[-1] - value[0]) / (when[-1] - when[0])
    off = np.abs(value - value[0] - rate * (when - when[0])).max()
    return bool(off <= 3 * rate * spans.min() or np.ptp(steps) <= 1e-6 * steps.max())


def _is_part(name: str, cells: Sequence[object], moments: Ints, faulty: NDArray[np.bool_]) -> bool:
    kept = [
        (str(cell).strip(), int(moment))
        for cell, moment, wrong in zip(cells, moments, faulty, strict=True)
        if not wrong and not is_missing(cell)
    ]
    if not kept:
        return False
    if name in WEEKDAYS:  # in whatever way they are numbered
        pairs = {(cell, (moment // DAY + 3) % 7) for cell, moment in kept}
        return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > 1
    said = {(cell.lstrip("0").partition(".")[0] or "0", moment) for cell, moment in kept}
    return any(
        all(cell == str(of(EPOCH + timedelta(microseconds=moment))) for cell, moment in said)
        for part in PART_OF[name]
        if (of := SAYS.get(part)) is not None
    )
