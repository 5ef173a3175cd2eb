"""Labelled sequences out of tables: which columns they stand in is found by `label_roles`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from elman.data.labelled.examples import Examples, Vectors
from elman.data.labelled.roles import LabelRoles, Wanted, settle
from elman.data.labelled.several import Labels
from elman.data.source import Source
from elman.data.tables.content import BadRows
from elman.data.tables.numerals import Numerals
from elman.data.tables.table import Row, Table, open_table
from elman.errors import UserError

LONGEST_TEXT = 1 << 20  # characters
BETWEEN = "\n"  # texts of several columns
MARKED = re.compile(r"(?:^|(?<=\s))__label__(\S+)\s*")
PLAIN = Numerals()


def read_table(one: Source, roles: LabelRoles, wanted: Wanted, bad: BadRows) -> Examples:
    """All sequences of a table. UserError: no such columns, and what `bad` does not leave out."""
    opened = open_table(one, wanted.asked, roles.table if roles.of_table else None)
    roles, facts = settle(opened, roles, wanted)
    content = reader(opened, roles)
    result = Examples(facts=facts, roles=roles)
    columns = roles.label_columns or ()
    known: dict[str, str] = {}  # each label once, however many rows have it
    for row in opened.rows(bad):
        try:
            sequence = content(row)
            labels = labels_of(row, roles) if wanted.labelled else None
        except ValueError as error:
            bad.add(row.where, str(error))
            continue
        if isinstance(sequence, str):
            result.texts.append(sequence)
        else:
            result.vectors.append(sequence)
        result.where.append(row.where)
        if labels is None:
            continue
        if roles.several is not None:
            result.sets.append(labels)
        label = labels[0] if roles.several is None else roles.several.written(labels)
        result.labels.append(known.setdefault(label, label))
    if result.texts and result.vectors:
        told = ", ".join(f'"{name}"' for name in roles.text_columns or columns)
        raise UserError(f"{one.shown}: {told} holds texts and lists; give one kind")
    return result


def labels_of(row: Row, roles: LabelRoles) -> Labels:
    """The label of a row, or its several. ValueError, with what is wrong, where it has none."""
    columns = roles.label_columns or ()
    if roles.several is not None:
        return roles.several.read(row.values, columns)
    value = row.values.get(columns[0])
    if isinstance(value, list | dict):
        raise ValueError(f'"{columns[0]}" is no label but {str(value)[:40]}')
    label = "" if value is None else str(value).strip()
    if not label:
        raise ValueError(f'"{columns[0]}" is empty')
    return (label,)


def reader(opened: Table, roles: LabelRoles) -> Callable[[Row], str | Vectors]:
    """From a row to its sequence; it raises ValueError, with what is wrong, where there is none."""
    texts, columns = roles.text_columns, roles.columns or ()
    for name in columns if texts is None else texts:
        opened.column(name)
    if texts is None:
        reading = opened.examined.reading
        ways = [reading.column(name).numerals or PLAIN for name in columns]
        alike = {replace(way, prefix="", suffix="", minus="-", digits="") for way in ways}
        one = alike.pop() if len(alike) == 1 else None
        return lambda row: _numbers(columns, [row.values.get(name) for name in columns], ways, one)
    marked = roles.marked and len(texts) == 1

    def content(row: Row) -> str | Vectors:
        if len(texts) == 1 and isinstance(value := row.values.get(texts[0]), list):
            if value and all(isinstance(token, str) for token in value):
                return checked(" ".join(value), f'"{texts[0]}"')
            return _vectors(texts[0], value)
        parts = [_part(name, row.values.get(name)) for name in texts]
        text = BETWEEN.join(filter(None, parts))
        return checked(MARKED.sub("", text).strip() if marked else text, _named(texts))

    return content


def checked(text: str, name: str) -> str:
    """The text. ValueError where it is empty or far too long."""
    if not text:
        raise ValueError(f"{name} is empty")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{name} has {len(text):,} characters; cut it into parts")
    return text


def _part(name: str, value: object) -> str:
    if isinstance(value, list | dict):
        raise ValueError(f'"{name}" is neither a text nor a list of numbers')
    return "" if value is None else str(value).strip()


def _named(texts: Sequence[str]) -> str:
    return " and ".join(f'"{name}"' for name in texts)


def _numbers(
    names: Sequence[str], cells: Sequence[object], ways: Sequence[Numerals], one: Numerals | None
) -> Vectors:
    """The numbers of a row's cells as [T, 1]; `one` is how all of them are written, if alike."""
    if one is not None:
        values, bad = one.numbers(cells)
    else:
        found = [way.number(cell) for way, cell in zip(ways, cells, strict=True)]
        bad = np.array([value is None for value in found])
        values = np.array([np.nan if value is None else value for value in found])
    with np.errstate(over="ignore"):
        array: Vectors = values[:, None].astype(np.float32)  # of its own: a view would keep two
    if not np.isfinite(array).all():
        k = int(np.isfinite(array[:, 0]).argmin())
        name, cell = names[k], cells[k]
        if bad[k]:
            raise ValueError(f'"{name}" is {str(cell)[:40]!r}, not a number')
        if not np.isnan(values[k]):
            raise ValueError(f'"{name}" is {str(cell)[:40]}, not a finite number')
        empty = cell is None or not str(cell).strip()
        raise ValueError(f'"{name}" is ' + ("empty" if empty else f"{cell!r}: missing"))
    return array


def _vectors(name: str, values: Sequence[object]) -> Vectors:
    """A list of numbers, or of lists of equally many, as [T, I]."""
    array = _finite(values)
    if array is None or array.ndim not in (1, 2) or not array.size:
        raise ValueError(f'"{name}" is no list of finite numbers, or of equally long lists of them')
    return array[:, None] if array.ndim == 1 else array


def _finite(values: Sequence[object]) -> Vectors | None:
    """As float32; None where one is no number, or one that float32 cannot hold."""
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if np.isfinite(array).all() else None
