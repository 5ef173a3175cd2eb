"""Tables with a source and a target in every row."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace

from elman.data.forms import forms
from elman.data.forms.other_forms import PACKED
from elman.data.pairs.columns import SOURCES, is_language, settle, usual
from elman.data.pairs.lines import lines_of
from elman.data.pairs.pairs import Pairs
from elman.data.pairs.roles import PairRoles
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.delimited import is_number
from elman.data.tables.options import TableOptions
from elman.data.tables.table import Row, Table

GUESSED_FROM = 1000  # rows


def is_table(one: Source, roles: PairRoles, asked: TableOptions) -> bool:
    """By its form or its name, else by its first line: with a tab in it, or an object of JSON."""
    packed = one.path.suffix in PACKED
    if table.ending(one) in table.ENDINGS or (not packed and forms.form_of(one.path, one.shown)):
        return True
    lines = lines_of(one, roles, asked)
    first = next((line.strip("\r\n") for line in lines if line.strip()), "")
    if "\t" in first or (first.startswith("{") and first.rstrip().endswith("}")):
        return True
    cells = [cell.strip().strip('"') for cell in re.split("[,;|]", first)]
    return len(cells) > 1 and usual(cells) is not None


def read_table(one: Source, roles: PairRoles, bad: BadRows, asked: TableOptions) -> Pairs:
    """The pairs of one table, whose columns are guessed where they are not known."""
    opened = open_table(one, roles, asked)
    new = roles.table is None
    roles, facts = settle(opened, roles)
    if new and roles.table is not None:
        facts = (*opened.facts, *roles.table.facts(), *facts)
    pairs = Pairs(facts=facts, roles=roles)
    names = [name for name in (roles.source_column, roles.target_column) if name is not None]
    for row in opened.rows(bad):
        try:
            ours, theirs = (_text(row, name) for name in names)
        except ValueError as error:
            bad.add(row.where, str(error))
        else:
            pairs.append(ours, theirs, row.where)
    return pairs


def open_table(
    one: Source, roles: PairRoles, asked: TableOptions, *, targets: bool = True
) -> Table:
    """Its first row is a header if it holds names that are asked for, or usual ones, or is the only
    one that is no number in a column.

    `table.open_table` takes a first row that never comes again for a header, as no sentence may.
    """
    opened = table.open_table(one, asked, roles.table)
    if opened.unit != "line" or opened.form == "json" or asked.header is not None or roles.table:
        return opened
    bare = table.open_table(one, replace(asked, header=False))
    rows = [
        [str(v) for v in row.values.values()]
        for row in itertools.islice(bare.rows(BadRows(skip=True)), GUESSED_FROM)
    ]
    header = bool(rows) and (_is_header(rows[0], roles, targets) or _over_numbers(rows))
    return table.open_table(one, replace(asked, header=header))


def _is_header(head: Sequence[str], roles: PairRoles, targets: bool) -> bool:
    names = [name.strip() for name in head]
    asked = (roles.source_column, roles.target_column)
    if any(name in names for name in asked if name is not None and not name.isdecimal()):
        return True
    if targets:
        return usual(names) is not None
    return any(name.lower() in SOURCES or is_language(name) for name in names)


def _over_numbers(rows: Sequence[Sequence[str]]) -> bool:
    """Whether in some column all cells are numbers but the first."""
    return any(
        len(cells) > 1 and not is_number(cells[0]) and all(map(is_number, cells[1:]))
        for cells in zip(*rows, strict=True)
    )


def _text(row: Row, name: str) -> str:
    """A cell's text. ValueError, with what is wrong, where there is none."""
    value = row.values.get(name)
    if isinstance(value, list | dict):
        raise ValueError(f'"{name}" is no text but {str(value)[:40]}')
    text = "" if value is None else str(value).strip()
    if not text:
        raise ValueError(f'"{name}" is empty')
    return text
