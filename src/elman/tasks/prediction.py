"""One row out for one row in: what the tasks that answer row by row have in common."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TextIO, TypeAlias, TypeVar

from elman.data import examples, source
from elman.data.examples import Examples, Reading
from elman.data.tables import table
from elman.data.tables.arriving import Arriving
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import Row, Table, text_lines
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
    reading: Reading
    arriving: Arriving | None = None


def tables(data: Sequence[str], reading: Reading, *, texts: bool) -> Sequence[Rows]:
    """The data as tables to be read row by row; none where it is not all tables.

    A model of `texts` that has not learnt from a table reads plain lines. UserError: tables that
    differ in form or columns, or lack those that the model reads.
    """
    if list(data) == ["-"]:
        return [_stream(reading, texts=texts)]
    if any(item != "-" and Path(item).is_dir() for item in data):
        return []
    sources = source.resolve(data)
    kinds = {examples.kind_of(one) for one in sources}
    if not kinds <= {"table", "lines"}:
        return []
    from_lines = texts and not examples.of_table(reading)
    found = []
    for one in sources:
        if from_lines and examples.kind_of(one) == "lines":
            opened = table.plain_lines(one.shown, partial(text_lines, one, reading.encoding))
            found.append(Rows(opened, replace(reading, text_column=table.LINE)))
        else:
            opened = table.open_table(
                one, TableOptions(header=reading.header, encoding=reading.encoding)
            )
            settled, _ = examples.settle(opened, reading, labelled=False)
            found.append(Rows(opened, settled))
    return alike(found)


def alike(found: Sequence[Rows]) -> Sequence[Rows]:
    """The same tables. UserError: they cannot be answered as one."""
    first = found[0].table
    for other in (rows.table for rows in found):
        if (other.form, other.columns) != (first.form, first.columns):
            raise UserError(
                f"{other.shown}: has other columns than {first.shown}; give one after the other"
            )
    return found


def _stream(reading: Reading, *, texts: bool) -> Rows:
    shown = "standard input"
    arriving = Arriving(shown, sys.stdin.buffer, reading.encoding)
    if examples.of_table(reading):
        opened = table.open_stream(
            shown, arriving, TableOptions(header=reading.header is not False)
        )
        if opened.header and reading.text_column not in (None, *opened.columns):
            raise UserError(
                f'{shown}: begin with a line of names, "{reading.text_column}" among them, where '
                f"now stands: {', '.join(opened.columns)[:60]}"
            )
        return Rows(opened, reading, arriving)
    if not texts:
        raise UserError(f"{shown}: this model reads images or arrays; give files of them")
    opened = table.plain_lines(shown, lambda: arriving)
    return Rows(opened, replace(reading, text_column=table.LINE), arriving)


def answer_rows(tables: Sequence[Rows], answers: Answers, out: TextIO, bad: BadRows) -> None:
    """Each row again, with the answer in columns after its own. UserError: such columns exist."""
    first = tables[0].table
    for name in answers.columns:
        if name in first.columns:
            raise UserError(f'{first.shown}: has a column "{name}" already; rename it')
    contents = [examples.reader(rows.table, rows.reading) for rows in tables]
    writer = Writer(
        out, first.form, (*first.columns, *answers.columns), header=first.header,
        dialect=first.dialect, head=first.head,
    )  # fmt: skip
    for rows, content in zip(tables, contents, strict=True):
        for block in together(rows.table.rows(bad), rows.arriving):
            read: list[tuple[Row, Any]] = []
            for row in block:
                try:
                    read.append((row, content(row)))
                except ValueError as error:
                    bad.add(row.where, str(error))
            for (row, _), answer in zip(read, answers([s for _, s in read]), strict=True):
                if isinstance(answer, str):
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
