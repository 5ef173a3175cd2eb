"""Time series from tables: one a column, one after the other, or one a row.

date,OT              wide: a column of times, and columns of values, each a series
unique_id,ds,y       long: an id, a time and a value in each row
Country,1960,1961,…  rows: an id and all values of a series in a row
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from elman.data import source
from elman.data.dates.dates import Dates
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.reading import Reading
from elman.data.tables.table import Table
from elman.data.tables.writer import Form
from elman.data.time_series import frequency, gaps, layout, observations, order, times
from elman.data.time_series.gaps import Fault, Regular
from elman.data.time_series.grid import Grid
from elman.data.time_series.layout import SeriesReading, Settled
from elman.data.time_series.observations import Name, Observations, shown
from elman.data.time_series.options import Fill, SeriesOptions
from elman.errors import UserError
from elman.wording import counted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FILLED = {"previous": " with the value before", "linear": " on a line", "zero": " with zero"}
FEW = 4  # steps below which a series does not show its frequency


@dataclass(frozen=True)
class Series:
    """One series, without gaps. `places` and `future` may go on after the last value, N rows."""

    name: str
    where: str  # its first value
    y: Floats  # [T]
    places: Ints  # [T + N], on the grid
    past: Floats  # [T, P]
    future: Floats  # [T + N, F]
    static: tuple[str, ...]
    ids: Name = ()  # as the columns of ids name it

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Collection:
    """Series of one grid."""

    series: list[Series]
    reading: SeriesReading
    facts: tuple[str, ...] = ()  # what was understood, for the user
    warnings: tuple[str, ...] = ()  # what may be a mistake
    filled: int = 0  # values that were missing
    longest: int = 0  # of them in a row
    form: Form = "csv"

    @property
    def grid(self) -> Grid | None:
        return self.reading.grid

    @property
    def options(self) -> SeriesOptions:
        return self.reading.options

    @property
    def gaps(self) -> str:
        """What was filled, for the user; empty where nothing was missing."""
        if not self.filled:
            return ""
        told = f"{counted(self.filled, 'missing value')} filled"
        told += f"{FILLED[self.options.fill or 'linear']}, gaps of up to {self.longest:,}"
        return told if self.options.fill else f"{told}; --fill says otherwise"

    @property
    def id_columns(self) -> tuple[str, ...]:
        """How answers name the ids of series."""
        return self.options.ids or ("unique_id",)

    @property
    def time_columns(self) -> tuple[str, ...]:
        """How answers name the times."""
        return self.options.times or ("ds",)

    def time_cells(self, place: int) -> dict[str, str | int]:
        """A time as answers write it: as the data does, in as many columns."""
        grid, together = self.grid, self.reading.together
        if grid is None:
            return {self.time_columns[0]: place}
        moment = int(grid.moments(np.array([place]))[0])
        if together is not None:
            return times.written(together, moment)
        text = grid.dates.text(moment)
        whole = text.isdecimal() and str(int(text)) == text
        return {self.time_columns[0]: int(text) if whole else text}

    def digest(self) -> str:
        """Of all series together."""
        whole = hashlib.sha256(repr(self.grid).encode())
        for one in self.series:
            whole.update(repr((one.name, one.static, len(one), len(one.places))).encode())
            for part in (one.y, one.places, one.past, one.future):
                whole.update(np.ascontiguousarray(part).tobytes())
        return whole.hexdigest()


def read(
    data: Sequence[str], options: SeriesOptions, bad: BadRows, known: SeriesReading | None = None
) -> Collection:
    """Every series that the items of data hold. UserError: none, or no such data."""
    sources = source.resolve(data)
    parts: list[Collection] = []
    for one in sources:
        reading = known.table if known is not None else None
        opened = table.open_table(one, options, reading)
        parts.append(of_table(opened, options, bad, known))
    first = parts[0]
    for one, other in zip(sources, parts, strict=True):
        kinds = {grid.kind if grid is not None else None for grid in (first.grid, other.grid)}
        if len(kinds) > 1:
            raise UserError(f"{one.shown}: other dates or another frequency than in {data[0]}")
    result = replace(
        first,
        series=[s for part in parts for s in part.series],
        facts=tuple(dict.fromkeys(fact for part in parts for fact in part.facts)),
        warnings=tuple(dict.fromkeys(told for part in parts for told in part.warnings)),
        filled=sum(part.filled for part in parts),
        longest=max(part.longest for part in parts),
    )
    names = [one.name for one in result.series]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f'{data[-1]}: the series "{twice}" comes twice')
    return result


def of_table(
    opened: Table, options: SeriesOptions, bad: BadRows, known: SeriesReading | None = None
) -> Collection:
    """Every series of a table, read as it was `known`, or as is found out. UserError: none."""
    settled = layout.settle(opened, options) if known is None else layout.again(opened, known)
    rows = observations.read(opened, settled, bad)
    facts = [*settled.facts, *rows.facts]
    if settled.timed and len(rows.moments):
        assert settled.dates is not None
        advice = "give --duplicates sum, mean or last"
        if not settled.options.ids and settled.options.layout == "wide":
            advice += "; of several series, name their --id-column"
        rows, more = order.in_order(
            rows, options.duplicates, opened, settled.dates, bad, advice=advice
        )
        facts += more
    found = _divided(opened, settled, rows, bad, known)
    if not found.series:
        raise bad.nothing_left(f"{opened.shown}: holds no series")
    if found.grid is not None:
        facts.append(f"times: {found.grid.told}")
    return replace(found, facts=tuple(facts), warnings=settled.warnings, form=opened.form)


def of_values(name: str, where: str, y: Floats, fill: Fill | None) -> Collection:
    """The series of values [T] without times, NaN for what is missing. UserError: none, or gaps."""
    made = gaps.regular(name, np.arange(1, len(y) + 1), y[:, None], None, fill, ahead=0)
    if isinstance(made, Fault):
        raise UserError(f"{where}: {made.what}")
    none = np.zeros((made.known, 0))
    one = Series(name, where, made.values[:, 0], made.places, none, none, (), (name,))
    options = SeriesOptions(layout="rows", fill=fill)
    return Collection(
        [one], SeriesReading(options, Reading(), None), filled=made.filled, longest=made.longest
    )


def _divided(
    opened: Table, settled: Settled, rows: Observations, bad: BadRows, known: SeriesReading | None
) -> Collection:
    """Rows in order of series and time as series without gaps."""
    ends = np.flatnonzero(np.diff(rows.which)) + 1
    bounds = np.concatenate([[0], ends, [len(rows.which)]]) if len(rows.which) else np.zeros(1, int)
    spans = list(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True))
    options, grid = settled.options, known.grid if known is not None else None
    if settled.timed and spans:
        assert settled.dates is not None
        grid = _grid([rows.moments[a:b] for a, b in spans], settled.dates, grid)
    places = rows.moments if grid is None else grid.of(rows.moments)
    kinds = settled.parts.parts if settled.parts is not None else ()
    found = Collection([], SeriesReading(options, settled.reading, grid, kinds))
    several = len(settled.targets) > 1
    series: list[Series] = []
    filled = longest = 0
    paces = _Paces(opened.shown, grid)
    rest = list(range(len(settled.targets), rows.values.shape[1]))
    for a, b in spans:
        for c, target in enumerate(settled.targets):
            name = shown(rows.names[int(rows.which[a])]) or target
            paces.see(name, rows.moments[a:b], places[a:b], rows.values[a:b, c])
    paces.check()
    for a, b in spans:
        number = int(rows.which[a])
        for c, target in enumerate(settled.targets):
            name = shown(rows.names[number]) or target
            values = rows.values[a:b, [c, *rest]] if several or rest else rows.values[a:b]
            made = gaps.regular(
                name, places[a:b], values, grid, options.fill, ahead=len(options.future_columns)
            )
            if isinstance(made, Fault):
                bad.add(opened.where(int(rows.lines[a + made.row])), made.what)
                continue
            ids = rows.names[number] or (target,)
            where = opened.where(int(rows.lines[a]))
            series.append(_series(name, where, made, options, rows.static[number], ids))
            filled, longest = filled + made.filled, max(longest, made.longest)
    return replace(found, series=series, filled=filled, longest=longest)


def _series(
    name: str, where: str, made: Regular, options: SeriesOptions, static: Name, ids: Name
) -> Series:
    cut, T = 1 + len(options.past_columns), made.known
    return Series(
        name, where, made.values[:T, 0].copy(), made.places, made.values[:T, 1:cut].copy(),
        made.values[:, cut:].copy(), static, ids,
    )  # fmt: skip


def _grid(parts: Sequence[Ints], dates: Dates, known: Grid | None) -> Grid:
    """The grid of moments, each part in order: the one that is known, unless another fits them."""
    if known is None:
        return frequency.grid_of(parts, dates)
    places = [known.of(part) for part in parts]
    steps = np.concatenate([known.between(part) for part in places])
    fits = not len(steps) or (
        (steps > 0).all() and (len(steps) < FEW or (steps == 1).mean() >= 0.5)
    )
    if fits and known.unit == "sessions":
        on = np.isin((np.concatenate(places) + 3) % 7, known.weekdays)
        fits = on.mean() >= 1 - frequency.HARDLY_EVER
    if fits:
        return known
    own = frequency.grid_of(parts, dates)
    return known if own.kind == known.kind else own


@dataclass
class _Paces:
    """How often each series comes, and whether all come equally often."""

    shown: str
    grid: Grid | None
    usual: str = ""  # a series that fits the grid
    others: dict[str, list[str]] = field(default_factory=dict)  # by frequency, those that do not

    def see(self, name: str, moments: Ints, places: Ints, y: Floats) -> None:
        if self.grid is None or len(y) <= FEW:
            return
        there = np.isfinite(y)
        if not there.all():
            moments, places = moments[there], places[there]
        steps = self.grid.between(places)
        if len(steps) < FEW:
            return
        if 2 * int((steps == 1).sum()) >= len(steps):
            self.usual = self.usual or name
            return
        own = frequency.grid_of([moments], self.grid.dates)
        even = 2 * int((own.between(own.of(moments)) == 1).sum()) >= len(steps)
        if even and own.name != self.grid.name:
            self.others.setdefault(own.name, []).append(name)

    def check(self) -> None:
        """UserError: not equally often; it names a series of each frequency."""
        if not (self.usual and self.others):
            return
        assert self.grid is not None
        told = [f'"{self.usual}" is {self.grid.name}']
        for pace, names in list(self.others.items())[:5]:
            rest = f" and {len(names) - 1:,} more are" if len(names) > 1 else " is"
            told.append(f'"{names[0]}"{rest} {pace}')
        raise UserError(
            f"{self.shown}: {', '.join(told)}; series of one run must come equally often: name "
            "some by --target, or part the file"
        )


def places_to(one: Series, grid: Grid | None, count: int) -> Ints:
    """The first so many places of a series, also of what comes after it, [count]."""
    missing = count - len(one.places)
    if missing <= 0:
        return one.places[:count]
    last = int(one.places[-1])
    ahead = last + np.arange(1, missing + 1) if grid is None else grid.after(last, missing)
    return np.concatenate([one.places, ahead])


def joined(first: Collection, after: Collection, shown: str) -> tuple[Collection, list[int]]:
    """Series followed by their continuations of the same names, and how long each was before.

    UserError: a series that is not in both, or one that does not go on where the other ends.
    """
    follow = {one.name: one for one in after.series}
    series, lengths = [], []
    for one in first.series:
        other = follow.pop(one.name, None)
        if other is None:
            raise UserError(f'{shown}: does not continue the series "{one.name}"')
        places, n = other.places, len(one)
        last = int(one.places[n - 1])
        if first.grid is None:
            places = last + places
        elif first.grid.between(np.array([last, int(places[0])]))[0] != 1 or places[0] <= last:
            raise UserError(
                f'{other.where}: "{one.name}" does not go on after {first.grid.text(last)}'
            )
        lengths.append(n)
        series.append(
            replace(
                one,
                y=np.concatenate([one.y, other.y]),
                places=np.concatenate([one.places[:n], places]),
                past=np.concatenate([one.past, other.past]),
                future=np.concatenate([one.future[:n], other.future]),
            )
        )
    for name, other in follow.items():
        raise UserError(f'{other.where}: the series "{name}" is not in the training data')
    return replace(first, series=series), lengths


def cut(collection: Collection, lengths: Sequence[int]) -> Collection:
    """The first so many values of each series."""
    return replace(
        collection,
        series=[
            replace(
                one, y=one.y[:n], places=one.places[:n], past=one.past[:n], future=one.future[:n]
            )
            for one, n in zip(collection.series, lengths, strict=True)
        ],
    )


def place_of(collection: Collection, one: Series, when: str, flag: str) -> int:
    """The index of a time in a series, of the first value there or later: a date, or, without
    dates, the number of a value from 1.

    UserError where the time is none.
    """
    grid = collection.grid
    if grid is None:
        if not when.strip().isdecimal() or len(when) > 15:
            raise UserError(f"{flag} {when}: needs the number of a value")
        place = int(when)
    else:
        moment = layout.moment_of(when, grid.dates)
        if moment is None:
            raise UserError(f"{flag} {when}: needs a date as {grid.text(int(one.places[0]))}")
        place = int(grid.of(np.array([moment]))[0])
    return int(np.searchsorted(one.places[: len(one)], place))
