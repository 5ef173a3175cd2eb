"""Which columns are the times of a table's rows.

Nothing that looks like a time is left aside without a word: of two that are as good, and of one
that cannot be read, the user is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates, Parts, Resolution, dates_of, parts_of
from elman.data.dates.numbers import EPOCHS
from elman.data.dates.parts import PART_OF, RANGES
from elman.data.tables.profile import Profile, is_missing
from elman.data.tables.reading import Column
from elman.data.time_series import frequency, nameless
from elman.data.time_series.columns import Columns, some, sure
from elman.data.time_series.options import NONE, SeriesOptions
from elman.data.time_series.time_names import STRONG, TIMES, bare, said, speaks
from elman.errors import UserError

Ints = NDArray[np.int64]

FINENESS: Mapping[Resolution, int] = {
    "number": 0, "year": 1, "half": 2, "quarter": 2, "month": 3, "week": 4, "day": 5, "second": 6,
    "fraction": 7,
}  # fmt: skip
EPOCH = datetime(1970, 1, 1)
YEAR = " 2000"  # behind the name of a month or its day
DAYS = ("day", "month")


class Times(NamedTuple):
    """The columns of the times, several that are one time together, or none."""

    names: tuple[str, ...] = ()
    dates: Dates | None = None
    parts: Parts | None = None


def find(columns: Columns, asked: SeriesOptions, named: Sequence[str]) -> Times:
    """The columns that hold the times. UserError where the user must say which, or how."""
    if asked.time_column == NONE and "none" not in columns.opened.columns:
        return Times()
    if asked.time_column is not None:
        return _asked(columns, asked.time_column)
    every = columns.usable(tuple(named))
    # A date that is the same in all rows is none of theirs.
    free = [c for c in every if not (sure(c) and _constant(columns, c))]
    best = _ranked(columns, free)
    together = parts_of([columns.profiles[c.name] for c in free])
    if together is None and best is None and (together := nameless.find(columns, free)):
        return Times(together.names, together.dates, together)
    if together is None and (best is None or _numbered(best)):
        together = parts_of([columns.profiles[c.name] for c in every])  # times of one day
    if best is None and together is None and len(free) < len(every):
        free = every
        best = _ranked(columns, free)
    if together is not None and (
        best is None
        or best.name in together.names
        or best.dates is None
        or FINENESS[together.dates.resolution] > FINENESS[best.dates.resolution]
    ):
        return Times(together.names, together.dates, together)
    if best is not None:
        if said(best.name) < 2:  # a column that is called the date speaks louder
            words = [c for c in free if c.numerals is None and c.dates is None]
            _question(columns, [c for c in words if said(c.name) == 3])
        return Times((best.name,), best.dates)
    _question(columns, free)
    return Times()


def _asked(columns: Columns, names: tuple[str, ...]) -> Times:
    if len(names) > 1:
        together = parts_of([columns.profiles[name] for name in names])
        if together is None or set(together.names) != set(names):
            raise UserError(
                f"--time-column {','.join(names)}: are not one time together; needs a date and a "
                "time of day, or year, month, day and so on under such names"
            )
        return Times(together.names, together.dates, together)
    dates = columns.reading.column(names[0]).dates
    if dates is None:
        raise UserError(_no_dates(columns, names[0], "give --date-format, such as %d/%m/%Y"))
    return Times(names, dates)


def _ranked(columns: Columns, free: Sequence[Column]) -> Column | None:
    """The best column of times, surely dates or by their name. UserError: two that are as good."""
    certain = [column for column in free if sure(column)]
    if not certain:
        likely = [column for column in free if _likely(columns, column, free)]
        likely.sort(key=lambda c: (-said(c.name), TIMES.index(c.name.lower())
                                   if c.name.lower() in TIMES else 0))  # fmt: skip
        return likely[0] if likely else None

    def rank(column: Column) -> tuple[int, bool, int]:
        profile = columns.profiles[column.name]
        assert column.dates is not None
        unique = len(profile.distinct) >= profile.present
        return said(column.name), unique, FINENESS[column.dates.resolution]

    certain.sort(key=rank, reverse=True)
    if len(certain) > 1 and rank(certain[0]) == rank(certain[1]):
        equals = [column.name for column in certain if rank(column) == rank(certain[0])]
        raise UserError(
            f"{columns.shown}: which of {some(equals)} are the times? give --time-column"
        )
    return certain[0]


def _numbered(column: Column) -> bool:
    return column.dates is not None and column.dates.resolution == "number"


def _constant(columns: Columns, column: Column) -> bool:
    profile = columns.profiles[column.name]
    return profile.present > 1 and sum(not is_missing(cell) for cell in profile.distinct) == 1


def _likely(columns: Columns, column: Column, free: Sequence[Column]) -> bool:
    """Whether numbers that may be times are such, by their name or their even spacing."""
    dates, profile = column.dates, columns.profiles[column.name]
    if dates is None:
        return False
    exact, once = said(column.name) >= 2, len(profile.distinct) >= profile.present
    if dates.resolution != "number" and dates.pattern != "serial":
        # Mere numbers may lie close in four digits, but hardly be all the days of a calendar.
        return said(column.name) > 0 or ((once or dates.pattern != "%Y") and _even(profile, dates))
    if not exact:
        return False
    return (
        once
        or (dates.pattern == "serial" and _even(profile, dates))
        or _repeated(columns, column, free)
    )


def _even(profile: Profile, dates: Dates) -> bool:
    moments = _moments(profile, dates)
    if len(moments) < 4:
        return False
    grid = frequency.grid_of([moments], dates)
    return float((grid.between(grid.of(moments)) == 1).mean()) >= frequency.NEARLY_ALL


def _moments(profile: Profile, dates: Dates) -> Ints:
    """The moments that a column names, each once and in order."""
    moments, faulty = dates.moments(sorted(profile.distinct))
    return np.unique(moments[~faulty])


def _repeated(columns: Columns, column: Column, free: Sequence[Column]) -> bool:
    """Whether numbers come again as the steps of several series do: as often as there are some."""
    profile = columns.profiles[column.name]
    steps = len(profile.distinct)
    most = max(
        (
            len(columns.profiles[c.name].distinct)
            for c in free
            if c.name != column.name and not sure(c)
            and 2 * len(columns.profiles[c.name].distinct) <= profile.present
        ),
        default=1,
    )  # fmt: skip
    calendar = column.name.lower() in PART_OF and steps <= 31
    return not calendar and steps * most >= profile.present


def _question(columns: Columns, free: Sequence[Column]) -> None:
    """UserError where a column that is no time looks like one, or is called so."""
    for column in free:
        name = bare(column.name)
        if _rises(columns, column):
            assert column.dates is not None
            raise UserError(
                f'{columns.shown}: is "{column.name}" the time? Its numbers may be '
                f"{column.dates.told()}; give --time-column, or --time-column none"
            )
        if column.numerals is None and not column.dates and _looks_dated(columns, column, YEAR):
            first = min(columns.profiles[column.name].first.values())
            raise UserError(
                f'{columns.opened.where(first.number)}: "{column.name}" is {first.cell[:40]!r}, a '
                "date without its year; write the year too, or give --time-column none"
            )
        if column.numerals is None and (speaks(name) or _looks_dated(columns, column)):
            raise UserError(
                _no_dates(
                    columns, column.name,
                    "mend it, give --date-format, such as %d/%m/%Y, or --time-column none",
                )
            )  # fmt: skip
        if name in STRONG:
            raise UserError(
                f'{columns.shown}: is "{column.name}" the time? Its numbers come again; give '
                "--time-column and, of several series, --id-column, or --time-column none"
            )


def _rises(columns: Columns, column: Column) -> bool:
    """Whether numbers as large as seconds since 1970 go up, but for a few: of each of several
    series, too."""
    if column.dates is None or column.dates.sure or column.dates.pattern not in EPOCHS:
        return False
    moments, faulty = column.dates.moments(columns.cells([column.name])[0])
    moments = moments[~faulty]
    lags = {1, max(1, len(moments) // 10)}  # the second where several series take turns
    return len(moments) >= 4 and any(
        max((moved >= 0).mean(), (moved <= 0).mean()) >= frequency.NEARLY_ALL
        for moved in (moments[lag:] - moments[:-lag] for lag in lags)
    )


def _looks_dated(columns: Columns, column: Column, then: str = "") -> bool:
    """Whether most cells of a column of words are dates, though not nearly all of them; or would be
    with `then` behind them."""
    profile = columns.profiles[column.name]
    dated = 0
    for shape, count in profile.shapes.most_common(8):
        one = Profile("")
        one.add([profile.first[shape].cell + then], [1])
        dates = dates_of(one)
        if dates is not None and dates.sure and (not then or dates.resolution in DAYS):
            dated += count
    return 2 * dated > profile.present


def _no_dates(columns: Columns, name: str, advice: str) -> str:
    """What is wrong with a column that should hold dates, at its first cell that is none."""
    profile = columns.profiles[name]
    for seen in sorted(profile.first.values()):
        one = Profile("")
        one.add([seen.cell], [seen.number])
        if dates_of(one) is None:
            return f'{columns.opened.where(seen.number)}: "{name}" is {seen.cell[:40]!r}, ' \
                f"no date that is known; {advice}"  # fmt: skip
    return f'{columns.shown}: the cells of "{name}" are not dates of one kind; {advice}'


SAYS: Mapping[str, Callable[[datetime], int]] = {
    "year": lambda t: t.year, "quarter": lambda t: (t.month + 2) // 3, "month": lambda t: t.month,
    "week": lambda t: t.isocalendar().week, "day": lambda t: t.day,
    "yearday": lambda t: t.timetuple().tm_yday, "hour": lambda t: t.hour,
    "minute": lambda t: t.minute, "second": lambda t: t.second,
}  # fmt: skip


def written(parts: Parts, moment: int) -> dict[str, str | int]:
    """A moment as its several columns say it, by their names."""
    when = EPOCH + timedelta(microseconds=int(moment))
    made: dict[str, str | int] = {}
    clock = next(
        (k for k in (parts.dates.pattern.find(f" %{h}") for h in ("H", "-H", "I", "-I")) if k >= 0),
        len(parts.dates.pattern),
    )
    whole, date = parts.dates.text(moment), ""
    if parts.parts[0] == "date":
        date = replace(parts.dates, pattern=parts.dates.pattern[:clock]).text(moment)
    for name, part in zip(parts.names, parts.parts, strict=True):
        if part == "date":
            made[name] = date
        elif part in RANGES:
            year = when.isocalendar().year if "week" in parts.parts else when.year
            made[name] = year if part == "year" else SAYS[part](when)
        else:
            made[name] = whole[len(date) :].strip()
    return made
