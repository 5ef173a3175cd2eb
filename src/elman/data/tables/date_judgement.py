"""How a column's dates are written, judged by the whole of it.

01/02/2010 is day first if some row says 31/12/2010, if only so the dates are evenly spaced, or, as
nothing tells, by the habit of its separator; then it is said. Libraries that guess, such as
dateutil, guess cell by cell, so that one column may be read in two ways: this one decides once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from elman.data.tables.date_cells import DAY, SCRIPTS, Ints, plain
from elman.data.tables.date_numbers import (
    A_NUMBER,
    EPOCHS,
    NUMBER,
    counted,
)  # fmt: skip
from elman.data.tables.date_patterns import (
    EXPANDED,
    require_whole,
    tokens,
)  # fmt: skip
from elman.data.tables.date_styles import STYLES, Seen, seen_in
from elman.data.tables.date_value import ONE_NUMBER, PIVOT, Dates, zone_of
from elman.data.tables.month_names import halves_as, months_as, weekdays_as
from elman.data.tables.profile import GROUPS, MISSING, MOST_DISTINCT, Profile

NEARLY_ALL = 0.9
LOOKED_AT = 40  # shapes by which a column of words is known
# Whole numbers that may be dates, by how many digits they have; years are those of a calendar.
PACKED = {
    4: ("%Y",), 6: ("%Y%m", "%y%m%d"), 7: ("%Y%j",), 8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
    10: ("%Y%m%d%H",), 12: ("%Y%m%d%H%M",), 14: ("%Y%m%d%H%M%S",), 17: ("%Y%m%d%H%M%S%3f",),
}  # fmt: skip
EARLIEST, LATEST = 1500, 2200  # years that whole numbers may mean


def dates_of(profile: Profile, date_format: str | None = None) -> Dates | None:
    """How the dates of a column are written; None where nearly all of its cells are none.

    Numbers are dates too, though not `sure`; those that fit no calendar are a "number".
    `date_format`, a pattern of strptime, overrules: None where not a cell fits it. UserError: a
    pattern that makes no date.
    """
    if profile.present == 0:
        return None
    cells = [text for cell in profile.distinct if (text := plain(cell)).lower() not in MISSING]
    cells.sort()  # what is seen first shall not depend on chance
    if date_format is not None:
        return _given(profile, cells, date_format)
    numbers = sum(n for shape, n in profile.shapes.items() if A_NUMBER.fullmatch(shape))
    if _nearly(numbers, profile.present):
        return _of_numbers(profile, cells)
    return _of_texts(profile, cells)


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


def _of_texts(profile: Profile, cells: Sequence[str]) -> Dates | None:
    ways: dict[str, _Way] = {}
    dated = passed = 0
    for number, (shape, count) in enumerate(profile.shapes.most_common()):
        if number == LOOKED_AT and dated < passed / 2:
            return None
        found = seen_in(plain(profile.first[shape].cell))
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
    likely = sorted(ways.values(), key=lambda way: (-way.weight, way.rank))[:8]
    judged = [(_good(dates := _dates(way, profile, cells), cells), way, dates) for way in likely]
    most = max(good for good, _, _ in judged)
    if 2 * most < len(cells):
        return None  # their numbers make no dates: 99.87.1234
    best = sorted((w.rank, k) for k, (good, w, _) in enumerate(judged) if good == most)
    _, way, dates = judged[best[0][1]]
    for _, place in best[1:]:
        _, other, swapped = judged[place]
        if _swapped(way.parts) == other.parts and not way.parts.startswith("%Y"):
            return _ordered(profile, cells, (way, dates), (other, swapped))
    return dates


def _bare(pattern: str) -> str:
    for letter in "mdHIV":
        pattern = pattern.replace(f"%-{letter}", f"%{letter}")
    return pattern


def _swapped(pattern: str) -> str:
    """The same pattern with day and month in each other's place."""
    return pattern.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")


def _good(dates: Dates, cells: Sequence[str]) -> int:
    return int((~dates.moments(cells)[1]).sum())


def _dates(way: _Way, profile: Profile, cells: Sequence[str]) -> Dates:
    dates = Dates(way.pattern, STYLES[way.rank].name)
    names: dict[str, list[str]] = defaultdict(list)
    for _, seen in way.seen:
        for kind, name in seen.names.items():
            names[kind.lower()].append(name)
    return _completed(dates, profile, cells, names)


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
    said = {t.letter for t in tokens(dates.pattern)} if dates.pattern not in ONE_NUMBER else set()
    if "y" in said:
        dates = replace(dates, first_year=_first_year(dates, cells))
    if len(profile.first):
        first = next(iter(profile.first.values())).cell
        script = next((s for s in SCRIPTS if any(c in s for c in first)), "")
        dates = replace(dates, digits=script)
    return dates


def _first_year(dates: Dates, cells: Sequence[str]) -> int:
    """The first of the hundred years that two digits mean: none within the column is jumped."""
    moments, bad = dates.moments(cells)
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


def _ordered(
    profile: Profile, cells: Sequence[str], one: tuple[_Way, Dates], two: tuple[_Way, Dates]
) -> Dates:
    """Which of two orders of day and month is meant, where all cells fit both."""
    if len(profile.distinct) >= MOST_DISTINCT:
        within = [_within(profile, way) for way, _ in (one, two)]
        if within[0] != within[1]:
            return one[1] if within[0] else two[1]
    evenness = [_evenness(dates.moments(cells)[0]) for _, dates in (one, two)]
    if abs(evenness[0] - evenness[1]) >= 0.05 and max(evenness) >= 0.8:
        return one[1] if evenness[0] > evenness[1] else two[1]
    firsts = [_only_first_days(dates.moments(cells)[0]) for _, dates in (one, two)]
    if firsts[0] != firsts[1]:
        return one[1] if firsts[0] else two[1]
    day_first = one if one[0].parts.index("%d") < one[0].parts.index("%m") else two
    month_first = two if day_first is one else one
    american = "/" in one[0].parts and ("%p" in one[1].pattern or {"m", "d"} & one[0].loose)
    chosen, other = (month_first, day_first) if american else (day_first, month_first)
    return replace(chosen[1], assumed=other[1].pattern.replace("%-", "%"))


def _within(profile: Profile, way: _Way) -> bool:
    """Whether the largest numbers of all cells, by shape, are months where months must stand."""
    for shape, seen in way.seen:
        cell = plain(profile.first[shape].cell)
        spans = profile.extremes.get(shape)
        groups = [match.span() for match in GROUPS.finditer(cell)]
        if spans is None or seen.spans.get("m") not in groups or len(groups) != len(spans):
            continue
        if spans[groups.index(seen.spans["m"])][1] > 12:
            return False
    return True


def _evenness(moments: Ints) -> float:
    """The share of steps that are of the usual length: of months, if no other day is there."""
    moments = np.unique(moments)
    if len(moments) < 3:
        return 0.0
    days = moments // DAY
    months = days.astype("M8[D]").astype("M8[M]")
    of_month = days - months.astype("M8[D]").astype(np.int64)
    monthly = not (moments % DAY).any() and (of_month == of_month[0]).all()
    steps = np.diff(months.astype(np.int64) if monthly else moments)
    return float(np.unique(steps, return_counts=True)[1].max() / len(steps))


def _only_first_days(moments: Ints) -> bool:
    """Whether all are the first of their months, of several: a month is told by its first day."""
    days = (moments // DAY).astype("M8[D]")
    months = days.astype("M8[M]")
    return bool((months.astype("M8[D]") == days).all() and len(np.unique(months)) > 1)


def _given(profile: Profile, cells: Sequence[str], date_format: str) -> Dates | None:
    """As the user says, if any cell is so."""
    if date_format in EPOCHS:
        dates = replace(_number(date_format, cells), given=True, sure=True)
        return dates if _good(dates, cells) else None
    for short, full in EXPANDED.items():
        date_format = date_format.replace(short, full)
    require_whole(date_format)
    dates = Dates(date_format, given=True)
    moments, bad = dates.moments(cells)
    if bad.all():
        return None
    date, names = dates, defaultdict[str, list[str]](list)
    for first in profile.first.values():
        match = dates.match(plain(first.cell))
        for name, text in (match.groupdict() if match else {}).items():
            if name in "bBaAp" and text:
                names[name.lower()].append(text)
    return _completed(date, profile, cells, names)


def _of_numbers(profile: Profile, cells: Sequence[str]) -> Dates | None:
    """Numbers as months, days, seconds since 1970, serials: as what nearly all of them can be."""
    numbers = [cell for cell in cells if A_NUMBER.fullmatch(cell)]
    if not numbers:
        return None
    widths = Counter(len(cell.partition(".")[0].partition(",")[0]) for cell in numbers)
    width, count = widths.most_common(1)[0]
    patterns = list(PACKED.get(width, ())) if count >= NEARLY_ALL * len(numbers) else []
    if width <= 4 and any("." in cell for cell in numbers):
        patterns = ["%Y.%m", "%m.%Y"]
    for pattern in patterns:
        dates = _completed(Dates(pattern, sure=False), profile, cells, defaultdict(list))
        moments, bad = dates.moments(cells)
        years = moments[~bad].astype("M8[us]").astype("M8[Y]").astype(np.int64) + 1970
        likely = int(((years >= EARLIEST) & (years <= LATEST)).sum())
        if not _nearly(likely, len(cells)):
            continue
        other = replace(dates, pattern=_swapped(pattern))
        either = pattern == "%d%m%Y" and not other.moments(cells)[1].any()
        return replace(dates, assumed=other.pattern) if either else dates
    return _completed(_number(counted(numbers), numbers), profile, cells, defaultdict(list))


def _number(kind: str, numbers: Iterable[str]) -> Dates:
    """Numbers of a kind, with the decimals that they have."""
    behind = [cell.replace(",", ".").partition(".")[2] for cell in numbers]
    return Dates(
        kind,
        sure=False,
        least_decimals=min(map(len, behind), default=0),
        most_decimals=min(max(map(len, behind), default=0), 9 if kind != NUMBER else 6),
        fractions=any(digits.strip("0") for digits in behind),
    )
