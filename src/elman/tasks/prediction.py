"""One row out for one row in: what the tasks that answer row by row have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeAlias, TypeVar

from elman.data import source
from elman.data.labelled.examples import Examples
from elman.data.labelled.files import kind_of
from elman.data.labelled.roles import LabelRoles, Wanted, settle
from elman.data.labelled.tables import reader
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.arriving import ENCODING, STANDARD_INPUT, Arriving, standard_input
from elman.data.tables.content import BadRows
from elman.data.tables.delimited import split_lines
from elman.data.tables.table import Row, Table
from elman.data.tables.writer import Writer
from elman.errors import UserError

Item = TypeVar("Item")

AT_ONCE = 256  # rows answered together

Answer: TypeAlias = Mapping[str, Any] | str  # cells by column, or what is wrong with the sequence


class Answers(Protocol):
    """A model that answers sequences, each with a cell in these columns."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def __call__(self, sequences: Sequence[Any]) -> list[Answer]: ...


@dataclass(frozen=True)
class Rows:
    """A table to be answered, how its sequences are read, and the stream that it comes from."""

    table: Table
    roles: LabelRoles
    arriving: Arriving | None = None


def tables(data: Sequence[str], roles: LabelRoles, *, texts: bool) -> Sequence[Rows]:
    """The data as tables to be read row by row; none where it is not all tables.

    A model of `texts` that has not learnt from a table reads plain lines. UserError: tables that
    differ in form or columns, or lack those that the model reads.
    """
    if list(data) == ["-"]:
        return [_stream(roles, texts=texts)]
    if any(item != "-" and Path(item).is_dir() for item in data):
        return []
    sources = source.resolve(data)
    kinds = {kind_of(one) for one in sources}
    if not kinds <= {"table", "lines", "marked"}:
        return []
    from_lines = texts and not roles.of_table
    found = []
    for one in sources:
        if from_lines and kind_of(one) in ("lines", "marked"):
            lines = partial(_lines, one, roles.encoding)
            found.append(Rows(table.plain_lines(one.shown, lines), _of_lines(roles)))
        else:
            opened = table.open_table(one, known=roles.table if roles.of_table else None)
            found.append(Rows(opened, settle(opened, roles, Wanted(labelled=False))[0]))
    return alike(found)


def _lines(one: Source, expected: str) -> Iterator[str]:
    texts = source.read_text([one], expected=expected, instead=ENCODING)
    return split_lines(one.shown, texts)


def _of_lines(roles: LabelRoles) -> LabelRoles:
    return replace(roles, text_columns=(table.LINE,), columns=None)


def alike(found: Sequence[Rows]) -> Sequence[Rows]:
    """The same tables. UserError: they cannot be answered as one."""
    check_alike([rows.table for rows in found])
    return found


def check_alike(found: Sequence[Table]) -> None:
    """UserError: tables that cannot be answered as one."""
    first = found[0]
    for other in found:
        if (other.form, other.columns) != (first.form, first.columns):
            raise UserError(
                f"{other.shown}: has other columns than {first.shown}; give one after the other"
            )


def check_new(columns: Sequence[str], opened: Table) -> None:
    """UserError: a table that has one of these columns already."""
    for name in columns:
        if name in opened.columns:
            raise UserError(f'{opened.shown}: has a column "{name}" already; rename it')


def _stream(roles: LabelRoles, *, texts: bool) -> Rows:
    shown, arriving = STANDARD_INPUT, standard_input(expected=roles.encoding)
    if roles.of_table:
        opened = table.open_stream(shown, arriving, known=roles.table, blanks=True)
        lacking = [n for n in roles.text_columns or () if n not in opened.columns]
        if opened.header and lacking:
            raise UserError(
                f'{shown}: begin with a line of names, "{lacking[0]}" among them, where '
                f"now stands: {', '.join(opened.columns)[:60]}"
            )
        return Rows(opened, roles, arriving)
    if not texts:
        raise UserError(f"{shown}: this model reads images or arrays; give files of them")
    opened = table.plain_lines(shown, lambda: arriving, at_once=1)
    return Rows(opened, _of_lines(roles), arriving)


def answer_rows(tables: Sequence[Rows], answers: Answers, out: TextIO, bad: BadRows) -> None:
    """Each row again, with the answer in columns after its own; a blank line has an empty one.

    UserError: such columns exist.
    """
    first = tables[0].table
    check_new(answers.columns, first)
    contents = [reader(rows.table, rows.roles) for rows in tables]
    blank = dict.fromkeys(answers.columns, "")
    writer = Writer.of(out, first, answers.columns)
    for rows, content in zip(tables, contents, strict=True):
        for block in together(rows.table.rows(bad), rows.arriving):
            read: list[Any] = []
            rows_read: list[Row] = []
            for row in block:
                try:
                    empty = not row.values or (first.form == "lines" and not row.values[table.LINE])
                    read.append(None if empty else content(row))
                    rows_read.append(row)
                except ValueError as error:
                    bad.add(row.where, str(error))
            told = iter(answers([sequence for sequence in read if sequence is not None]))
            for row, sequence in zip(rows_read, read, strict=True):
                answer = blank if sequence is None else next(told)
                if not row.values:
                    out.write("\n")
                elif isinstance(answer, str):
                    bad.add(row.where, answer)
                else:
                    writer.write({**row.values, **answer})
            out.flush()


def answer_examples(read: Examples, answers: Answers, out: TextIO, bad: BadRows) -> None:
    """For sequences that stand in no table one of CSV: where each came from, and its answer."""
    writer = Writer(out, "csv", ("where", *answers.columns), header=True)
    sequences: Sequence[Any] = read.texts or read.vectors
    for start in range(0, len(read), AT_ONCE):
        stop = min(start + AT_ONCE, len(read))
        for k, answer in zip(range(start, stop), answers(sequences[start:stop]), strict=True):
            if isinstance(answer, str):
                bad.add(read.where[k], answer)
            else:
                writer.write({"where": read.where[k], **answer})


def together(
    items: Iterator[Item], arriving: Arriving | None, most: int = AT_ONCE
) -> Iterator[list[Item]]:
    """Rows, or whatever is answered, so many at once as are there: who sends one and waits gets
    its answer."""
    block: list[Item] = []
    for item in items:
        block.append(item)
        if len(block) == most or (arriving is not None and arriving.waiting()):
            yield block
            block = []
    if block:
        yield block
