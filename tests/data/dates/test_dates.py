"""Columns of dates in every style are read rightly, told, and written as they came."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.dates.dates import Dates, dates_of
from elman.data.tables.profile import Profile
from elman.options import make

CASES = Path(__file__).parents[4] / "shared" / "cases"
EPOCH = datetime(1970, 1, 1)
ENGLISH = "January February March April May June July August September October November December"
GERMAN = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
GERMAN_SHORT = "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez."
FRENCH = "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."
SPANISH = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
ITALIAN = "gen feb mar apr mag giu lug ago set ott nov dic"
BRAZIL = "jan/ fev/ mar/ abr/ mai/ jun/ jul/ ago/ set/ out/ nov/ dez/"
RUSSIAN = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
HOUR, DAY, MONTH = "hour", "day", "month"


def profile_of(cells: Sequence[object], name: str = "ds") -> Profile:
    profile = Profile(name)
    profile.add(cells, range(2, 2 + len(cells)))
    return profile


def judged(cells: Sequence[object]) -> Dates:
    dates = dates_of(profile_of(cells))
    assert dates is not None
    return dates


def micro(*moments: datetime) -> list[int]:
    return [(moment - EPOCH) // timedelta(microseconds=1) for moment in moments]


def named(names: str, t: datetime) -> str:
    return names.split()[t.month - 1]


def half(t: datetime, words: str) -> str:
    return words.split()[t.hour >= 12]


def hour12(t: datetime) -> int:
    return t.hour % 12 or 12


# How each style is written, and how far apart its dates are at least.
WRITTEN: dict[str, tuple[Callable[[datetime], str], str]] = {
    "iso": (lambda t: t.strftime("%Y-%m-%d"), DAY),
    "iso time": (lambda t: t.isoformat(), HOUR),
    "iso space": (lambda t: t.isoformat(" "), HOUR),
    "iso Z": (lambda t: t.isoformat() + "Z", HOUR),
    "iso milliseconds": (lambda t: t.isoformat(timespec="milliseconds") + "Z", HOUR),
    "iso offset": (lambda t: t.isoformat() + "+05:30", HOUR),
    "iso short offset": (lambda t: t.isoformat(" ") + "-0300", HOUR),
    "iso hours offset": (lambda t: t.isoformat(" ") + "+01", HOUR),
    "comma fraction": (lambda t: t.isoformat(" ") + ",250", HOUR),
    "without seconds": (lambda t: t.strftime("%Y-%m-%d %H:%M"), HOUR),
    "unpadded hours": (lambda t: f"{t:%Y-%m-%d} {t.hour}:{t:%M}", HOUR),
    "unpadded": (lambda t: f"{t.year}-{t.month}-{t.day} {t.hour}:{t:%M}", HOUR),
    "slashes": (lambda t: t.strftime("%Y/%m/%d"), DAY),
    "points, year first": (lambda t: t.strftime("%Y.%m.%d"), DAY),
    "day/month/year": (lambda t: t.strftime("%d/%m/%Y"), DAY),
    "day.month.year": (lambda t: f"{t.day}.{t.month}.{t.year} {t.hour}:{t:%M}", HOUR),
    "day-month-year": (lambda t: t.strftime("%d-%m-%Y %H:%M:%S"), HOUR),
    "month/day/year": (lambda t: f"{t.month}/{t.day}/{t.year}", DAY),
    "month/day, pm": (lambda t: f"{t:%m/%d/%Y} {hour12(t)}:{t:%M} {half(t, 'AM PM')}", HOUR),
    "p.m.": (lambda t: f"{t:%d/%m/%Y} {hour12(t):02}:{t:%M} {half(t, 'a.m. p.m.')}", HOUR),
    "two digits": (lambda t: t.strftime("%d.%m.%y"), DAY),
    "points in times": (lambda t: t.strftime("%d/%m/%Y %H.%M.%S"), HOUR),
    "English": (lambda t: f"{named(ENGLISH, t)} {t.day}, {t.year}", DAY),
    "English month": (lambda t: f"{named(ENGLISH, t)} {t.year}", MONTH),
    "Jan-10": (lambda t: f"{named(ENGLISH, t)[:3]}-{t:%y}", MONTH),
    "5-JAN-2010": (lambda t: f"{t.day}-{named(ENGLISH, t)[:3].upper()}-{t.year}", DAY),
    "weekday": (lambda t: f"{'MonTueWedThuFriSatSun'[3 * t.weekday():][:3]} "
                f"{named(ENGLISH, t)[:3]} {t:%d %Y}", DAY),
    "log": (lambda t: f"{t:%d}/{named(ENGLISH, t)[:3]}/{t:%Y:%H:%M:%S} +0000", HOUR),
    "German": (lambda t: f"{t.day}. {named(GERMAN, t)} {t.year}", DAY),
    "German short": (lambda t: f"{named(GERMAN_SHORT, t)} {t.year}", MONTH),
    "French": (lambda t: f"{t.day} {named(FRENCH, t)} {t.year}", DAY),
    "Spanish": (lambda t: f"{t.day} de {named(SPANISH, t)} de {t.year}", DAY),
    "Italian": (lambda t: f"{t:%d}-{named(ITALIAN, t)}-{t:%y}", DAY),
    "Brazilian": (lambda t: f"{named(BRAZIL, t)}{t.year}", MONTH),
    "Russian": (lambda t: f"{t.day} {named(RUSSIAN, t)} {t.year} г.", DAY),
    "Chinese": (lambda t: f"{t.year}年{t.month}月{t.day}日", DAY),
    "Chinese clock": (
        lambda t: f"{t.year}年{t.month}月{t.day}日 {half(t, '上午 下午')}{hour12(t)}:{t:%M}", HOUR),
    "Chinese month": (lambda t: f"{t.year}年{t.month:02}月", MONTH),
    "Japanese wide": (lambda t: f"{t.year}年{t.month}月{t.day}日".translate(
        str.maketrans("0123456789", "０１２３４５６７８９")), DAY),
    "Japanese weekday": (lambda t: f"{t:%Y/%m/%d}({'月火水木金土日'[t.weekday()]})", DAY),
    "Korean": (lambda t: f"{t.year}년 {t.month}월 {t.day}일", DAY),
    "Korean clock": (
        lambda t: f"{t:%Y-%m-%d} {half(t, '오전 오후')} {hour12(t)}:{t:%M}", HOUR),
    "week day": (lambda t: "{}-W{:02}-{}".format(*t.isocalendar()), DAY),
    "quarter": (lambda t: f"{t.year}Q{(t.month + 2) // 3}", "quarter"),
    "quarter first": (lambda t: f"Q{(t.month + 2) // 3} {t.year}", "quarter"),
    "quarter short": (lambda t: f"{(t.month + 2) // 3}Q{t:%y}", "quarter"),
    "trimestre": (lambda t: f"{t.year} T{(t.month + 2) // 3}", "quarter"),
    "week": (lambda t: "{}-W{:02}".format(*t.isocalendar()), "week"),
    "week packed": (lambda t: "{}W{:02}".format(*t.isocalendar()), "week"),
    "year": (lambda t: str(t.year), "year"),
    "month": (lambda t: t.strftime("%Y-%m"), MONTH),
    "month/year": (lambda t: t.strftime("%m/%Y"), MONTH),
    "YYYYMM": (lambda t: t.strftime("%Y%m"), MONTH),
    "YYYYMMDD": (lambda t: t.strftime("%Y%m%d"), DAY),
    "packed time": (lambda t: t.strftime("%Y%m%d %H%M"), HOUR),
    "packed T": (lambda t: t.strftime("%Y%m%dT%H%M%SZ"), HOUR),
    "packed seconds": (lambda t: t.strftime("%Y%m%d%H%M%S"), HOUR),
    "seconds": (lambda t: str(micro(t)[0] // 1_000_000), HOUR),
    "seconds.0": (lambda t: f"{micro(t)[0] // 1_000_000}.0", HOUR),
    "milliseconds": (lambda t: str(micro(t)[0] // 1000), HOUR),
    "microseconds": (lambda t: str(micro(t)[0]), HOUR),
    "nanoseconds": (lambda t: f"{micro(t)[0]}000", HOUR),
    "serial": (lambda t: str((t - datetime(1899, 12, 30)).days), DAY),
    "serial time": (
        lambda t: f"{(t - datetime(1899, 12, 30)) / timedelta(days=1):.9f}", HOUR),
}  # fmt: skip
FRACTIONS = {"comma fraction": 250_000}  # microseconds that a style writes beside the time


def series(step: str, start: datetime, count: int, every: int) -> list[datetime]:
    """Moments that a style of that step can tell apart."""
    if step == HOUR:
        return [start + timedelta(hours=every * k) for k in range(count)]
    first = datetime(start.year, start.month, start.day)
    if step == DAY:
        return [first + timedelta(days=every * k) for k in range(count)]
    if step == "week":
        first -= timedelta(days=first.weekday())
        return [first + timedelta(days=7 * every * k) for k in range(count)]
    span = {MONTH: 1, "quarter": 3, "year": 12}[step]
    month = 12 * first.year + (first.month - 1) // span * span
    if step == "year":
        month = 12 * first.year
    months = [month + span * every * k for k in range(count)]
    return [datetime(m // 12, m % 12 + 1, 1) for m in months]


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, list[datetime]]:
    style = draw(st.sampled_from(sorted(WRITTEN)))
    start = draw(st.datetimes(datetime(1975, 1, 1), datetime(2025, 1, 1)))
    # With 40 days and more, some day is later than the twelfth.
    count, every = draw(st.integers(40, 60)), draw(st.sampled_from([1, 5, 7]))
    step = WRITTEN[style][1]
    every = 25 * every if step == HOUR else 1 if step in ("quarter", "year") else every
    start = start.replace(second=0, microsecond=0)
    moments = series(step, start, count if step != "year" else 30, every)
    order = draw(st.sampled_from(["rising", "falling", "mixed"]))
    if order == "mixed":
        draw(st.randoms(use_true_random=False)).shuffle(moments)
    return style, moments[::-1] if order == "falling" else moments


@given(columns())
@settings(max_examples=400)
def test_every_style_is_read_back_in_any_order(column: tuple[str, list[datetime]]) -> None:
    style, moments = column
    cells = [WRITTEN[style][0](moment) for moment in moments]
    dates = judged(cells)
    read, bad = dates.moments(cells)
    assert not bad.any()
    assert (read - FRACTIONS.get(style, 0)).tolist() == micro(*moments), dates.pattern
    if style != "serial time":  # its last digit is a matter of rounding
        assert [dates.text(int(moment)) for moment in read] == cells
    again, bad = dates.moments([dates.text(int(moment)) for moment in read])
    assert not bad.any() and again.tolist() == read.tolist()
    assert make(Dates, json.loads(json.dumps(asdict(dates)))) == dates
    assert dates.told()
