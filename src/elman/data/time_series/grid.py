"""Dates as whole numbers: how they are written, how they are spaced, what a network reads of them.

1949-01               months, one apart
2016-07-01 00:00:00   seconds, 3,600 apart
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Unit: TypeAlias = Literal["months", "weekdays", "seconds", "numbers"]

NUMBER, QUARTER = "number", "quarter"
PATTERNS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M",
    "%Y-%m", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m", "%Y%m%d", "%d.%m.%Y",
)  # fmt: skip
ISO = frozenset(PATTERNS[:5])
FITS = "dates as 2016-07-01, 2016-07-01 13:00, 2016-07, 2016Q3, or whole numbers"
EPOCH = datetime(1970, 1, 1)
DAY = 86_400  # seconds


@dataclass(frozen=True)
class Grid:
    """Where the values of a series lie in time: `step` units apart, written after `pattern`."""

    unit: Unit
    step: int
    pattern: str
    month_end: bool = False  # months are written by their last day
    day: int = 1  # or by this one

    @property
    def name(self) -> str:
        """The frequency in words."""
        known = {
            ("months", 1): "monthly", ("months", 3): "quarterly", ("months", 12): "yearly",
            ("weekdays", 1): "on working days", ("seconds", DAY): "daily",
            ("seconds", 7 * DAY): "weekly", ("seconds", 3600): "hourly",
            ("seconds", 1800): "half-hourly", ("numbers", 1): "numbered",
        }  # fmt: skip
        for large, word in ((DAY, "days"), (3600, "hours"), (60, "minutes")):
            if self.unit == "seconds" and self.step % large == 0:
                return known.get((self.unit, self.step), f"every {self.step // large:,} {word}")
        return known.get((self.unit, self.step), f"every {self.step:,} {self.unit}")

    @property
    def season(self) -> int | None:
        """After how many values the calendar comes round; None where it does not say."""
        if self.unit == "months":
            return 12 // self.step if self.step < 12 and 12 % self.step == 0 else None
        if self.unit == "weekdays":
            return 5 if self.step == 1 else None
        if self.unit == "seconds":
            if self.step in (DAY, 7 * DAY):
                return 7 if self.step == DAY else 52
            return DAY // self.step if 60 <= self.step < DAY and DAY % self.step == 0 else None
        return None

    def of(self, moments: Ints) -> Ints:
        """Moments, as `parse` gives them, in this grid's units."""
        if self.unit == "months":
            days = moments // DAY
            return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        if self.unit == "weekdays":
            return np.busday_count(np.datetime64("1970-01-01"), (moments // DAY).astype("M8[D]"))
        return moments

    def datetimes(self, places: Ints) -> NDArray[np.datetime64]:
        """The moments of places in this grid's units; not of numbers."""
        if self.unit == "months":
            return places.astype("datetime64[M]").astype("datetime64[s]")
        if self.unit == "weekdays":
            first = np.datetime64("1970-01-01")
            return np.busday_offset(first, places, roll="forward").astype("datetime64[s]")
        return places.astype("datetime64[s]")

    def text(self, place: int) -> str:
        """A place in this grid's units as the data writes it."""
        if self.unit == "numbers":
            return str(place)
        seconds = int(self.datetimes(np.array([place]))[0].astype(np.int64))
        moment = EPOCH + timedelta(seconds=seconds)
        if self.pattern == QUARTER:
            return f"{moment.year}Q{(moment.month + 2) // 3}"
        if self.unit == "months":
            last = calendar.monthrange(moment.year, moment.month)[1]
            moment = moment.replace(day=last if self.month_end else min(self.day, last))
        return moment.strftime(self.pattern)

    @property
    def cycles(self) -> tuple[str, ...]:
        """What is worth reading of a date at this frequency."""
        if self.unit == "months":
            # Not the year: the years to be forecast are none that a network has seen.
            return ("month",) if self.step < 12 else ()
        if self.unit == "weekdays" or (self.unit == "seconds" and self.step >= DAY):
            return ("weekday", "yearday") if self.step % (7 * DAY) else ("yearday",)
        return ("hour", "weekday") if self.unit == "seconds" else ()

    def features(self, places: Ints, cycles: Sequence[str]) -> NDArray[np.float32]:
        """What a network reads of places in this grid's units, [T, F].

        The year is a number; month and weekday are one-hot; hour and day of the year are the first
        two waves of their cycle.
        """
        if self.unit == "numbers" or not cycles:
            return np.zeros((len(places), 0), dtype=np.float32)
        moments = self.datetimes(places)
        days = moments.astype("datetime64[D]")
        yearday = (days - days.astype("datetime64[Y]")).astype(np.int64)
        hour = (moments - days).astype(np.int64) / 3600
        columns: list[NDArray[np.float64]] = []
        for cycle in cycles:
            match cycle:
                case "year":
                    columns.append(1970 + moments.astype("datetime64[M]").astype(np.int64) / 12)
                case "month":
                    month = moments.astype("datetime64[M]").astype(np.int64) % 12
                    columns += [1.0 * (month == k) for k in range(12)]
                case "weekday":
                    columns += [1.0 * ((days.astype(np.int64) + 3) % 7 == k) for k in range(7)]
                case "hour":
                    columns += _waves(hour / 24)
                case _:
                    columns += _waves(yearday / 365.25)
        return np.stack(columns, 1).astype(np.float32)


def pattern_of(text: str) -> str | None:
    """How a date is written; None where it is none that is known."""
    text = text.strip()
    if re.fullmatch(r"\d{4}-?[Qq][1-4]", text):
        return QUARTER
    for pattern in PATTERNS:
        # strptime would read 194901 as a full date.
        if pattern == "%Y%m%d" and not re.fullmatch(r"[12]\d{7}", text):
            continue
        with suppress(ValueError):
            datetime.strptime(text, pattern)
            return pattern
    return NUMBER if re.fullmatch(r"-?\d{1,15}", text) else None


def parse(text: str, pattern: str) -> int | None:
    """A date as seconds since 1970, a number as itself; None where it is not of this pattern."""
    text = text.strip()
    try:
        if pattern == NUMBER:
            return int(text) if len(text) < 16 else None
        if pattern == QUARTER:
            quarter = re.fullmatch(r"(\d{4})-?[Qq]([1-4])", text)
            if quarter is None:
                return None
            moment = datetime(int(quarter[1]), 3 * int(quarter[2]) - 2, 1)
        elif pattern in ISO and len(text) >= 10:
            moment = datetime.fromisoformat(text)  # many times faster than strptime
        else:
            moment = datetime.strptime(text, pattern)
        return round((moment - EPOCH).total_seconds())
    except (ValueError, TypeError, OverflowError):  # TypeError: a date with a time zone
        return None


def grid_of(moments: Sequence[Ints], pattern: str) -> Grid:
    """The grid that most dates of these series fit, each in order: the most frequent distance."""
    if pattern == NUMBER:
        return Grid("numbers", _step(moments), pattern)
    together = np.concatenate(moments)
    days = (together // DAY).astype("datetime64[D]")
    by_day = not (together % DAY).any()
    of_month = (days - days.astype("datetime64[M]")).astype(np.int64) + 1
    next_day = days + np.timedelta64(1, "D")
    ends = bool((next_day == next_day.astype("datetime64[M]").astype("datetime64[D]")).all())
    seconds = _step(moments)
    if not by_day and pattern == "%Y-%m-%d":
        pattern = "%Y-%m-%d %H:%M:%S"  # midnight was written without its hour
    if by_day and seconds >= 28 * DAY and (ends or bool((of_month == of_month[0]).all())):
        monthly = Grid("months", 1, pattern, ends and bool(of_month[0] > 1), int(of_month[0]))
        step = _step([monthly.of(part) for part in moments])
        return Grid("months", step, pattern, monthly.month_end, monthly.day)
    weekend = bool((((days.astype(np.int64) + 3) % 7) >= 5).any())
    spans = [np.diff(part) for part in moments]
    if by_day and seconds == DAY and not weekend and any((s == 3 * DAY).any() for s in spans):
        return Grid("weekdays", 1, pattern)
    return Grid("seconds", seconds, pattern)


def season_of(series: Sequence[NDArray[np.float64]]) -> int:
    """After how many values series repeat themselves best; 1 where they do not.

    The shortest lag whose autocorrelation, with the line through each series taken away and
    averaged over them, is a peak above 0.3 and close to the highest.
    """
    sums, counts = np.zeros(1024), np.zeros(1024)
    for y in series[:200]:
        y = y[-5000:]
        lags = min(len(y) // 3, len(sums) - 1)
        if lags < 3 or not y.std() > 0:
            continue
        t = np.arange(len(y))
        rest = y - np.polyval(np.polyfit(t, y, 1), t)
        size = 2 ** int(np.ceil(np.log2(2 * len(y))))
        power = np.abs(np.fft.rfft(rest, size)) ** 2
        found = np.fft.irfft(power, size)[: lags + 1]
        if found[0] > 0:
            # Over as many pairs as there are: else long lags lose by their few.
            unbiased = found / found[0] * len(y) / (len(y) - np.arange(lags + 1))
            sums[: lags + 1] += unbiased
            counts[: lags + 1] += 1
    lags = int((counts >= max(1, counts.max() / 2)).sum()) - 1
    if lags < 3:
        return 1
    r = sums[: lags + 1] / np.maximum(counts[: lags + 1], 1)
    peaks = [k for k in range(2, lags) if r[k] > r[k - 1] and r[k] >= r[k + 1] and r[k] > 0.3]
    if not peaks:
        return 1
    highest = max(r[k] for k in peaks)
    peak = next(k for k in peaks if r[k] >= 0.9 * highest)
    # Seasons of unequal length blur a peak: after two and three of them the mean shows.
    near = [k for k in (peak - 1, peak, peak + 1) if k > 1 and r[k] >= 0.9 * r[peak]]
    return max(near, key=lambda k: sum(r[n * k] for n in (1, 2, 3) if n * k <= lags))


def _step(moments: Sequence[Ints]) -> int:
    spans = np.concatenate([np.diff(part) for part in moments])
    spans = spans[spans > 0]
    if not len(spans):
        return 1
    values, counts = np.unique(spans, return_counts=True)
    return int(values[counts.argmax()])


def _waves(share: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return [
        wave(2 * np.pi * k * share).astype(np.float64) for k in (1, 2) for wave in (np.sin, np.cos)
    ]
