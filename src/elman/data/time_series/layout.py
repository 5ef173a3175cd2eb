"""How a table holds series: which columns are times, ids and values; found where nobody says.

date,store,item,sales     times that come again: series by (store, item)
No,year,month,day,pm2.5   one time from three columns, and the number of the row
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates, Parts, dates_of
from elman.data.dates.parts import Part
from elman.data.tables.numerals import Numerals
from elman.data.tables.profile import Profile
from elman.data.tables.reading import Column, Reading
from elman.data.tables.reading import reading_from_json as table_from_json
from elman.data.tables.table import Table
from elman.data.time_series import beside, heads, ids, times
from elman.data.time_series.columns import Columns, some, sure
from elman.data.time_series.grid import Grid, grid_from_json
from elman.data.time_series.options import NONE, SeriesOptions
from elman.errors import UserError
from elman.options import make, plain

Ints = NDArray[np.int64]
VALUES = (
    "y", "value", "values", "target", "值", "数值", "wert", "valeur", "valor", "valore", "значение",
    "sales", "demand", "quantity", "qty", "销量", "close", "price", "數值", "値", "값", "銷量",
    "销售额",
    "銷售額", "数量", "數量", "价格", "價格", "売上", "판매량", "매출", "수량", "umsatz", "absatz",
    "menge", "preis", "ventes", "quantité", "prix", "ventas", "cantidad", "precio", "vendas",
    "quantidade", "preço", "vendite", "quantità", "prezzo", "продажи", "количество", "цена",
)  # fmt: skip
NO_DATES: Ints = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class SeriesReading:
    """What was understood of tables of series: kept with a model, applied unchanged to others.

    `grid` is None where the data tells no times; `parts` are what several columns of times say.
    """

    options: SeriesOptions  # settled
    table: Reading
    grid: Grid | None
    parts: tuple[Part, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "options": plain(self.options),
            "table": self.table.to_json(),
            "grid": None if self.grid is None else self.grid.to_json(),
            "parts": list(self.parts),
        }

    @property
    def together(self) -> Parts | None:
        """The columns of times, where they are several."""
        if self.grid is None or not self.parts:
            return None
        return Parts(self.options.times, self.parts, self.grid.dates)


def reading_from_json(data: Any) -> SeriesReading:
    """What gave this `to_json`. UserError where it is damaged."""
    where = "preprocessing.json: damaged"
    try:
        grid = None if data["grid"] is None else grid_from_json(data["grid"])
        options = make(SeriesOptions, data["options"])
        if options.layout is None:
            raise UserError("no layout")
        if grid is not None and options.layout != "rows" and not options.times:
            raise UserError("no time_column")
        parts: tuple[Part, ...] = tuple(data["parts"])
        if not set(parts) <= set(get_args(Part)) or (parts and len(parts) != len(options.times)):
            raise UserError("no such parts of a time")
        return SeriesReading(options, table_from_json(data["table"]), grid, parts)
    except UserError as error:
        told = str(error)
        raise UserError(told if told.startswith(where) else f"{where} ({told})") from None
    except (KeyError, TypeError) as error:
        raise UserError(f"{where} (reading: {error})") from None


class Settled(NamedTuple):
    """What every column is; for the user what was understood, and what may be a mistake."""

    options: SeriesOptions
    reading: Reading
    numbers: Mapping[str, Numerals]  # of the columns to be read: targets, and what helps
    targets: tuple[str, ...]  # one where series stand one after the other, or a row each
    dates: Dates | None = None
    parts: Parts | None = None  # where several columns are one time
    heads: Ints = NO_DATES  # the times of columns, where they are named by them
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def timed(self) -> bool:
        return self.dates is not None


def settle(opened: Table, asked: SeriesOptions) -> Settled:
    """What every column is, found where it is not given. UserError: one that is not there, one
    that does not hold what it should, or where more than one answer is as good."""
    reading, profiles = opened.examined
    named = (*asked.times, *asked.ids, *(asked.target or ()), *asked.covariates)
    for name in named:
        opened.column(name)
    reading = _row_numbers(reading, profiles, named)
    columns = Columns(opened, reading, profiles)
    facts = [*opened.facts, *reading.facts()]
    if asked.layout == "rows" or (asked.layout is None and _is_rows(columns, asked, named)):
        return _rows(columns, asked, facts)
    found = times.find(columns, asked, named)
    if not found.names and _is_numbered(columns, asked, named):
        return _rows(columns, asked, facts)
    taken = {*named, *found.names}
    id_columns: tuple[str, ...] = asked.ids
    if asked.id_column is None and asked.layout != "wide":
        values = asked.target or ()
        id_columns = ids.find(columns, found, {*values, *asked.covariates, *found.names}, asked)
    if asked.layout == "long" and not id_columns:
        raise UserError(f"{opened.shown}: no column of ids; give --id-column")
    layout = asked.layout or ("long" if id_columns else "wide")
    taken |= set(id_columns)
    within = beside.parts_of_time(columns, found, taken)
    again = beside.same_times(columns, found, taken | set(within))
    targets = asked.target or _targets(columns, taken | {*within, *again}, layout)
    if layout == "long" and len(targets) > 1:
        told = ",".join(targets)
        raise UserError(f"--target {told}: series one after the other have one column of values")
    numbers = {
        name: _numerals(columns, name)
        for name in (*targets, *asked.past_columns, *asked.future_columns)
    }
    settled = replace(
        asked, layout=layout, time_column=found.names or NONE, id_column=id_columns or NONE,
        target=targets, header=opened.header,
    )  # fmt: skip
    facts += _taken(settled, asked, found)
    unused = [c for c in columns.usable((*taken, *targets)) if c.name not in within]
    if within:
        facts.append(f"part of the time, and no targets: {some(within)}")
    more, warnings = _unused(unused, found, again)
    return Settled(
        settled, reading, numbers, targets, found.dates, found.parts,
        facts=(*facts, *more), warnings=warnings,
    )  # fmt: skip


def again(opened: Table, known: SeriesReading) -> Settled:
    """The same for another table, read as it was then. UserError: a column that is not there."""
    options, reading = known.options, known.table
    dates = None if known.grid is None else known.grid.dates
    if options.layout == "rows":
        for name in (*options.ids, *options.static_columns):
            opened.column(name)
        others = [c for c in opened.columns if c not in (*options.ids, *options.static_columns)]
        moments = NO_DATES
        if dates is not None:
            others, moments = heads.dated(others, dates)
        elif opened.header:
            others = heads.numbered(others, 2) or others
        numbers = {name: reading.column(name).numerals or Numerals() for name in others}
        return Settled(options, reading, numbers, ("value",), dates, heads=moments)
    values = (*(options.target or ()), *options.past_columns, *options.future_columns)
    for name in (*options.times, *options.ids, *values, *options.static_columns):
        opened.column(name)
    numbers = {name: reading.column(name).numerals or Numerals() for name in values}
    return Settled(options, reading, numbers, options.target or (), dates, known.together)


def moment_of(when: str, dates: Dates) -> int | None:
    """A moment as the data writes it, or in another way that has one meaning; None for others."""
    found, faulty = dates.moments([when])
    if not faulty[0]:
        return int(found[0])
    profile = Profile("")
    profile.add([when], [1])
    other = dates_of(profile)
    if other is None or not other.sure or dates.resolution == "number":
        return None
    found, faulty = other.moments([when])
    return None if faulty[0] else int(found[0])


# ---- A series a row ------------------------------------------------------------------------


def _is_rows(columns: Columns, asked: SeriesOptions, named: Sequence[str]) -> bool:
    if columns.opened.columns[:2] == ("V1", "V2"):
        return True
    usable = columns.usable(named)
    if asked.time_column is not None or any(map(sure, usable)):
        return False
    numeric = [c.name for c in usable if c.numerals is not None]
    return columns.opened.header and heads.find(numeric) is not None


def _numeric(reading: Reading, names: Sequence[str]) -> list[str]:
    return [name for name in names if reading.column(name).numerals is not None]


def _is_numbered(columns: Columns, asked: SeriesOptions, named: Sequence[str]) -> bool:
    """Whether columns are the numbered steps of a series a row: id,store_id,d_1,d_2,d_3.

    UserError where there are too few to tell.
    """
    if asked.layout is not None or asked.time_column is not None or not columns.opened.header:
        return False
    if asked.target is not None or asked.covariates:
        return False
    usable = columns.usable(tuple(named))
    run = heads.numbered([c.name for c in usable if c.numerals is not None], heads.LEAST)
    others = [c for c in usable if c.name not in run]
    if len(run) < max(heads.LEAST, len(usable) / 2) or not (others or asked.ids):
        return False
    called = bool(asked.ids) or any(
        c.numerals is None or c.name.lower() in ids.KNOWN for c in others
    )
    if len(run) >= heads.NUMBERED and called:
        return True
    if called or len(run) >= heads.NUMBERED:
        raise UserError(
            f"{columns.shown}: are {run[0]} to {run[-1]} the steps of a series a row, or a series "
            "each? give --layout rows, or --layout wide"
        )
    return False


def _rows(columns: Columns, asked: SeriesOptions, facts: list[str]) -> Settled:
    opened, reading = columns.opened, columns.reading
    if asked.past_columns or asked.future_columns:
        raise UserError(f"{opened.shown}: one series a row, which leaves no columns for others")
    usable = [c for c in columns.usable() if c.name not in asked.static_columns]
    free = [c.name for c in usable if c.name not in asked.ids]
    found = heads.find(_numeric(reading, free))
    moments, dates, others = NO_DATES, None, free
    id_columns = asked.ids
    if opened.header and found is not None:
        others, moments, dates = found
        others, moments = heads.dated(free, dates)  # of columns without a number, too
        if not id_columns:
            id_columns = ids.of_rows(columns, [c for c in free if c not in others])
    elif opened.header and (steps := heads.numbered(_numeric(reading, free), heads.LEAST)):
        others = steps
        id_columns = id_columns or ids.of_rows(columns, [c for c in free if c not in steps])
    elif not id_columns:
        id_columns, others = (opened.columns[0],), [c for c in free if c != opened.columns[0]]
    numbers = {name: reading.column(name).numerals or Numerals() for name in others}
    unused = [c for c in free if c not in (*others, *id_columns)]
    settled = replace(
        asked, layout="rows", id_column=id_columns, header=opened.header,
        time_column=NONE if dates is None else None,
    )  # fmt: skip
    facts.append(f"taken: a series a row, named by {some(id_columns)}")
    if dates is not None:
        first, last = others[0], others[-1]
        facts.append(f"times from the header, {first} to {last}")
    if unused:
        facts.append(f"not used: {some(unused)}")
    return Settled(
        settled, reading, numbers, ("value",), dates, heads=moments, facts=tuple(facts)
    )  # fmt: skip


# ---- Values --------------------------------------------------------------------------------


def _row_numbers(
    reading: Reading, profiles: Mapping[str, Profile], named: Sequence[str]
) -> Reading:
    """Columns of ids that count up are the number of the row; what the user names is read."""
    made = []
    for column in reading.columns:
        if column.name in named:
            column = replace(column, passed_over="")
        elif (
            not column.passed_over
            and profiles[column.name].counts_up
            and column.name.lower() in ids.KNOWN
        ):
            column = replace(column, passed_over="the row number")
        made.append(column)
    return replace(reading, columns=tuple(made))


def _targets(columns: Columns, taken: set[str], layout: str) -> tuple[str, ...]:
    free, numeric = columns.usable(tuple(taken)), columns.numbers(tuple(taken))
    if layout == "long":
        known = [name for name in numeric if name.lower() in VALUES]
        known.sort(key=lambda name: VALUES.index(name.lower()))
        if known and (len(known) == 1 or known[0].lower() in VALUES[:4]):
            return (known[0],)
        if len(numeric) != 1:
            among = some(numeric or [c.name for c in free])
            raise UserError(f"{columns.shown}: which of {among} holds the values? give --target")
    if not numeric:
        raise UserError(
            f"{columns.shown}: no column of numbers among {some([c.name for c in free])}"
        )
    return tuple(numeric)


def _numerals(columns: Columns, name: str) -> Numerals:
    """How a column that is to hold numbers writes them. UserError: one of something else."""
    column = columns.reading.column(name)
    if column.numerals is not None:
        return column.numerals
    profile = columns.profiles[name]
    if not profile.present:
        return Numerals()
    first = min(profile.first.values())
    raise UserError(
        f'{columns.opened.where(first.number)}: "{name}" is {first.cell[:40]!r}, not a number'
    )


# ---- What is told --------------------------------------------------------------------------


def _taken(settled: SeriesOptions, asked: SeriesOptions, found: times.Times) -> list[str]:
    words = []
    if asked.layout is None:
        words.append(
            "a series a column" if settled.layout == "wide" else "series one after the other"
        )
    if found.dates is not None:
        name = some(found.names)
        plural = "s" if len(found.names) > 1 else ""
        how = found.dates.told()
        quoted = name if plural else f'"{name}"'
        words.append(f"times from column{plural} {quoted}{f' ({how})' if how else ''}")
    elif asked.time_column is None:
        words.append("no column of times")
    if asked.id_column is None and settled.ids:
        words.append(f"series named by {some(settled.ids)}")
    if asked.target is None and settled.target:
        words.append(f"values from {some(settled.target)}")
    return [f"taken: {'; '.join(words)}"] if words else []


def _unused(
    columns: Sequence[Column], found: times.Times, again: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Of the columns that are left: what is told, and warned of."""
    dated = [c.name for c in columns if sure(c) or c.name in again]
    words = [c.name for c in columns if c.numerals is None and c.name not in dated]
    others = [c.name for c in columns if c.numerals is not None and c.name not in dated]
    facts = []
    if others:
        facts.append(f"not used: {some(others)}")
    if dated:
        why = f'the times are those of "{some(found.names)}"' if found.names else "as you asked"
        facts.append(f"dates that are not used: {some(dated)}; {why}, --time-column says otherwise")
    if not words:
        return tuple(facts), ()
    return tuple(facts), (
        f"columns of words are not used: {some(words)}; what says one thing of a whole series can "
        "help by --static-columns; for texts with labels there is elman train classify",
    )
