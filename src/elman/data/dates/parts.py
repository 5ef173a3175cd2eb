"""Several columns that are one time together.

year,month,day,hour      date,time                 dteday,hr
2014,1,1,0               10/03/2004,18.00.00       2011-01-01,0
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from elman.data.dates.cells import plain
from elman.data.dates.judgement import NEARLY_ALL, dates_of
from elman.data.dates.month_names import month_of
from elman.data.dates.styles import time_in
from elman.data.dates.value import Dates
from elman.data.tables.profile import MISSING, Profile
from elman.errors import UserError
from elman.options import make

Part: TypeAlias = Literal[
    "year", "quarter", "month", "week", "day", "yearday", "hour", "minute", "second", "date", "time"
]
NAMES: Mapping[Part, str] = {
    "year": "year yr yyyy yy jahr année annee an año ano anno год 年 年份 年度 연도 년 년도",
    "quarter": "quarter qtr quartal trimestre квартал 季度 季 四半期 분기",
    "month": "month mon mo mth monat mois mes mês mese месяц 月 月份 월",
    "week": "week wk kw isoweek week_of_year weekofyear kalenderwoche semaine semana settimana "
    "неделя 周 週 周数 주",
    "day": "day dy dom day_of_month dayofmonth mday tag jour día dia giorno день число 日 日期 일",
    "yearday": "yearday yday doy day_of_year dayofyear julian_day",
    "hour": "hour hours hr hrs hh stunde std heure hora ora час 时 時 小时 小時 시 시간",
    "minute": "minute minutes min mn minuto minuten минута 分 分钟 分鐘 분",
    "second": "second seconds sec ss sekunde sekunden seconde segundo secondo секунда 秒 초",
    "time": "time uhrzeit zeit heure hora ora orario время 时间 時間 時刻 时刻 시간 시각 tod "
    "time_of_day hhmm hhmmss",
}
PART_OF: Mapping[str, tuple[Part, ...]] = {
    name: tuple(part for part, names in NAMES.items() if name in names.split())
    for names in NAMES.values()
    for name in names.split()
}
RANGES: Mapping[Part, tuple[int, int]] = {
    "year": (1000, 9999), "quarter": (1, 4), "month": (1, 12), "week": (1, 53), "day": (1, 31),
    "yearday": (1, 366), "hour": (0, 24), "minute": (0, 59), "second": (0, 59),
}  # fmt: skip
# Which parts make a date, the finest first, and the pattern of what they are joined to.
DATED: Mapping[tuple[Part, ...], str] = {
    ("year", "month", "day"): "%Y-%m-%d", ("year", "yearday"): "%Y-%j",
    ("year", "month"): "%Y-%m", ("year", "quarter"): "%YQ%q", ("year", "week"): "%G-W%V",
}  # fmt: skip
CLOCK: Sequence[Part] = ("hour", "minute", "second")
_LIKE_A_CLOCK = re.compile(r"9:99|9\.99\.99|[時时点시] ?9|[mM]\.?$")
_WHOLE = re.compile(r"(\d{1,4})(?:[.,]0*)?")


@dataclass(frozen=True)
class Parts:
    """Columns that are one time together: what each of them is, and how they are joined."""

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    dates: Dates

    def __post_init__(self) -> None:
        if len(self.names) != len(self.parts) or not self.names:
            raise UserError("damaged (names and parts of a time differ)")

    def cells(self, columns: Sequence[Sequence[object]]) -> list[str]:
        """One text for each row, to be given to `dates.moments`; empty where a part is none."""
        texts = [self._texts(part, cells) for part, cells in zip(self.parts, columns, strict=True)]
        return ["" if "" in row else self._joined(row) for row in zip(*texts, strict=True)]

    def told(self) -> str:
        """Which columns they are, and how they are read."""
        return f"one time of {', '.join(self.names)}: {self.dates.told()}"

    def _texts(self, part: Part, cells: Sequence[object]) -> list[str]:
        known = {cell: _text(part, plain(cell)) for cell in dict.fromkeys(cells)}
        return [known[cell] for cell in cells]

    def _joined(self, row: Sequence[str]) -> str:
        if self.parts[0] == "date":
            return f"{row[0]} {':'.join(row[1:])}" + ":00" * (self.parts[1:] == ("hour",))
        clock = len([part for part in self.parts if part in CLOCK])
        date, time = row[: len(row) - clock], row[len(row) - clock :]
        mark = {"quarter": "Q", "week": "-W"}.get(self.parts[1], "-")
        made = mark.join(date)
        return f"{made} {':'.join(time)}" + ":00" * (clock == 1) if clock else made


def parts_of(profiles: Sequence[Profile]) -> Parts | None:
    """The columns that are one time only together; None where there are none.

    A date and a time of day (or an hour); a year and a month at least, by their names in ten
    languages. Columns whose values are no such part are none, nor are parts beside a column that
    holds the whole time.
    """
    named: dict[Part, Profile] = {}
    for profile in profiles:
        for part in _named(profile.name, profiles):
            if part not in named and _holds(profile, part):
                named[part] = profile
                break
    dated = [
        (profile, dates)
        for profile in profiles
        if not (set(_named(profile.name, profiles)) & RANGES.keys() and profile in named.values())
        and (dates := _date(profile)) is not None
    ]
    if dated:
        return _with_clock(dated, named, profiles)
    for parts, pattern in DATED.items():
        if all(part in named for part in parts):
            clock = _clock(named) if "%d" in pattern or "%j" in pattern else []
            finest = {0: "", 1: " %H:%M", 2: " %H:%M", 3: " %H:%M:%S"}[len(clock)]
            made = (*parts, *clock)
            names = tuple(named[part].name for part in made)
            return Parts(names, made, Dates(pattern + finest, style="parts"))
    return None


def parts_from_json(data: Any) -> Parts:
    """The parts that gave this by `asdict`. UserError where it is damaged."""
    if not isinstance(data, Mapping) or "dates" not in data:
        raise UserError("damaged (no parts of a time)")
    return make(Parts, {**data, "dates": make(Dates, data["dates"])})


def _named(name: str, profiles: Sequence[Profile]) -> tuple[Part, ...]:
    """What a column may be by its name."""
    names = {profile.name.strip() for profile in profiles}
    bare = re.sub(
        r"[\s_]+[\[(]?(?:utc|gmt|local|lst)[\])]?$", "", name.strip().strip("#<>"), flags=re.I
    )
    if bare in ("MM", "mm"):  # of buoys: YY MM DD hh mm
        return ("minute",) if bare == "mm" and "MM" in names else ("month",)
    if bare in ("DD", "dd"):
        return ("day",)
    return PART_OF.get(bare.casefold().replace(" ", "_"), ())


def _holds(profile: Profile, part: Part) -> bool:
    """Whether nearly all cells are such a part."""
    cells = [c for cell in profile.distinct if (c := plain(cell)).lower() not in MISSING]
    good = sum(_text(part, cell) != "" for cell in cells)
    return good > 0 and len(cells) - good <= max(1, (1 - NEARLY_ALL) * len(cells))


def _text(part: Part, cell: str) -> str:
    """A cell as a part of a date in digits; empty where it is none."""
    if part == "date":
        return cell
    if part == "time":
        return _time(cell)
    whole = _WHOLE.fullmatch(cell)
    if whole is None:
        month = month_of(cell) if part == "month" and cell else None
        return f"{month:02}" if month else ""
    value, (low, high) = int(whole[1]), RANGES[part]
    if part == "year" and len(whole[1]) == 2:
        value += 1900 if value >= 69 else 2000
    width = {"year": 4, "yearday": 3, "quarter": 1}.get(part, 2)
    return f"{value:0{width}}" if low <= value <= high else ""


def _time(cell: str) -> str:
    """A time of day with colons; whole numbers are HHMM or HHMMSS."""
    if re.fullmatch(r"\d{1,6}", cell):
        cell = cell.zfill(4) if len(cell) <= 4 else cell.zfill(6)
        parts = re.findall("..", cell)
        fits = int(parts[0]) <= 24 and all(int(part) < 60 for part in parts[1:])
        return ":".join(parts) if fits else ""
    pattern = time_in(cell)
    if pattern is None:
        return ""
    return re.sub(r"(?<=\d)\.(?=\d{2}(?:\.|$))", ":", cell) if ":" not in cell else cell


def _date(profile: Profile) -> Dates | None:
    """How a column of whole days is written; of finer ones, that they are dates."""
    dates = dates_of(profile)
    if dates is None or dates.resolution in ("number", "year", "half", "quarter", "month", "week"):
        return None
    packed = dates.pattern == "%Y%m%d"
    return dates if dates.sure or packed else None


def _clock(named: Mapping[Part, Profile]) -> list[Part]:
    """Hour, minute and second, as far as they follow one another."""
    found: list[Part] = []
    for part in CLOCK:
        if part not in named:
            break
        found.append(part)
    return found


def _with_clock(
    dated: Sequence[tuple[Profile, Dates]], named: Mapping[Part, Profile],
    profiles: Sequence[Profile],
) -> Parts | None:  # fmt: skip
    """The first column of dates with the time of day beside it, if its dates have none."""
    profile, dates = dated[0]
    if dates.resolution != "day":
        return None
    others = [other for other in profiles if other is not profile]
    times = [other for other in others if _clocks(other)]
    if "time" in named and named["time"] not in times:
        times.append(named["time"])
    if len(times) == 1:
        return _joined(profile, dates, [("time", times[0])])
    clock = _clock(named)
    if clock:
        return _joined(profile, dates, [(part, named[part]) for part in clock])
    return None


def _clocks(profile: Profile) -> bool:
    """Whether nearly all cells are times of day by their look: 13:00, 1:05:00 PM."""
    dates = dates_of(profile)
    if dates is not None and dates.sure and "time" not in _named(profile.name, ()):
        return False  # 01.02.15 is a day
    marked = sum(
        count
        for shape, count in profile.shapes.items()
        if _LIKE_A_CLOCK.search(shape) and time_in(plain(profile.first[shape].cell))
    )
    return marked >= NEARLY_ALL * max(profile.present, 1) and _holds(profile, "time")


def _densest(profile: Profile, dates: Dates) -> Dates:
    """The order of day and month by which the days lie closer together: with a time of day beside
    them they are no firsts of months."""
    pattern = dates.pattern
    if dates.given or not {"d", "m"} <= set(pattern) or "B" in pattern or "b" in pattern:
        return dates
    turned = replace(dates, pattern=pattern.translate(str.maketrans("dm", "md")), assumed="")
    cells = sorted(profile.distinct - {""})
    spans = []
    for one in (dates, turned):
        moments, bad = one.moments(cells)
        spans.append(int(np.ptp(moments[~bad])) if len(cells) and not bad.any() else None)
    if spans[0] is None or spans[1] is None or spans[0] == spans[1]:
        return dates
    return turned if spans[1] < spans[0] else replace(dates, assumed="")


def _joined(profile: Profile, dates: Dates, clock: Sequence[tuple[Part, Profile]]) -> Parts | None:
    """A date and what stands beside it, judged by all pairs of the first cells of each."""
    dates = _densest(profile, dates)
    parts = ("date", *(part for part, _ in clock))
    names = (profile.name, *(other.name for _, other in clock))
    if clock[0][0] != "time":
        finest = " %H:%M" if len(clock) < 3 else " %H:%M:%S"
    else:
        texts = [_time(plain(seen.cell)) for seen in clock[0][1].first.values()]
        patterns = [pattern for text in texts if text and (pattern := time_in(text))]
        finest = " " + max(patterns, key=lambda p: (p.count("%"), len(p)))
    joined = dates.pattern + finest
    return Parts(names, parts, replace(dates, pattern=joined, sure=True))
