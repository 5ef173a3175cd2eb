"""How the dates of a column are written: read into moments, and written again in the same way.

Moments are whole microseconds since 1970-01-01 of the wall clock of the data; where cells have
offsets from UTC that differ, of UTC, unless these are days.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from elman.data.dates.cells import END, FIRST, Bools, CellReader, Ints, all_plain
from elman.data.dates.eras import in_era, western
from elman.data.dates.month_names import MONTHS, WEEKDAYS
from elman.data.dates.numbers import (
    EPOCHS,
    NUMBER,
    NUMBERS,
    SERIAL,
    NumberReader,
    number_text,
)
from elman.data.dates.patterns import Token, letters, regex, tokens
from elman.data.dates.ranges import WIDE, starts
from elman.data.dates.zones import utc_like
from elman.errors import UserError

Resolution: TypeAlias = Literal[
    "year", "half", "quarter", "month", "week", "day", "second", "fraction", "number"
]
EPOCH = datetime(1970, 1, 1)
EXAMPLE = 1_262_698_200_000_000  # 2010-01-05 13:30
PIVOT = 1969  # two digits are the years 1969 to 2068, unless the whole column says otherwise
ONE_NUMBER = frozenset({*EPOCHS, SERIAL, NUMBER})


@dataclass(frozen=True)
class Dates:
    """How dates are written, judged by all cells of a column.

    `pattern` is that of strptime with what `date_patterns` adds, or names a kind of number: "%s",
    "serial", "number". `months`, `weekdays` and `halves` (of the day) are the names as the data
    writes them. `zone` is what follows each time where that is always the same, `offset` its
    minutes east of UTC; where they differ, times are in UTC, or if `local` of the wall clock of
    each, and `zone` is the last. `assumed` is the pattern that fits as well, where no row tells.
    """

    pattern: str
    style: str = ""
    sure: bool = True  # False where whole numbers could as well be plain numbers
    given: bool = False  # by the user: every cell is judged by it
    assumed: str = ""
    less_even: str = ""  # the same, but by which dates are spaced less evenly
    months: tuple[str, ...] = ()
    weekdays: tuple[str, ...] = ()
    halves: tuple[str, ...] = ()
    zone: str = ""
    offset: int = 0
    zones_differ: bool = False
    local: bool = False
    first_year: int = PIVOT  # of the hundred that two digits can mean
    digits: str = ""  # those of another script, from 0 to 9
    least_decimals: int = 0
    most_decimals: int = 0
    fractions: bool = False  # some number has other digits than 0 behind its point
    era: str = ""  # how the era is named from which years are counted
    joint: str = ""  # stands between the start and the end, where cells are spans of time
    span: int = 0  # microseconds from start to end; 0 where it differs, and the start is written

    def __post_init__(self) -> None:
        if self.pattern not in ONE_NUMBER:
            tokens(self.pattern)  # UserError where it was damaged
        for names, needed in ((self.months, 12), (self.weekdays, 7), (self.halves, 2)):
            if len(names) not in (0, needed):
                raise UserError(
                    f"damaged (names of dates, {len(names)} where {needed} would stand)"
                )
        if len(self.digits) not in (0, 10) or not 0 <= self.most_decimals <= 18:
            raise UserError("damaged (digits of dates)")

    @property
    def resolution(self) -> Resolution:
        """How fine dates are written; of a "number" nothing is known but an order."""
        match self.pattern:
            case "number":
                return "number"
            case "serial":
                return "second" if self.fractions else "day"
            case "%s":
                return "fraction" if self.fractions else "second"
            case "%3s" | "%6s" | "%9s":
                return "fraction"
        said = letters(self.pattern)
        order: tuple[tuple[str, Resolution], ...] = (
            ("f", "fraction"), ("H", "second"), ("d", "day"), ("j", "day"), ("u", "day"),
            ("V", "week"), ("m", "month"), ("q", "quarter"),
            ("n", "half"),
        )  # fmt: skip
        return next((name for letter, name in order if letter in said), "year")

    @cached_property
    def _reader(self) -> CellReader | NumberReader:
        if self.pattern in ONE_NUMBER:
            return NumberReader(self.pattern, self.most_decimals)
        expression = regex(self.pattern, self.given)
        return CellReader(expression, self.first_year, self.offset, self.local)

    def moments(self, cells: Sequence[object]) -> tuple[Ints, Bools]:
        """Microseconds since 1970 [N], and where a cell is no such date [N].

        Mere numbers are told as they are, times ten to the number of their decimals.
        """
        distinct: dict[Any, int] = {}
        try:
            distinct = dict.fromkeys(cells, 0)
        except TypeError:  # a list among them, of JSON
            cells = [str(cell) for cell in cells]
            distinct = dict.fromkeys(cells, 0)
        moments, bad = self.read(all_plain(list(distinct)))
        if len(distinct) == len(cells):
            return moments, bad
        for place, cell in enumerate(distinct):
            distinct[cell] = place
        rows = np.fromiter(map(distinct.__getitem__, cells), dtype=np.int64, count=len(cells))
        return moments[rows], bad[rows]

    def read(self, texts: Sequence[str]) -> tuple[Ints, Bools]:
        """The same of texts that are plain and come once each: as fast as it goes."""
        texts = western(texts) if self.era else texts
        if self.joint:
            texts = starts(texts, self.joint.replace(WIDE, "~"))
        return self._reader.moments(texts)

    def zones(self, cells: Sequence[object]) -> dict[str, int]:
        """The offsets that cells name, in minutes east of UTC."""
        reader = self._reader
        if not isinstance(reader, CellReader) or "z" not in reader.regex.groupindex:
            return {}
        return reader.zones(all_plain(cells))

    def match(self, text: str) -> re.Match[str] | None:
        """The directives of a cell that is written so, as groups; None for other cells."""
        return (
            None if self.pattern in ONE_NUMBER else regex(self.pattern, self.given).fullmatch(text)
        )

    def text(self, moment: int) -> str:
        """A moment in the style of the data. UserError: before the year 1 or after 9999."""
        moment = int(moment)
        if self.joint and self.span:
            ends = [replace(self, joint="").text(k) for k in (moment, moment + self.span)]
            return self.joint.join(ends)
        if self.pattern in ONE_NUMBER:
            made = number_text(self.pattern, moment, self.least_decimals, self.most_decimals)
        else:
            if not FIRST <= moment < END:
                raise UserError("a date before the year 1 or after 9999 cannot be written")
            when = EPOCH + timedelta(microseconds=moment)
            made = "".join(self._written(token, when) for token in tokens(self.pattern))
            if self.era:
                made = in_era(made, self.era, self._last(when))
        return made.translate(str.maketrans("0123456789", self.digits)) if self.digits else made

    def _last(self, when: datetime) -> datetime:
        """The last day of what a date means."""
        if self.resolution == "year":
            return when.replace(month=12, day=31)
        return when.replace(day=28) if self.resolution == "month" else when

    def _written(self, token: Token, when: datetime) -> str:
        if not token.letter:
            return token.text
        if token.letter in _NUMBERS:
            number, width = _NUMBERS[token.letter]
            return f"{number(when):0{1 if token.flag == '-' else width}}"
        match token.letter:
            case "B" | "b":
                return (self.months or _english(MONTHS["English"][token.letter == "b"]))[
                    when.month - 1
                ]
            case "A" | "a":
                names = self.weekdays or _english(WEEKDAYS["English"][token.letter == "a"])
                return names[when.weekday()]
            case "p":
                return (self.halves or ("AM", "PM"))[when.hour >= 12]
            case "f":
                return f"{when.microsecond:06}".ljust(9, "0")[: int(token.flag or 6)]
            case "o":
                teen = when.day in (11, 12, 13)
                return "th" if teen else {1: "st", 2: "nd", 3: "rd"}.get(when.day % 10, "th")
            case _:
                return self.zone

    def told(self) -> str:
        """How dates are written, what was assumed, and the option that says otherwise."""
        told = [f"written as {self.pattern.replace('%-', '%')}" if self.given else self._manner()]
        if self.local:
            told.append("offsets differ: days as each clock counted them")
        elif self.zones_differ:
            told.append("offsets differ: times are in UTC")
        elif self.zone:
            told.append(f"times at {self.zone}")
        if self.first_year != PIVOT:
            told.append(f"two digits are years from {self.first_year} to {self.first_year + 99}")
        if self.joint:
            told.append("a span of time counts from its start")
        if self.assumed:
            told.append(self.assumption())
        return "; ".join(told)

    def assumption(self) -> str:
        """Which order of day and month was assumed, and the option that says otherwise."""
        if not self.assumed and not self.less_even:
            return ""
        said = [t.letter for t in tokens(self.pattern)]
        order = "day" if said.index("d") < said.index("m") else "month"
        other = "month" if order == "day" else "day"
        why = "assumed, as no row tells" if self.assumed else "told by nothing but even steps"
        return (
            f"that the {order} comes before the {other} is {why}; "
            f"--date-format {_quoted(self.assumed or self.less_even)} if not"
        )

    def _manner(self) -> str:
        if self.pattern in ONE_NUMBER:
            return NUMBERS[self.pattern].name
        parts = tokens(self.pattern)
        date = [t for t in parts if t.letter in ("Y", "y", "m", "d")]
        marks = [t.text for t in parts[1:5:2]]
        if (
            [t.letter for t in date] == ["Y", "m", "d"]
            and marks == ["-", "-"]
            and not any(t.letter in ("p", "a", "A") or t.flag == "-" for t in parts)
        ):
            return "ISO 8601"
        words = {"Y": "year", "y": "year", "m": "month", "d": "day"}
        marked = not any(c.isalpha() for mark in marks for c in mark)
        if marked and len(date) == 3 and len(parts) >= 5 and [t.letter for t in parts[:5:2]] == [
            t.letter for t in date
        ]:  # fmt: skip
            clock = ", a clock of twelve hours" if "p" in letters(self.pattern) else ""
            return words[date[0].letter] + "".join(
                mark + words[t.letter] for mark, t in zip(marks, date[1:], strict=True)
            ) + clock  # fmt: skip
        if all(t.letter for t in parts):
            names = {"Y": "YYYY", "y": "YY", "m": "MM", "d": "DD", "H": "HH", "M": "MM", "S": "SS"}
            unit = {"Y": "year", "m": "month", "d": "day"}.get(parts[-1].letter, "time")
            return f"{unit} as " + "".join(names.get(t.letter, t.letter) for t in parts)
        return f"{self.style or 'dates'}, such as {self.text(EXAMPLE)}"


_NUMBERS: dict[str, tuple[Callable[[datetime], int], int]] = {
    "Y": (lambda t: t.year, 4),
    "G": (lambda t: t.isocalendar().year, 4),
    "y": (lambda t: t.year % 100, 2),
    "m": (lambda t: t.month, 2),
    "d": (lambda t: t.day, 2),
    "H": (lambda t: t.hour, 2),
    "I": (lambda t: t.hour % 12 or 12, 2),
    "M": (lambda t: t.minute, 2),
    "S": (lambda t: t.second, 2),
    "V": (lambda t: t.isocalendar().week, 2),
    "u": (lambda t: t.isoweekday(), 1),
    "q": (lambda t: (t.month + 2) // 3, 1),
    "n": (lambda t: (t.month + 5) // 6, 1),
    "j": (lambda t: t.timetuple().tm_yday, 3),
}


def zone_of(found: dict[str, int]) -> tuple[str, int, bool]:
    """What to write behind times, its offset, and whether the offsets found differ."""
    if len(set(found.values())) == 1:
        return min(found), next(iter(found.values())), False
    return utc_like(max(found)), 0, True


def _english(names: str) -> tuple[str, ...]:
    return tuple(name.title() for name in names.split())


def _quoted(pattern: str) -> str:
    return f'"{pattern}"' if " " in pattern else pattern
