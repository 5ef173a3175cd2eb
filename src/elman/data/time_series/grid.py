"""Moments as whole numbers: how a series is spaced, what comes next, what a network reads of it.

2016-07-01 00:00:00   places an hour apart
1949-01               places a month apart
2019-01-02, -03, -04, -07   sessions: places are the days that were observed
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates
from elman.errors import UserError
from elman.options import make

Ints = NDArray[np.int64]
Unit: TypeAlias = Literal["months", "weeks", "days", "sessions", "microseconds", "numbers"]
Working: TypeAlias = Literal["no", "first", "last"]

SECOND = 1_000_000  # microseconds
HOUR = 3600 * SECOND
DAY = 24 * HOUR
CLOSED = 10  # sessions that holidays may take away at once
WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NAMES = {
    ("months", 1): "monthly", ("months", 3): "quarterly", ("months", 6): "half-yearly",
    ("months", 12): "yearly",
    ("weeks", 1): "weekly", ("days", 1): "daily", ("microseconds", HOUR): "hourly",
    ("microseconds", HOUR // 2): "half-hourly",
}  # fmt: skip
SPANS = ((HOUR, "hour"), (60 * SECOND, "minute"), (SECOND, "second"), (1000, "millisecond"))


@dataclass(frozen=True)
class Grid:
    """Where the values of series may lie in time. A place is a moment in `unit`s since 1970;
    neighbours are `step` places apart, in sessions the next day that was observed.

    Months, weeks, days and sessions hide what does not matter: on which day of the month a value is
    dated, at what time of the day.
    """

    unit: Unit
    step: int
    dates: Dates  # how moments are written
    day: int = 1  # of months: this day, or the last of shorter months; of weeks: 0 is Monday
    working: Working = "no"  # months are dated by their first or last day from Monday to Friday
    weekdays: tuple[int, ...] = ()  # of sessions: those on which they may fall; 0 is Monday
    time: int = 0  # microseconds after midnight, of all but the smaller units

    @property
    def kind(self) -> tuple[Unit, int, tuple[int, ...]]:
        """What grids have in common that count alike."""
        return self.unit, self.step, self.weekdays

    @property
    def name(self) -> str:
        """The frequency in words."""
        if self.unit == "sessions":
            if self.weekdays == (0, 1, 2, 3, 4):
                return "on working days"
            return f"on {', '.join(WEEK[k] for k in self.weekdays)}"
        if (known := NAMES.get((self.unit, self.step))) is not None:
            return known
        if self.unit == "numbers":
            written = self.dates.text(self.step)
            return "numbered" if float(written) == 1 else f"every {written}"
        step, unit = self.step, self.unit[:-1]
        if self.unit == "microseconds":
            size, unit = next(((n, u) for n, u in SPANS if step % n == 0), (1, "microsecond"))
            step //= size
        return f"every {unit}" if step == 1 else f"every {step:,} {unit}s"

    @property
    def told(self) -> str:
        """The same, and what a user may not expect of it."""
        match self.unit:
            case "sessions":
                days = f"{WEEK[self.weekdays[0]]} to {WEEK[self.weekdays[-1]]}"
                if len(self.weekdays) <= self.weekdays[-1] - self.weekdays[0]:
                    days = ", ".join(WEEK[k] for k in self.weekdays)
                return f"{days}, one step from each day that was observed to the next"
            case "months" if self.working != "no":
                return f"{self.name}, on the {self.working} working day"
            case "months" if self.day == 31:
                return f"{self.name}, on the last day"
            case "months" if self.day > 1:
                return f"{self.name}, on day {self.day}"
        return self.name

    @property
    def season(self) -> int | None:
        """After how many values the calendar comes round; None where it does not say."""
        step = self.step
        match self.unit:
            case "months":
                return 12 // step if step < 12 and 12 % step == 0 else None
            case "weeks":
                return 52 // step if step in (1, 2, 4) else None
            case "days":
                return 7 if step == 1 else None
            case "sessions":
                return len(self.weekdays)
            case "microseconds":
                return DAY // step if 60 * SECOND <= step < DAY and DAY % step == 0 else None
        return None

    def of(self, moments: Ints) -> Ints:
        """The places of moments, in microseconds since 1970; of numbers these themselves."""
        match self.unit:
            case "microseconds" | "numbers":
                return moments
            case "months":
                return moments.astype("M8[us]").astype("M8[M]").astype(np.int64)
        # The nearest day, and the week about the usual day: daylight saving moves the one, holidays
        # the other.
        days = (moments - self.time + DAY // 2) // DAY
        return (days + 6 - self.day) // 7 if self.unit == "weeks" else days

    def moments(self, places: Ints) -> Ints:
        """Where places lie, in microseconds since 1970; of numbers these themselves."""
        match self.unit:
            case "microseconds" | "numbers":
                return places
            case "weeks":
                return (7 * places - 3 + self.day) * DAY + self.time
            case "months":
                return self._days_of_months(places) * DAY + self.time
        return places * DAY + self.time

    def _days_of_months(self, months: Ints) -> Ints:
        first, after = (k.astype("M8[M]").astype("M8[D]") for k in (months, months + 1))
        if self.working == "first":
            return np.busday_offset(first, 0, roll="forward").astype(np.int64)
        last = (after - np.timedelta64(1, "D")).astype("M8[D]")
        if self.working == "last":
            return np.busday_offset(last, 0, roll="backward").astype(np.int64)
        days = first.astype(np.int64) + (self.day - 1)
        return np.minimum(days, last.astype(np.int64))

    def after(self, place: int, count: int) -> Ints:
        """The next so many places."""
        ahead = np.arange(1, count + 1)
        if self.unit != "sessions":
            return place + self.step * ahead
        day = np.datetime64(place, "D")
        found = np.busday_offset(day, ahead, roll="backward", weekmask=self._mask)
        return found.astype(np.int64)

    def between(self, places: Ints) -> Ints:
        """How many steps each place but the first lies after the one before it, 0 where it lies on
        none. One step from session to session, unless more days are missing than holidays take."""
        spans = np.diff(places)
        if self.unit != "sessions":
            return np.where(spans % self.step, 0, spans // self.step)
        days = places.astype("M8[D]")
        missing = np.busday_count(days[:-1] + 1, days[1:], weekmask=self._mask)
        return np.where(missing > CLOSED, missing + 1, np.minimum(spans, 1))

    def filled(self, places: Ints, steps: Ints) -> Ints:
        """All places from the first to the last, those between them too that are so many steps
        before the next."""
        if (steps == 1).all():
            return places
        if self.unit != "sessions":
            return np.arange(places[0], places[-1] + 1, self.step)
        parts = [places[:1]]
        for k, n in enumerate(steps, start=1):
            parts += [self.after(int(places[k - 1]), int(n) - 1), places[k : k + 1]]
        return np.concatenate(parts)

    @property
    def _mask(self) -> list[bool]:
        return [k in self.weekdays for k in range(7)]

    def text(self, place: int) -> str:
        """A place as the data writes it."""
        return self.dates.text(int(self.moments(np.array([place]))[0]))

    @property
    def dated(self) -> bool:
        """Whether places lie in a calendar."""
        return self.unit != "numbers"

    @property
    def cycles(self) -> tuple[str, ...]:
        """What is worth reading of a date at this frequency."""
        match self.unit:
            case "months":
                # Not the year: the years to be forecast are none that a network has seen.
                return ("month",) if self.step < 12 else ()
            case "weeks":
                return ("yearday",)
            case "days" | "sessions":
                return ("weekday", "yearday") if self.step % 7 else ("yearday",)
            case "microseconds":
                return ("hour", "weekday") if self.step >= SECOND else ()
        return ()

    def features(self, places: Ints, cycles: Sequence[str]) -> NDArray[np.float32]:
        """What a network reads of places, [T, F].

        The year is a number; month and weekday are one-hot; hour and day of the year are the first
        two waves of their cycle.
        """
        if not self.dated or not cycles:
            return np.zeros((len(places), 0), dtype=np.float32)
        moments = self.moments(places)
        if self.unit == "months":  # on which of its days does not matter
            moments = places.astype("M8[M]").astype("M8[us]").astype(np.int64)
        days = moments // DAY
        dates = days.astype("M8[D]")
        months = dates.astype("M8[M]").astype(np.int64)
        columns: list[NDArray[np.float64]] = []
        for cycle in cycles:
            match cycle:
                case "year":
                    columns.append(1970 + months / 12)
                case "month":
                    columns += [1.0 * (months % 12 == k) for k in range(12)]
                case "weekday":
                    columns += [1.0 * ((days + 3) % 7 == k) for k in range(7)]
                case "hour":
                    columns += _waves((moments - days * DAY) / DAY)
                case _:
                    yearday = (dates - dates.astype("M8[Y]").astype("M8[D]")).astype(np.int64)
                    columns += _waves(yearday / 365.25)
        return np.stack(columns, 1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        dates = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.dates).items()}
        return asdict(self) | {"weekdays": list(self.weekdays), "dates": dates}


def grid_from_json(data: Any) -> Grid:
    """The grid that gave this `to_json`. UserError where it is damaged."""
    where = "preprocessing.json: damaged"
    if not isinstance(data, Mapping) or not isinstance(data.get("dates"), Mapping):
        raise UserError(f"{where} (grid: no dates in it)")
    try:
        dates = make(Dates, dict(data["dates"]))
        plain = make(_Plain, {name: value for name, value in data.items() if name != "dates"})
    except (UserError, TypeError) as error:
        raise UserError(f"{where} (grid: {error})") from None
    sessions = plain.unit == "sessions"
    days = plain.weekdays
    rising = list(days) == sorted(set(days)) and set(days) <= set(range(7))
    fits = rising and (len(days) > 1) == sessions and (sessions or not days)
    if (
        not 1 <= plain.step < 2**53
        or not 0 <= plain.day <= 31
        or not 0 <= plain.time < DAY
        or not fits
    ):
        raise UserError(f"{where} (grid: no such step, day, time or weekdays)")
    return Grid(plain.unit, plain.step, dates, plain.day, plain.working, days, plain.time)


@dataclass(frozen=True)
class _Plain:
    """A grid without its dates."""

    unit: Unit
    step: int
    day: int = 1
    working: Working = "no"
    weekdays: tuple[int, ...] = ()
    time: int = 0


def _waves(share: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [
        wave(2 * np.pi * k * share).astype(np.float64) for k in (1, 2) for wave in (np.sin, np.cos)
    ]
