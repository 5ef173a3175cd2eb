"""How often values come: the grid that most of the moments of series fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates
from elman.data.time_series.grid import CLOSED, DAY, HOUR, Grid, Working

Ints = NDArray[np.int64]

NEARLY_ALL = 0.9
HARDLY_EVER = 0.05  # of the rows of a usual weekday: sessions that were moved
WEEKENDS = ({5, 6}, {4, 5})  # Saturday and Sunday; Friday and Saturday
ALONE: dict[str, tuple[str, int]] = {
    "year": ("months", 12), "half": ("months", 6), "quarter": ("months", 3),
    "month": ("months", 1), "week": ("weeks", 1),
}  # fmt: skip


@dataclass(frozen=True)
class Spans:
    """The moments of series, each in order, and the differences between neighbours."""

    parts: Sequence[Ints]

    @property
    def together(self) -> Ints:
        return np.concatenate(self.parts)

    def diff(self) -> Ints:
        """Those that are above 0."""
        spans = np.concatenate([np.diff(part) for part in self.parts])
        return spans[spans > 0]


def grid_of(moments: Sequence[Ints], dates: Dates) -> Grid:
    """The grid that most moments of these series fit, each in order: the most frequent distance.

    Moments are microseconds, of numbers these themselves.
    """
    spans = Spans(moments)
    if dates.resolution == "number":
        return Grid("numbers", usual(spans.diff()), dates)
    time = usual(spans.together % DAY)
    away = (spans.together - time + DAY // 2) % DAY - DAY // 2
    by_day = bool((np.abs(away) <= HOUR).all())  # daylight saving may move them
    if not by_day or usual(spans.diff(), DAY) < 23 * HOUR:
        return Grid("microseconds", usual(spans.diff(), HOUR), dates)
    days = Spans([(part - time + DAY // 2) // DAY for part in moments])
    if dates.resolution in ALONE and dates.resolution != "week":
        return _monthly(days, dates, time)
    step = usual(days.diff(), 7 if dates.resolution == "week" else 1)
    fit = _share(days.diff() % step == 0)
    if step >= 28 and (monthly := _monthly_if(days, dates, time, fit)) is not None:
        return monthly
    if (weekdays := _weekdays(days)) and step <= 3:
        return Grid("sessions", 1, dates, weekdays=weekdays, time=time)
    if step % 7 == 0:
        return Grid("weeks", step // 7, dates, usual((days.together + 3) % 7), time=time)
    return Grid("days", step, dates, time=time)


def usual(values: Ints, otherwise: int = 1) -> int:
    """The most frequent value, the smallest of equals."""
    if not len(values):
        return otherwise
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()])


def _share(fits: NDArray[np.bool_]) -> float:
    return float(fits.mean()) if len(fits) else 1.0


def _months(days: Spans) -> Spans:
    return Spans([d.astype("M8[D]").astype("M8[M]").astype(np.int64) for d in days.parts])


def _monthly(days: Spans, dates: Dates, time: int) -> Grid:
    """Months, quarters or years, by the day on which they are dated."""
    step = usual(_months(days).diff(), ALONE.get(dates.resolution, ("", 1))[1])
    together = days.together
    date = together.astype("M8[D]")
    months = date.astype("M8[M]")
    of_month = (date - months.astype("M8[D]")).astype(np.int64) + 1
    lengths = ((months + 1).astype("M8[D]") - months.astype("M8[D]")).astype(np.int64)
    if (of_month == lengths).all() and (of_month > 1).all():
        return Grid("months", step, dates, 31, time=time)
    day = int(of_month.max())
    if not (of_month == np.minimum(day, lengths)).all():
        first: tuple[Working, NDArray[np.datetime64]] = (
            "first", np.busday_offset(months.astype("M8[D]"), 0, roll="forward"))  # fmt: skip
        end = (months + 1).astype("M8[D]") - np.timedelta64(1, "D")
        last: tuple[Working, NDArray[np.datetime64]] = (
            "last", np.busday_offset(end, 0, roll="backward"))  # fmt: skip
        for working, on in (last, first):
            # Not all: on a holiday no bank works.
            if _share(date == on) >= 0.8:
                return Grid("months", step, dates, 1, working, time=time)
        day = usual(of_month)
    return Grid("months", step, dates, day, time=time)


def _monthly_if(days: Spans, dates: Dates, time: int, fit: float) -> Grid | None:
    """Months, if their steps fit more moments than the share that steps of days do, or these all
    lie on one day of the month."""
    monthly = _monthly(days, dates, time)
    months = _months(days)
    steps = np.concatenate([np.diff(part) for part in months.parts])
    fits = _share((steps > 0) & (steps % monthly.step == 0))
    on = monthly.moments(monthly.of(days.together * DAY + time)) == days.together * DAY + time
    return monthly if fits > fit or (fits == 1.0 and bool(on.all())) else None


def _weekdays(days: Spans) -> tuple[int, ...]:
    """The days of the week on which sessions fall; none where there are no sessions.

    On the others hardly any value is dated, although there were enough of them to tell; and from
    one such day nearly always to the next.
    """
    together = days.together
    counts = np.bincount((together + 3) % 7, minlength=7)
    off = {k for k in range(7) if counts[k] <= HARDLY_EVER * counts.max()}
    on = tuple(k for k in range(7) if k not in off)
    span = np.arange(together.min(), together.max() + 1)[:366]
    passed = np.bincount((span + 3) % 7, minlength=7)
    enough = 1 if off in WEEKENDS else 3
    if not off or len(on) < 2 or any(passed[k] < enough for k in off):
        return ()
    mask = [k in on for k in range(7)]
    missing = np.concatenate(
        [
            np.busday_count(d[:-1] + 1, d[1:], weekmask=mask)
            for part in days.parts
            if len(d := part.astype("M8[D]")) > 1
        ]
        or [np.zeros(0, dtype=np.int64)]
    )
    return on if _share(missing == 0) >= 0.8 and _share(missing <= CLOSED) >= NEARLY_ALL else ()
