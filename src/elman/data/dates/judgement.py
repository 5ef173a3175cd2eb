"""How a column's dates are written, judged by the whole of it.

01/02/2010 is day first if some row says 31/12/2010, if only so the dates are evenly spaced, or, as
nothing tells, by the habit of its separator; then it is said. Libraries that guess, such as
dateutil, guess cell by cell, so that one column may be read in two ways: this one decides once.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from elman.data.dates.cells import DAY, FIRST, SCRIPTS, Ints, all_plain, plain
from elman.data.dates.eras import era_of, western
from elman.data.dates.month_names import halves_as, months_as, weekdays_as
from elman.data.dates.numbers import A_NUMBER, EPOCHS, NUMBER, counted
from elman.data.dates.patterns import (
    DIGITS,
    require_whole,
    tokens,
)  # fmt: skip
from elman.data.dates.ranges import WIDE, halves, mark_of, starts
from elman.data.dates.styles import STYLES, Seen, seen_in
from elman.data.dates.value import ONE_NUMBER, PIVOT, Dates, zone_of
from elman.data.tables.profile import MISSING, MOST_DISTINCT, Profile

NEARLY_ALL = 0.9
LONGEST = 100  # characters of a date
LOOKED_AT = 40  # shapes by which a column of words is known
# Whole numbers that may be dates, by how many digits they have; years are those of a calendar.
PACKED = {
    4: ("%Y",), 6: ("%Y%m", "%y%m%d"), 7: ("%Y%j",), 8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
    10: ("%Y%m%d%H",), 12: ("%Y%m%d%H%M",), 14: ("%Y%m%d%H%M%S",), 17: ("%Y%m%d%H%M%S%3f",),
}  # fmt: skip
SIZES = ((5, 5), (9, 10), (12, 13), (15, 16), (18, 19))  # digits of serials and of times since 1970
_DIGITS = re.compile(r"\d+")
EARLIEST, LATEST = 1500, 2200  # years that whole numbers may mean


def dates_of(profile: Profile, date_format: str | None = None) -> Dates | None:
    """How the dates of a column are written; None where nearly all of its cells are none.

    Numbers are dates too, though not `sure`; those that fit no calendar are a "number".
    `date_format`, a pattern of strptime, overrules: None where cells do not fit it, half of them,
    or any of those that look like dates. UserError: a pattern that makes no date.
    """
    if profile.present == 0:
        return None
    found = _whole(profile, date_format)
    return found if found is not None else _dressed(profile, date_format)


def _whole(profile: Profile, date_format: str | None) -> Dates | None:
    """The same where a cell is one date of Western years."""
    numbers = sum(n for shape, n in profile.shapes.items() if A_NUMBER.fullmatch(plain(shape)))
    numeric = _nearly(numbers, profile.present)
    found = _of_numbers(profile) if numeric else _of_texts(profile)
    if date_format is None:
        return found
    dates, share = _given(profile, date_format)
    dated = found is not None and found.sure
    if share >= 0.5 or (share > 0 and dated):
        # Any four digits are a year.
        return replace(dates, sure=not numeric or date_format != "%Y")
    return None


def _dressed(profile: Profile, date_format: str | None) -> Dates | None:
    """The same of spans of time, of which the start counts, and of years of an era."""
    first = profile.first[profile.shapes.most_common(1)[0][0]].cell
    [bare] = western([plain(first)])
    era, mark = era_of(plain(first)), mark_of(bare) if len(bare) <= LONGEST else ""
    if not era and not mark:
        return None
    cells = western(_cells(profile))
    found = _whole(_profile_of(starts(cells, mark) if mark else cells), date_format)
    if found is None or not found.sure:
        return None
    if not mark:
        return replace(found, era=era)
    both = [parts for cell in cells if (parts := halves(cell, mark)) is not None]
    ends = [end for _, end in both]
    if found.assumed and not found.read(ends)[1].all():
        either = _whole(_profile_of([*(start for start, _ in both), *ends]), date_format)
        found = found if either is None else either  # an end may tell: 01.02. - 31.02. is none
    (since, bad), (until, wrong) = found.read([start for start, _ in both]), found.read(ends)
    spans, counts = np.unique((until - since)[~bad & ~wrong], return_counts=True)
    same = len(counts) and counts.max() >= NEARLY_ALL * len(cells) and spans[counts.argmax()] > 0
    if WIDE in first:
        mark = mark.replace("~", WIDE)
    return replace(found, era=era, joint=mark, span=int(spans[counts.argmax()]) if same else 0)


def _profile_of(cells: Sequence[str]) -> Profile:
    profile = Profile("")
    profile.add(cells, range(len(cells)))
    return profile


def _cells(profile: Profile) -> list[str]:
    """Cells that are not missing, each once, in an order that does not depend on chance."""
    texts = all_plain([cell for cell in profile.distinct if len(cell) <= LONGEST])
    return sorted({text for text in texts if text.lower() not in MISSING})


def _nearly(part: int, all_: int) -> bool:
    return part >= NEARLY_ALL * all_ or (all_ - part <= 1 and part >= 2)


@dataclass
class _Way:
    """One order of a date's parts, in all the shapes that may be read so."""

    parts: str  # the pattern of the date, without its flags
    rank: int  # of its style in the table
    weight: int = 0  # cells
    loose: set[str] = field(default_factory=set)  # directives written without their zero
    times: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[str, Seen]] = field(default_factory=list)  # and their shapes

    @property
    def order(self) -> str:
        """In which order numbers stand for day, month and year: "dmY"; empty for other dates."""
        order = "".join(token.letter for token in tokens(self.parts) if token.letter in DIGITS)
        return order if sorted(order.lower()) == ["d", "m", "y"] else ""

    @property
    def pattern(self) -> str:
        """The date with the finest time of day."""
        date = self.parts
        for letter in self.loose:
            date = date.replace(f"%{letter}", f"%-{letter}")
        fine = max(self.times, key=lambda time: (time.count("%"), "%p" in time, self.times[time]))
        digits = max((int(t.flag or 0) for time in self.times for t in tokens(time)
                      if t.letter == "f"), default=0)  # fmt: skip
        for letter in "HI":
            if any(f"%-{letter}" in time for time in self.times) and f"%-{letter}" not in fine:
                fine = fine.replace(f"%{letter}", f"%-{letter}")
        for one in range(10):
            fine = fine.replace(f"%{one}f", f"%{digits}f")
        return date + fine


def _of_texts(profile: Profile) -> Dates | None:
    ways: dict[str, _Way] = {}
    dated = passed = 0
    for number, (shape, count) in enumerate(profile.shapes.most_common()):
        if number == LOOKED_AT and dated < passed / 2:
            return None
        first = profile.first[shape].cell
        found = seen_in(plain(first)) if len(first) <= LONGEST else []
        passed += count
        dated += count if found else 0
        for seen in found:
            parts = _bare(seen.date)
            way = ways.setdefault(parts, _Way(parts, STYLES.index(seen.style)))
            way.weight += count
            way.loose |= {t.letter for t in tokens(seen.date) if t.flag == "-"}
            way.times[seen.time] += count
            way.seen.append((shape, seen))
    if not ways or not _nearly(dated, profile.present):
        return None
    cells = _cells(profile)
    likely = sorted(ways.values(), key=lambda way: (-way.weight, way.rank))[:8]
    judged = [_judged(way, profile, cells) for way in likely]
    good = max(one.good for one in judged)
    if 2 * good < len(cells):
        return None  # their numbers make no dates: 99.87.1234
    best = [one for one in judged if one.good == good]
    return _ordered(profile, sorted(best, key=lambda one: one.way.rank))


def _bare(pattern: str) -> str:
    for letter in "mdHIV":
        pattern = pattern.replace(f"%-{letter}", f"%{letter}")
    return pattern


def _swapped(pattern: str) -> str:
    """The same pattern with day and month in each other's place."""
    return pattern.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _good(dates: Dates, cells: Sequence[str]) -> int:
    return int((~dates.read(cells)[1]).sum())


class _Judged(NamedTuple):
    """A way to read a column, and what comes of it."""

    way: _Way
    dates: Dates
    good: int  # distinct cells that are such dates
    moments: Ints  # of these


def _judged(way: _Way, profile: Profile, cells: Sequence[str]) -> _Judged:
    dates = Dates(way.pattern, STYLES[way.rank].name)
    names: dict[str, list[str]] = defaultdict(list)
    for _, seen in way.seen:
        for kind, name in seen.names.items():
            names[kind.lower()].append(name)
    dates = _completed(dates, profile, cells, names)
    moments, bad = dates.read(cells)
    return _Judged(way, dates, int((~bad).sum()), moments[~bad])


def _completed(
    dates: Dates, profile: Profile, cells: Sequence[str], names: dict[str, list[str]]
) -> Dates:
    """With names, zone, century and digits as the column has them."""
    if names["b"]:
        dates = replace(dates, months=months_as(names["b"]))
    if names["a"]:
        dates = replace(dates, weekdays=weekdays_as(names["a"]))
    if names["p"]:
        dates = replace(dates, halves=halves_as(names["p"][0]))
    zones = dates.zones(cells)
    if zones:
        zone, offset, differ = zone_of(zones)
        dates = replace(dates, zone=zone, offset=offset, zones_differ=differ)
        dates = _as_days(dates, cells) if differ else dates
    said = {t.letter for t in tokens(dates.pattern)} if dates.pattern not in ONE_NUMBER else set()
    if "y" in said:
        dates = replace(dates, first_year=_first_year(dates, cells))
    if len(profile.first):
        first = next(iter(profile.first.values())).cell
        script = next((s for s in SCRIPTS if any(c in s for c in first)), "")
        dates = replace(dates, digits=script)
    return dates


def _as_days(dates: Dates, cells: Sequence[str]) -> Dates:
    """Days, if nearly all cells are of one time of day, by the clocks of their differing offsets:
    2019-10-25 00:00:00-04:00, 2019-11-04 00:00:00-05:00."""
    local = replace(dates, zones_differ=False, local=True)
    moments, bad = local.read(cells)
    times = np.unique(moments[~bad] % DAY, return_counts=True)[1]
    if not len(times) or times.max() < NEARLY_ALL * times.sum():
        return dates
    last = cells[int(np.where(bad, FIRST, moments).argmax())]
    zone = next(iter(local.zones([last])), dates.zone)
    return replace(local, zone=zone)


def _first_year(dates: Dates, cells: Sequence[str]) -> int:
    """The first of the hundred years that two digits mean: none within the column is jumped."""
    moments, bad = dates.read(cells)
    years = np.unique(moments[~bad].astype("M8[us]").astype("M8[Y]").astype(np.int64) + 1970)
    if not len(years):
        return PIVOT
    short = np.unique(years % 100)
    gaps = np.diff(np.append(short, short[0] + 100))
    widest = int(gaps.argmax())
    start = int(short[(widest + 1) % len(short)])
    span = 100 - int(gaps[widest])
    if int(years[-1] - years[0]) <= span:
        return PIVOT
    century = 2000 if 2000 + start + span < PIVOT + 100 else 1900
    return century + start - int(gaps[widest]) // 2


def _ordered(profile: Profile, best: Sequence[_Judged]) -> Dates:
    """Which order of day and month is meant, of those that all cells fit, the usual one first."""
    first = best[0]
    ways = [one for one in best if one.way.order and len(one.way.parts) == len(first.way.parts)]
    if not first.way.order or len(ways) == 1 or first.way.order[0] == "Y":
        return first.dates
    if len(profile.distinct) >= MOST_DISTINCT:
        ways = [one for one in ways if _within(profile, one.way)] or ways
        if len(ways) == 1:
            return ways[0].dates
    evenly = sorted(((_unevenness(one.moments), k) for k, one in enumerate(ways)))
    (least, even), (next_, turned) = evenly[:2]
    if least <= 0.2 and (next_ - least >= 0.05 or (least == 0 and next_ > 0)):
        less = ways[turned].dates.pattern.replace("%-", "%")
        return replace(ways[even].dates, less_even=less)
    ways = [one for one in ways if one.way.order[0] != "y"]
    # Whoever writes dots writes the day first.
    dots = "." in first.way.parts
    firsts = [] if dots else [one for one in ways if _only_first_days(one.moments)]
    if len(ways) != 2 or len(firsts) == 1:
        return (firsts or ways)[0].dates
    day_first, month_first = sorted(ways, key=lambda one: one.way.order)
    loose = {"m", "d"} & first.way.loose
    american = "/" in first.way.parts and ("%p" in first.dates.pattern or loose)
    chosen, other = (month_first, day_first) if american else (day_first, month_first)
    return replace(chosen.dates, assumed=other.dates.pattern.replace("%-", "%"))


def _within(profile: Profile, way: _Way) -> bool:
    """Whether the largest numbers of all cells, by shape, are months where months must stand."""
    for shape, seen in way.seen:
        cell = plain(profile.first[shape].cell)
        spans = profile.extremes.get(shape)
        groups = [match.span() for match in _DIGITS.finditer(cell)]
        if spans is None or seen.spans.get("m") not in groups or len(groups) != len(spans):
            continue
        if spans[groups.index(seen.spans["m"])][1] > 12:
            return False
    return True


def _unevenness(moments: Ints) -> float:
    """The share of steps of another length than most: of months, if all are of one day of them."""
    moments = np.unique(moments)
    if len(moments) < 4:
        return 1.0
    days = moments // DAY
    months = days.astype("M8[D]").astype("M8[M]")
    of_month = days - months.astype("M8[D]").astype(np.int64)
    monthly = not (moments % DAY).any() and (of_month == of_month[0]).all()
    steps = np.diff(months.astype(np.int64) if monthly else moments)
    return 1 - float(np.unique(steps, return_counts=True)[1].max() / len(steps))


def _only_first_days(moments: Ints) -> bool:
    """Whether all are the first of their months, of several: a month is told by its first day."""
    days = (moments // DAY).astype("M8[D]")
    months = days.astype("M8[M]")
    midnight = not (moments % DAY).any()
    return bool(midnight and (months.astype("M8[D]") == days).all() and len(np.unique(months)) > 1)


def _given(profile: Profile, date_format: str) -> tuple[Dates, float]:
    """As the user says, and the share of cells that are so."""
    cells = _cells(profile)
    if date_format in EPOCHS:
        behind = [len(cell.partition(".")[2]) for cell in cells]
        dates = _number(date_format, cells, min(behind, default=0), max(behind, default=0))
        return replace(dates, given=True), _good(dates, cells) / max(len(cells), 1)
    require_whole(date_format)
    dates = Dates(date_format, given=True)
    names, loose = defaultdict[str, list[str]](list), set[str]()
    for first in profile.first.values():
        match = dates.match(plain(first.cell))
        for name, text in (match.groupdict() if match else {}).items():
            if name in "bBaAp" and text:
                names[name.lower()].append(text)
            elif name in "mdHI" and len(text) == 1:
                loose.add(name)
    for letter in loose:
        date_format = date_format.replace(f"%{letter}", f"%-{letter}")
    dates = _completed(replace(dates, pattern=date_format), profile, cells, names)
    return dates, _good(dates, cells) / max(len(cells), 1)


def _of_numbers(profile: Profile) -> Dates | None:
    """Numbers as months, days, seconds since 1970, serials: as what nearly all of them can be."""
    shapes = Counter[tuple[int, int]]()  # digits before the point and behind it
    for shape, count in profile.shapes.items():
        whole, _, rest = plain(shape).lstrip("+-").replace(",", ".").partition(".")
        if A_NUMBER.fullmatch(plain(shape)):
            shapes[len(whole), len(rest)] += count
    widths = Counter[int]()
    for (width, _), count in shapes.items():
        widths[width] += count
    width, most = widths.most_common(1)[0]
    behind = [behind for _, behind in shapes]
    patterns: Sequence[str] = PACKED.get(width, ()) if _nearly(most, profile.present) else ()
    if max(behind) > 0:
        pointed = {(4, 1), (4, 2)} >= shapes.keys(), {(1, 4), (2, 4)} >= shapes.keys()
        patterns = ["%Y.%m"] * pointed[0] + ["%m.%Y"] * pointed[1]
    sized = any(sum(widths[w] for w in pair) >= NEARLY_ALL * profile.present for pair in SIZES)
    if not patterns and not sized:
        return _number(NUMBER, (), min(behind), max(behind))
    cells = _cells(profile)
    for pattern in patterns:
        dates = _completed(Dates(pattern, sure=False), profile, cells, defaultdict(list))
        moments, bad = dates.read(cells)
        years = moments[~bad].astype("M8[us]").astype("M8[Y]").astype(np.int64) + 1970
        likely = int(((years >= EARLIEST) & (years <= LATEST)).sum())
        if not _nearly(likely, len(cells)):
            continue
        other = replace(dates, pattern=_swapped(pattern))
        either = pattern == "%d%m%Y" and not other.read(cells)[1].any()
        return replace(dates, assumed=other.pattern) if either else dates
    numbers = [cell for cell in cells if A_NUMBER.fullmatch(cell)]
    dates = _number(counted(numbers), numbers, min(behind), max(behind))
    return _completed(dates, profile, cells, defaultdict(list))


def _number(kind: str, numbers: Iterable[str], least: int = 0, most: int = 0) -> Dates:
    """Numbers of a kind, with `least` to `most` decimals."""
    fractions = any(cell.replace(",", ".").partition(".")[2].strip("0") for cell in numbers)
    most = min(most, 6 if kind == NUMBER else 12)
    return Dates(
        kind, sure=False, least_decimals=min(least, most), most_decimals=most, fractions=fractions
    )
