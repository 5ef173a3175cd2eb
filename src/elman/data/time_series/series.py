"""Time series from tables: one a column, one after the other, or one a row.

date,OT              wide: a column of times, and columns of values, each a series
unique_id,ds,y       long: an id, a time and a value in each row
V1,V2,V3,…           rows: an id and all values of a series in a row, padded by empty cells
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data import source
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import Row, Table
from elman.data.tables.writer import Form
from elman.data.time_series import grid as calendar
from elman.data.time_series import layout
from elman.data.time_series.grid import Grid
from elman.data.time_series.options import Fill, SeriesOptions
from elman.errors import UserError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LONGEST_GAP = 1_000_000  # values put into a series to fill one gap


@dataclass(frozen=True)
class Series:
    """One series, without gaps. `places` and `future` may go on after the last value, N rows."""

    name: str
    where: str  # its first value
    y: Floats  # [T]
    places: Ints  # [T + N], in units of the grid
    past: Floats  # [T, P]
    future: Floats  # [T + N, F]
    static: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Collection:
    """Series of one grid. `grid` is None where the data tells no times."""

    series: list[Series]
    grid: Grid | None
    reading: SeriesOptions
    facts: tuple[str, ...] = ()  # what was guessed, for the user
    warnings: tuple[str, ...] = ()  # what may be a mistake
    filled: int = 0  # values that were missing
    form: Form = "csv"
    columns: tuple[str, str] = ("unique_id", "ds")  # how the data names ids and times

    def digest(self) -> str:
        """Of all series together."""
        whole = hashlib.sha256(repr(self.grid).encode())
        for one in self.series:
            whole.update(repr((one.name, one.static, len(one), len(one.places))).encode())
            for part in (one.y, one.places, one.past, one.future):
                whole.update(np.ascontiguousarray(part).tobytes())
        return whole.hexdigest()


class Record(NamedTuple):
    """One row of one series, as it was read; `y` is NaN where the value is missing."""

    where: str
    moment: int
    y: float
    past: tuple[float, ...]
    future: tuple[float, ...]


@dataclass
class Rows:
    """The rows of one series, in order of time."""

    records: list[Record] = field(default_factory=list)
    static: tuple[str, ...] = ()


def read(data: Sequence[str], reading: SeriesOptions, bad: BadRows) -> Collection:
    """Every series that the items of data hold. UserError: none, or no such data."""
    sources = source.resolve(data)
    parts = [
        of_table(
            table.open_table(one, TableOptions(header=reading.header, encoding=reading.encoding)),
            reading,
            bad,
        )
        for one in sources
    ]
    first = parts[0]
    for one, other in zip(sources, parts, strict=True):
        if other.grid != first.grid:
            raise UserError(f"{one.shown}: other dates or another frequency than in {data[0]}")
    result = replace(
        first,
        series=[s for part in parts for s in part.series],
        filled=sum(part.filled for part in parts),
    )
    names = [one.name for one in result.series]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f'{data[-1]}: the series "{twice}" comes twice')
    return result


def of_table(opened: Table, reading: SeriesOptions, bad: BadRows) -> Collection:
    """Every series of a table. UserError: none."""
    settled, pattern, facts, warnings = layout.settle(opened, reading)
    if settled.layout == "rows":
        series = [s for row in opened.rows(bad) if (s := _from_row(row, opened, settled, bad))]
        found = Collection(series, None, settled, facts)
    else:
        found = _from_records(_records(opened, settled, pattern, bad), settled, pattern, bad)
        found = replace(found, facts=(*facts, *found.facts))
    if not found.series:
        raise UserError(f"{opened.shown}: holds no series")
    return replace(
        found,
        warnings=warnings,
        form=opened.form,
        columns=(settled.id_column or "unique_id", settled.time_column or "ds"),
    )


# ---- Rows ----------------------------------------------------------------------------------


def _from_row(row: Row, opened: Table, reading: SeriesOptions, bad: BadRows) -> Series | None:
    """The series of a row; None where it is a bad one."""
    cells = [row.values.get(name) for name in opened.columns if name != reading.id_column]
    while cells and _is_missing(cells[-1]):
        cells.pop()
    values: list[float] = []
    for cell in cells:
        value = math.nan if _is_missing(cell) else _number(cell)
        if value is None or math.isinf(value):
            bad.add(row.where, f"{str(cell)[:40]!r}, not a finite number")
            return None
        values.append(value)
    name = str(row.values.get(reading.id_column or "", ""))
    return of_values(name, row.where, np.array(values), reading.fill, bad)


def of_values(name: str, where: str, y: Floats, fill: Fill | None, bad: BadRows) -> Series | None:
    """The series of values [T] without times, NaN for what is missing; None for a bad one."""
    if not np.isfinite(y).any():
        bad.add(where, "holds no values")
        return None
    if np.isnan(y).any():
        if fill is None:
            bad.add(where, f"{int(np.isnan(y).sum())} values missing; give --fill")
            return None
        y = _filled(y, fill)
    none = np.zeros((len(y), 0))
    return Series(name, where, y, np.arange(1, len(y) + 1), none, none, ())


def _records(opened: Table, reading: SeriesOptions, pattern: str, bad: BadRows) -> dict[str, Rows]:
    """The rows of every series, by its name, bad ones left out."""
    assert reading.target is not None
    targets = reading.target if reading.layout == "wide" else reading.target[:1]
    found: dict[str, Rows] = {}
    for row in opened.rows(bad):
        names = reading.target
        if reading.layout == "long":
            names = (str(row.values.get(reading.id_column or "", "")),)
        before = found[names[0]].records if names[0] in found else []
        moment: int | None = before[-1].moment + 1 if before else 1
        if pattern:
            cell = str(row.values.get(reading.time_column or "", ""))
            moment = calendar.parse(cell, pattern)
            if moment is None:
                what = f'"{reading.time_column}" is {cell[:40]!r}; needs {calendar.FITS}'
                bad.add(row.where, f"{what}, all alike")
                continue
            if before and moment <= before[-1].moment:
                twice = moment == before[-1].moment
                told = "comes twice" if twice else f"comes after {before[-1].where}"
                advice = "sort the rows of a series by time, each time once"
                if twice and reading.layout == "wide":
                    advice += "; of several series, name their --id-column"
                bad.add(row.where, f"{cell} {told}; {advice}")
                continue
        assert moment is not None
        cells = _cells(row, (*targets, *reading.past_columns, *reading.future_columns), bad)
        if cells is None:
            continue
        values, others = cells[: len(targets)], cells[len(targets) :]
        past, future = others[: len(reading.past_columns)], others[len(reading.past_columns) :]
        for name, y in zip(names, values, strict=True):
            rows = found.setdefault(name, Rows())
            if not rows.records:
                rows.static = tuple(
                    str(row.values.get(c, "")).strip() for c in reading.static_columns
                )
            rows.records.append(Record(row.where, moment, y, past, future))
    return found


def _cells(row: Row, names: Sequence[str], bad: BadRows) -> tuple[float, ...] | None:
    """Numbers, NaN for what is missing; None, and a bad row, where a cell holds something else."""
    values = []
    for name in names:
        cell = row.values.get(name)
        value = math.nan if _is_missing(cell) else _number(cell)
        if value is None or math.isinf(value):
            kind = "a number" if value is None else "a finite number"
            bad.add(row.where, f'"{name}" is {str(cell)[:40]!r}, not {kind}')
            return None
        values.append(value)
    return tuple(values)


def _from_records(
    found: Mapping[str, Rows], reading: SeriesOptions, pattern: str, bad: BadRows
) -> Collection:
    moments = [np.array([r.moment for r in rows.records]) for rows in found.values()]
    grid = calendar.grid_of(moments, pattern) if pattern and found else None
    series, filled = [], 0
    for (name, rows), moment in zip(found.items(), moments, strict=True):
        made = _regular(name, rows, moment, grid, reading, bad)
        if made is not None:
            series.append(made[0])
            filled += made[1]
    facts = (f"times: {grid.name}",) if grid is not None else ()
    return Collection(series, grid, reading, facts, filled=filled)


def _regular(
    name: str, rows: Rows, moments: Ints, grid: Grid | None, reading: SeriesOptions, bad: BadRows
) -> tuple[Series, int] | None:
    """The series without gaps, and how many values were filled in; None where it is a bad one."""
    records, step = rows.records, 1 if grid is None else grid.step
    places = moments if grid is None else grid.of(moments)
    spans = np.diff(places)
    if (off := np.flatnonzero(spans % step)).size or (spans <= 0).any():
        k = int(off[0]) if off.size else int(np.flatnonzero(spans <= 0)[0])
        assert grid is not None
        here, there = grid.text(int(places[k])), records[k + 1].where
        bad.add(there, f'"{name}" is {grid.name}, but no such time follows {here}')
        return None
    y = np.array([r.y for r in records])
    present = np.flatnonzero(np.isfinite(y))
    if not present.size:
        bad.add(records[0].where, f'"{name}" holds no values')
        return None
    # What is missing at its start is no gap: the series begins later. At its end it is the future.
    first, last = int(present[0]), int(present[-1])
    if not reading.future_columns:
        records, places, y = records[: last + 1], places[: last + 1], y[: last + 1]
    records, places, y = records[first:], places[first:], y[first:]
    index = (places - places[0]) // step
    known = int(index[last - first]) + 1  # T
    total = int(index[-1]) + 1  # T + N
    holes = total - len(index)
    if holes > LONGEST_GAP:
        raise UserError(f'{records[0].where}: "{name}" has gaps of {holes:,} values in all')
    past = np.array([r.past for r in records]).reshape(len(records), len(reading.past_columns))
    future = np.array([r.future for r in records]).reshape(
        len(records), len(reading.future_columns)
    )
    inside = index < known
    missing = int(np.isnan(y[inside]).sum() + np.isnan(past[inside]).sum() + np.isnan(future).sum())
    if holes + missing and reading.fill is None:
        bad.add(
            *_gap(name, records, index, np.column_stack([y, past, future]), known, grid, places)
        )
        return None
    cut = 1 + past.shape[1]
    spread = np.full((total, cut + future.shape[1]), np.nan)
    spread[index] = np.column_stack([y, past, future])
    if holes + missing:
        assert reading.fill is not None
        for c, column in enumerate(spread.T):  # what is known ahead over its whole length
            end = known if c < cut else total
            column[:end] = _filled(column[:end], reading.fill)
    made = Series(
        name, records[0].where, spread[:known, 0].copy(), places[0] + step * np.arange(total),
        spread[:known, 1:cut].copy(), spread[:, cut:].copy(), rows.static,
    )  # fmt: skip
    return made, holes + missing


def _gap(
    name: str, records: Sequence[Record], index: Ints, values: Floats, known: int,
    grid: Grid | None, places: Ints,
) -> tuple[str, str]:  # fmt: skip
    """Where the first gap is, and what to do."""
    advice = "give --fill previous, linear or zero"
    jumps = np.flatnonzero(np.diff(index) > 1)
    empty = np.flatnonzero(np.isnan(values[index < known]).any(1))
    if jumps.size and (not empty.size or jumps[0] < empty[0]):
        k = int(jumps[0])
        missing = int(index[k + 1] - index[k]) - 1
        before = grid.text(int(places[k])) if grid is not None else str(int(places[k]))
        return records[
            k + 1
        ].where, f'{missing:,} rows of "{name}" missing after {before}; {advice}'
    k = int(empty[0]) if empty.size else int(np.flatnonzero(np.isnan(values[:, 1:]).any(1))[0])
    return records[k].where, f'a value of "{name}" is missing; {advice}'


def _filled(values: Floats, fill: Fill) -> Floats:
    there = np.flatnonzero(np.isfinite(values))
    if not there.size or len(there) == len(values):
        return np.nan_to_num(values) if not there.size else values
    every = np.arange(len(values))
    if fill == "zero":
        return np.where(np.isfinite(values), values, 0.0)
    if fill == "linear":
        return np.interp(every, there, values[there])
    latest = np.maximum(np.searchsorted(there, every, side="right") - 1, 0)
    return values[there[latest]]


def _is_missing(cell: Any) -> bool:
    return cell is None or str(cell).strip().lower() in layout.MISSING


def _number(cell: Any) -> float | None:
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        return None


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
        places = other.places
        step = first.grid.step if first.grid is not None else 1
        if first.grid is None:
            places = one.places[len(one) - 1] + places
        elif other.places[0] != one.places[len(one) - 1] + step:
            raise UserError(
                f'{other.where}: "{one.name}" does not go on after '
                f"{first.grid.text(int(one.places[len(one) - 1]))}"
            )
        n = len(one)
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
    """The index of a time in a series: a date, or, without dates, the number of a value from 1.

    UserError where the time is none, or none of this series.
    """
    grid = collection.grid
    moment = calendar.parse(when, calendar.NUMBER if grid is None else grid.pattern)
    if moment is None and grid is not None:
        pattern = calendar.pattern_of(when)
        moment = None if pattern in (None, calendar.NUMBER) else calendar.parse(when, pattern or "")
    if moment is None:
        what = (
            "the number of a value"
            if grid is None
            else f"a date as {grid.text(int(one.places[0]))}"
        )
        raise UserError(f"{flag} {when}: needs {what}")
    place = moment if grid is None else int(grid.of(np.array([moment]))[0])
    step = 1 if grid is None else grid.step
    return -((int(one.places[0]) - place) // step)
