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
from elman.data.dates.parts import PART_OF, RANGES
from elman.data.tables.profile import Profile, is_missing
from elman.data.tables.reading import Column
from elman.data.time_series import frequency
from elman.data.time_series.columns import Columns, some, sure
from elman.data.time_series.grid import DAY
from elman.data.time_series.options import NONE, SeriesOptions
from elman.errors import UserError

Ints = NDArray[np.int64]

# Names of what can hardly be anything but times, and of what may be others too.
STRONG = (
    "ds", "date", "datetime", "timestamp", "date_time", "datum", "fecha", "дата", "日期", "时间",
    "日付", "날짜", "日期时间", "日時", "zeitstempel", "horodatage", "日期時間", "时间戳", "時間戳",
    "タイムスタンプ", "타임스탬프", "일시", "일자", "marca de tiempo", "fecha y hora",
    "data e hora",
    "data/hora", "carimbo de data/hora", "data e ora", "date et heure", "datum und zeit",
    "дата и время", "метка времени",
)  # fmt: skip
WEAK = (
    "time", "period", "month", "year", "quarter", "week", "day", "hour", "data", "zeit",
    "zeitpunkt", "monat", "jahr", "tag", "woche", "quartal", "mois", "année", "annee", "jour",
    "mes", "año", "ano", "dia", "día", "mese", "anno", "giorno", "mês", "месяц", "год", "день",
    "время", "月份", "年份", "年", "月", "日", "時間", "年月", "시간", "연도",
    "월", "季度", "周", "週", "小时", "小時", "時刻", "年度", "期間", "四半期", "주", "분기",
    "기간", "stunde", "uhrzeit", "zeitraum", "heure", "semaine", "trimestre", "période", "periode",
    "hora", "semana", "período", "periodo", "ora", "settimana", "неделя", "квартал", "час",
    "период", "t", "step", "tick", "cycle",
    "when", "time_idx", "time_index", "time_step", "timestep", "time_cycles", "epoch", "unix",
    "unixtime",
)  # fmt: skip
TIMES = STRONG + WEAK
WITHIN = (
    "date",
    "time",
    "datum",
    "fecha",
    "period",
    "month",
    "year",
    "дата",
    "日期",
    "时间",
    "day",
)
FINENESS: Mapping[Resolution, int] = {
    "number": 0, "year": 1, "half": 2, "quarter": 2, "month": 3, "week": 4, "day": 5, "second": 6,
    "fraction": 7,
}  # fmt: skip
EPOCH = datetime(1970, 1, 1)
YEAR = " 2000"  # behind the name of a month or its day
DAYS = ("day", "month")
WEEKDAYS = frozenset(
    {"weekday", "dayofweek", "day_of_week", "dow", "wday", "wochentag", "星期", "day_of_the_week"}
)


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
    free = columns.usable(tuple(named))
    best = _ranked(columns, free)
    together = parts_of([columns.profiles[c.name] for c in free])
    if together is not None and (
        best is None
        or best.name in together.names
        or best.dates is None
        or FINENESS[together.dates.resolution] > FINENESS[best.dates.resolution]
    ):
        return Times(together.names, together.dates, together)
    if best is not None:
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
        likely.sort(key=lambda c: (-_name(c.name), TIMES.index(c.name.lower())
                                   if c.name.lower() in TIMES else 0))  # fmt: skip
        return likely[0] if likely else None

    def rank(column: Column) -> tuple[int, bool, int]:
        profile = columns.profiles[column.name]
        assert column.dates is not None
        unique = len(profile.distinct) >= profile.present
        return _name(column.name), unique, FINENESS[column.dates.resolution]

    certain.sort(key=rank, reverse=True)
    if len(certain) > 1 and rank(certain[0]) == rank(certain[1]):
        equals = [column.name for column in certain if rank(column) == rank(certain[0])]
        raise UserError(
            f"{columns.shown}: which of {some(equals)} are the times? give --time-column"
        )
    return certain[0]


def _name(name: str) -> int:
    """How much a name sounds like that of times."""
    name = name.strip().lower()
    if name in STRONG:
        return 3
    return 2 if name in WEAK else int(any(word in name for word in WITHIN))


def _likely(columns: Columns, column: Column, free: Sequence[Column]) -> bool:
    """Whether numbers that may be times are such, by their name or their even spacing."""
    dates, profile = column.dates, columns.profiles[column.name]
    if dates is None:
        return False
    exact, once = _name(column.name) >= 2, len(profile.distinct) >= profile.present
    if dates.resolution != "number" and dates.pattern != "serial":
        # Mere numbers may lie close in four digits, but hardly be all the days of a calendar.
        return _name(column.name) > 0 or ((once or dates.pattern != "%Y") and _even(profile, dates))
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
        name = column.name.strip().lower()
        if column.numerals is None and not column.dates and _looks_dated(columns, column, YEAR):
            first = min(columns.profiles[column.name].first.values())
            raise UserError(
                f'{columns.opened.where(first.number)}: "{column.name}" is {first.cell[:40]!r}, a '
                "date without its year; write the year too, or give --time-column none"
            )
        if column.numerals is None and (name in STRONG or _looks_dated(columns, column)):
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


# ---- Parts ---------------------------------------------------------------------------------


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
    cells = columns.cells((*found.names, *named))
    times = cells[: len(found.names)]
    rows = times[0] if found.parts is None else found.parts.cells(times)
    moments, faulty = found.dates.moments(rows)
    return tuple(
        name
        for name, column in zip(named, cells[len(found.names) :], strict=True)
        if _is_part(name.strip().lower(), column, moments, faulty)
    )


def _is_part(name: str, cells: list[object], moments: Ints, faulty: NDArray[np.bool_]) -> bool:
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
