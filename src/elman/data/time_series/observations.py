"""Rows of a table as arrays: which series, when, which values, and in which line they stand.

unique_id,ds,y        a value in each row
north,2024-01-02,3.5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates
from elman.data.tables.content import BadRows, Block
from elman.data.tables.numerals import Numerals
from elman.data.tables.profile import is_missing
from elman.data.tables.table import Table
from elman.data.time_series.layout import Settled
from elman.wording import counted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Name = tuple[str, ...]
Kind = TypeVar("Kind", np.int64, np.float64)
SHOWN = 40  # characters of a cell in a message
GROWS = 1.25  # by which an array grows that is full


@dataclass(frozen=True)
class Observations:
    """N rows that could be read, in the order of the table."""

    names: list[Name]  # of the series, as their ids stand in the table
    static: list[Name]  # of each series
    which: Ints  # [N], the numbers of the series
    moments: Ints  # [N], microseconds since 1970; without times the numbers of the values, from 1
    lines: Ints  # [N]
    values: Floats  # [N, C], NaN where one is missing
    facts: tuple[str, ...] = ()

    def at(self, chosen: Any) -> Observations:
        """Some of the rows, or all in another order."""
        return replace(
            self, which=self.which[chosen], moments=self.moments[chosen],
            lines=self.lines[chosen], values=self.values[chosen],
        )  # fmt: skip


class _Growing(Generic[Kind]):
    """Rows that are added block by block, in one array all along: of a long table all blocks and
    the whole would not have room side by side."""

    def __init__(self, kind: type[Kind]) -> None:
        self._rows: NDArray[Kind] = np.empty(0, kind)
        self._count = 0

    def add(self, part: NDArray[Kind]) -> None:
        if not self._count:
            self._rows = np.empty((0, *part.shape[1:]), self._rows.dtype)
        end = self._count + len(part)
        if end > len(self._rows):
            grown = max(end, int(GROWS * len(self._rows)))
            self._rows.resize((grown, *part.shape[1:]), refcheck=False)
        self._rows[self._count : end] = part
        self._count = end

    def whole(self) -> NDArray[Kind]:
        self._rows.resize((self._count, *self._rows.shape[1:]), refcheck=False)
        return self._rows


@dataclass
class _Reader:
    """What has been read so far, block by block."""

    opened: Table
    settled: Settled
    bad: BadRows
    numbers: dict[Name, int] = field(default_factory=dict)
    static: list[Name] = field(default_factory=list)
    which: _Growing[np.int64] = field(default_factory=lambda: _Growing(np.int64))
    moments: _Growing[np.int64] = field(default_factory=lambda: _Growing(np.int64))
    lines: _Growing[np.int64] = field(default_factory=lambda: _Growing(np.int64))
    values: _Growing[np.float64] = field(default_factory=lambda: _Growing(np.float64))
    blank: int = 0

    def add(self, which: Ints, moments: Ints, lines: Ints, values: Floats) -> None:
        """More rows: [n], and values [n, C]."""
        self.which.add(which)
        self.moments.add(moments)
        self.lines.add(lines)
        self.values.add(values)

    def whole(self) -> Observations:
        which, facts = self.which.whole(), list[str]()
        if self.blank:
            facts.append(f"left out: {counted(self.blank, 'row')} without a time and a value")
        values = self.values.whole()
        return Observations(
            list(self.numbers), self.static, which,
            self.moments.whole() if self.settled.timed else _counted(which), self.lines.whole(),
            values if values.ndim == 2 else values[:, None], tuple(facts),
        )  # fmt: skip


def read(opened: Table, settled: Settled, bad: BadRows) -> Observations:
    """Every row, those that are wrong left out, or a UserError at the first."""
    reader = _Reader(opened, settled, bad)
    add = _add_series if settled.options.layout == "rows" else _add_rows
    for block in opened.blocks(bad):
        add(reader, block)
    return reader.whole()


def _add_rows(reader: _Reader, block: Block) -> None:
    """A time a row."""
    settled, opened = reader.settled, reader.opened
    place = {name: k for k, name in enumerate(opened.columns)}

    def column(name: str) -> list[Any]:
        return list(map(itemgetter(place[name]), block.cells))

    wrong: dict[int, str] = {}
    lines = np.asarray(block.numbers, dtype=np.int64)
    values = np.empty((len(lines), len(settled.numbers)))
    for c, (name, numerals) in enumerate(settled.numbers.items()):
        cells = column(name)
        values[:, c], faulty = numerals.numbers(cells)
        for k in np.flatnonzero(faulty).tolist():
            wrong.setdefault(k, not_a_number(name, cells[k], numerals))
    moments = np.zeros(len(lines), dtype=np.int64)
    if settled.timed:
        moments, empty = _moments(settled, [column(name) for name in settled.options.times], wrong)
        for k in empty:
            cells = [block.cells[k][place[name]] for name in settled.numbers]
            if all(map(is_missing, cells)):  # as spreadsheets leave them at the end
                reader.blank += 1
                wrong[k] = ""
    ids = [list(map(str, column(name))) for name in settled.options.ids]
    names: list[Name] = list(zip(*ids, strict=True)) if ids else [()] * len(lines)
    kept = np.ones(len(lines), dtype=np.bool_)
    for k in sorted(wrong):
        kept[k] = False
        if wrong[k]:
            reader.bad.add(opened.where(int(lines[k])), wrong[k])
    if wrong:
        names = [name for k, name in enumerate(names) if kept[k]]
    which = _numbers(reader, names)
    fresh = len(reader.numbers) - len(reader.static)
    if fresh:
        columns = [column(name) for name in settled.options.static_columns]
        rows = np.flatnonzero(kept)
        _, first = np.unique(which, return_index=True)
        for k in sorted(first.tolist()):
            if which[k] >= len(reader.static):
                cells = [cells[rows[k]] for cells in columns]
                reader.static.append(tuple("" if c is None else str(c).strip() for c in cells))
    reader.add(which, moments[kept], lines[kept], values[kept])


def _numbers(reader: _Reader, names: Sequence[Name]) -> Ints:
    """The numbers of series, which are known by the order in which they come."""
    known = reader.numbers
    for name in dict.fromkeys(names):
        known.setdefault(name, len(known))
    return np.fromiter(map(known.__getitem__, names), np.int64, len(names))


def _moments(
    settled: Settled, columns: list[list[Any]], wrong: dict[int, str]
) -> tuple[Ints, list[int]]:
    """Moments of rows, what is wrong told; and the rows that have none at all."""
    assert settled.dates is not None
    cells = columns[0] if settled.parts is None else settled.parts.cells(columns)
    moments, faulty = settled.dates.moments(cells)
    empty = []
    for k in np.flatnonzero(faulty).tolist():
        if all(is_missing(column[k]) for column in columns):
            empty.append(k)
        name = ", ".join(settled.options.times)
        wrong[k] = not_a_date(name, cells[k], settled.dates, moments[~faulty])
    return moments, empty


def _add_series(reader: _Reader, block: Block) -> None:
    """A series a row."""
    settled, opened = reader.settled, reader.opened
    place = {name: k for k, name in enumerate(opened.columns)}
    for line, record in zip(block.numbers, block.cells, strict=True):
        cells = [record[place[name]] for name in settled.numbers]
        while cells and is_missing(cells[-1]):
            cells.pop()
        name = tuple(str(record[place[n]]) for n in settled.options.ids)
        values = np.empty(len(cells))
        told = ""
        for k, (column, numerals) in enumerate(list(settled.numbers.items())[: len(cells)]):
            value = numerals.number(cells[k])
            if value is None:
                told = told or not_a_number(column, cells[k], numerals)
            else:
                values[k] = value
        if not told and not np.isfinite(values).any():
            told = "holds no values"
        if not told and name in reader.numbers:
            told = f'the series "{shown(name)}" comes twice'
        if told:
            reader.bad.add(opened.where(line), told)
            continue
        number = reader.numbers.setdefault(name, len(reader.numbers))
        columns = settled.options.static_columns
        reader.static.append(tuple(str(record[place[n]]).strip() for n in columns))
        T = len(values)
        moments = settled.heads[:T] if settled.timed else np.arange(1, T + 1)
        there = np.full(T, line, dtype=np.int64)
        reader.add(np.full(T, number), moments, there, values[:, None])


def _counted(which: Ints) -> Ints:
    """The numbers of values within their series, from 1."""
    order = np.argsort(which, kind="stable")
    ranked = which[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-1))
    lengths = np.diff(np.append(starts, len(which)))
    counted = np.empty(len(which), dtype=np.int64)
    counted[order] = np.arange(len(which)) - np.repeat(starts, lengths) + 1
    return counted


def shown(name: Name) -> str:
    """A series as it is called: its ids, joined, but for those that are empty."""
    return "/".join(filter(None, name))


def not_a_number(column: str, cell: object, numerals: Numerals) -> str:
    """What is wrong with a cell that is no number of its column."""
    text = str(cell).strip()
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return f'"{column}" is {text!r}, not a finite number'
    how = numerals.told()
    return f'"{column}" is {str(cell)[:SHOWN]!r}, not a number{f" ({how})" if how else ""}'


def not_a_date(column: str, cell: object, dates: Dates, others: Ints) -> str:
    """What is wrong with a cell that is no date of its column."""
    what = "is empty" if is_missing(cell) else f"is {str(cell)[:SHOWN]!r}"
    example = f" as {dates.text(int(others[0]))}" if len(others) else ""
    return f'"{column}" {what}; needs a date{example} ({dates.told()})'
