"""How a table holds series: which columns are times, ids and values; guessed where nobody says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.table import Row, Table
from elman.data.time_series import grid as calendar
from elman.data.time_series.options import Layout, SeriesOptions
from elman.errors import UserError

TIMES = ("ds", "date", "time", "datetime", "timestamp", "month", "year", "day", "日期", "时间")
IDS = ("unique_id", "series_id", "item_id", "series", "id", "编号")
VALUES = ("y", "value", "target", "值")
MISSING = frozenset({"", "na", "nan", "n/a", "<na>", "null", "none", "?", "-"})
GUESSED_FROM = 1000  # rows


class Settled(NamedTuple):
    """What every column is; how dates are written, "" for none; and for the user what was guessed,
    and what may be a mistake."""

    reading: SeriesOptions
    pattern: str
    facts: tuple[str, ...]
    warnings: tuple[str, ...]


def settle(opened: Table, reading: SeriesOptions) -> Settled:
    """What every column is, guessed where it is not given. UserError: one that is not there."""
    named = (reading.time_column, reading.id_column, *(reading.target or ()), *reading.covariates)
    for name in named:
        if name is not None:
            opened.column(name)
    quiet = BadRows(skip=True)
    rows = [row for row, _ in zip(opened.rows(quiet), range(GUESSED_FROM), strict=False)]
    if not rows:
        raise UserError(f"{opened.shown}: holds no rows")
    layout = reading.layout or _guess_layout(opened, rows, reading)
    settled = replace(reading, layout=layout, header=opened.header)
    if layout == "rows":
        if reading.covariates:
            raise UserError(f"{opened.shown}: one series a row, which leaves no columns for others")
        settled = replace(settled, id_column=reading.id_column or opened.columns[0])
        return Settled(settled, "", _guessed(settled, reading, ()), ())
    given = {name for name in named if name is not None}
    if layout == "long" and reading.id_column is None:
        name = next((c for c in opened.columns if c.lower() in IDS and c not in given), None)
        if name is None:
            raise UserError(f"{opened.shown}: no column of ids; give --id-column")
        settled = replace(settled, id_column=name)
    if layout == "long" and len(reading.target or ()) > 1:
        told = ",".join(reading.target or ())
        raise UserError(f"--target {told}: series one after the other have one column of values")
    free = [c for c in opened.columns if c not in given | {settled.id_column}]
    time = reading.time_column or _guess_time(free, rows, settled.id_column)
    settled = replace(settled, time_column=time)
    pattern = ""
    if time is not None:
        first = str(rows[0].values.get(time, ""))
        pattern = calendar.pattern_of(first) or ""
        if not pattern:
            raise UserError(f'{rows[0].where}: "{time}" is {first!r}; needs {calendar.FITS}')
    if reading.target is None:
        settled = replace(settled, target=_guess_target(opened, rows, settled))
    unused = [c for c in free if c != time and c not in (settled.target or ())]
    words = [c for c in unused if any(_is_words(row.values.get(c)) for row in rows)]
    others = [c for c in unused if c not in words]
    return Settled(settled, pattern, _guessed(settled, reading, others), _not_used(words))


def _is_words(cell: object) -> bool:
    """Whether a cell holds words: no number, no date, and not nothing."""
    text = str(cell).strip()
    missing = cell is None or text.lower() in MISSING
    return not (missing or table.is_number(cell) or calendar.pattern_of(text))


def _not_used(words: Sequence[str]) -> tuple[str, ...]:
    if not words:
        return ()
    return (
        f"columns of words are not used: {_some(words)}; what says one thing of a whole series can "
        "help by --static-columns; for texts with labels there is elman train classify",
    )


def _guess_layout(opened: Table, rows: Sequence[Row], reading: SeriesOptions) -> Layout:
    if reading.id_column is not None:
        return "long"
    if opened.columns[:2] == ("V1", "V2"):
        return "rows"
    for name in opened.columns:
        values = [str(row.values.get(name, "")) for row in rows]
        repeated = len(set(values)) < len(values)
        if name.lower() in IDS and (name == "unique_id" or repeated) and name not in (
            reading.target or ()
        ):  # fmt: skip
            return "long"
    return "wide"


def _guess_time(free: Sequence[str], rows: Sequence[Row], id_column: str | None) -> str | None:
    """The first column that holds dates, or bears such a name, and moves from row to row."""
    for name in sorted(free, key=lambda c: c.lower() not in TIMES):
        cells = [
            str(row.values.get(name, "")) for row in rows[:20]
            if id_column is None or row.values.get(id_column) == rows[0].values.get(id_column)
        ]  # fmt: skip
        pattern = calendar.pattern_of(cells[0])
        if pattern is None or (table.is_number(cells[0]) and "." in cells[0]):
            continue
        different = len(set(cells))
        if pattern == calendar.NUMBER:
            if name.lower() in TIMES and different == len(cells):
                return name
        elif different > 1 or len(cells) == 1:
            return name
    return None


def _guess_target(opened: Table, rows: Sequence[Row], settled: SeriesOptions) -> tuple[str, ...]:
    taken = {settled.time_column, settled.id_column, *settled.covariates}
    free = [c for c in opened.columns if c not in taken]
    if settled.layout == "long":
        for name in free:
            if name.lower() in VALUES:
                return (name,)
    numeric = [c for c in free if any(table.is_number(row.values.get(c)) for row in rows[:20])]
    if settled.layout == "long" and len(numeric) != 1:
        raise UserError(
            f"{opened.shown}: which of {', '.join(free[:20])} holds the values? give --target"
        )
    if not numeric:
        raise UserError(f"{opened.shown}: no column of numbers among {', '.join(free[:20])}")
    return tuple(numeric)


def _guessed(
    settled: SeriesOptions, asked: SeriesOptions, unused: Sequence[str]
) -> tuple[str, ...]:
    words = []
    if asked.layout is None:
        kinds = {"wide": "a series a column", "long": "series one after the other",
                 "rows": "a series a row"}  # fmt: skip
        words.append(kinds[settled.layout or "wide"])
    if asked.time_column is None and settled.layout != "rows":
        time = settled.time_column
        words.append(f'times from column "{time}"' if time else "no column of times")
    if asked.target is None and settled.target:
        words.append(f"values from {_some(settled.target)}")
    if unused:
        words.append(f"not used: {_some(unused)}")
    return (f"taken: {'; '.join(words)}",) if words else ()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
