"""Tables of one record a row: CSV, TSV and JSON lines, read as a stream and written as they came.

    label,review
    1,"很快，好吃，味道足，量大"

Or one JSON object a line: `{"label": "up", "x": [0.1, 0.3, 0.2]}`.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TextIO, TypeAlias

from elman.data.source import Source, read_text
from elman.errors import UserError, unknown_name

Form: TypeAlias = Literal["csv", "tsv", "json"]

SNIFFED = 1000  # rows from whose values a header is told from a record
LONGEST_FIELD = 1 << 24  # characters
ENDINGS: Mapping[str, Form] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
SKIP = "give --skip-bad-rows to leave such rows out"

csv.field_size_limit(LONGEST_FIELD)


@dataclass(frozen=True)
class Row:
    """One record: its cells by column, and where it stands, for messages."""

    where: str
    values: Mapping[str, Any]


@dataclass
class BadRows:
    """What becomes of rows that cannot be read: an error at the first, or left out and counted."""

    skip: bool
    count: int = 0
    first: list[str] = field(default_factory=list)  # of the first few, what is wrong

    def add(self, where: str, what: str) -> None:
        """A row that is wrong. UserError, unless such rows are left out."""
        if not self.skip:
            raise UserError(f"{where}: {what}; {SKIP}")
        self.count += 1
        if len(self.first) < 5:
            self.first.append(f"{where}: {what}")


@dataclass(frozen=True)
class Table:
    """A source read as a table; `columns` are numbers, "1", "2", …, where it has no header."""

    shown: str
    form: Form
    columns: tuple[str, ...]
    header: bool
    lines: Callable[[], Iterator[str]]  # from the first on; of a stream only once

    def rows(self, bad: BadRows) -> Iterator[Row]:
        """Every record, in order. A row with too few or too many cells is a bad one."""
        if self.form == "json":
            yield from self._objects(bad)
            return
        for line, cells in _records(self.lines(), self.shown, self.form, skip=self.header):
            where = f"{self.shown}, line {line:,}"
            if len(cells) != len(self.columns):
                bad.add(where, f"{len(cells)} cells where there should be {len(self.columns)}")
            else:
                yield Row(where, dict(zip(self.columns, cells, strict=True)))

    def _objects(self, bad: BadRows) -> Iterator[Row]:
        for line, text in enumerate(self.lines(), start=1):
            if not text.strip():
                continue
            where = f"{self.shown}, line {line:,}"
            value = _object(text)
            if value is None:
                bad.add(where, "not a JSON object on one line")
            else:
                yield Row(where, value)

    def column(self, name: str) -> str:
        """The column of that name. UserError, with the near match, where there is none."""
        if name not in self.columns:
            raise UserError(f"{self.shown}: {unknown_name('column', name, self.columns)}")
        return name


def open_table(source: Source, *, header: bool | None = None, encoding: str = "utf-8") -> Table:
    """A source as a table: its form by its name, else by its first line.

    Whether the first row is a header is guessed where `header` is None: it is none if one of its
    cells is a number, or comes again in its column. UserError: no row, or no such table.
    """

    return _opened(
        source.shown, ENDINGS.get(ending(source)), lambda: text_lines(source, encoding), header
    )


def open_stream(shown: str, stream: TextIO, *, header: bool) -> Table:
    """Lines that come one by one as a table: nothing is read before it is needed."""
    first = next((line for line in stream if line.strip()), "")
    table = _opened(shown, None, lambda: iter([first]), header)
    return replace(table, lines=lambda: itertools.chain([first], stream))


def _opened(
    shown: str, form: Form | None, lines: Callable[[], Iterator[str]], header: bool | None
) -> Table:
    first = next((line for line in lines() if line.strip()), None)
    if first is None:
        raise UserError(f"{shown}: holds no rows")
    form = form or ("json" if first.lstrip().startswith("{") else "tsv" if "\t" in first else "csv")
    if form == "json":
        value = _object(first)
        if not value:
            raise UserError(f"{shown}, line 1: not a JSON object on one line")
        return Table(shown, form, tuple(value), False, lines)
    records = _records(lines(), shown, form)
    head = next(cells for _, cells in records)
    if header is None:
        header = not _is_record(head, [cells for _, cells in itertools.islice(records, SNIFFED)])
    names = [name.strip() for name in head]
    if header and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f'{shown}, line 1: two columns are named "{twice}"; rename one')
    columns = names if header else [str(k + 1) for k in range(len(head))]
    return Table(shown, form, tuple(columns), header, lines)


class Writer:
    """Writes rows in the form of a table that was read."""

    def __init__(self, out: TextIO, form: Form, columns: Sequence[str], *, header: bool) -> None:
        self._out, self._form, self._columns = out, form, columns
        self._csv = csv.writer(out, delimiter=_DELIMITERS.get(form, ","), lineterminator="\n")
        if header and form != "json":
            self._csv.writerow(columns)

    def write(self, values: Mapping[str, Any]) -> None:
        if self._form == "json":
            self._out.write(json.dumps(dict(values), ensure_ascii=False) + "\n")
        else:
            self._csv.writerow([values.get(name, "") for name in self._columns])


_DELIMITERS: Mapping[Form, str] = {"csv": ",", "tsv": "\t"}


def ending(source: Source) -> str:
    """The ending of a source's name, without that of its packing: `.csv` of reviews.csv.gz."""
    suffixes = source.path.suffixes if source.digest is None else []
    suffixes = [s for s in suffixes if s not in (".gz", ".zst")]
    return suffixes[-1].lower() if suffixes else ""


def text_lines(source: Source, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a text, with their ends."""
    held = ""
    for block in read_text([source], encoding=encoding, instead="--encoding"):
        *whole, held = (held + block).split("\n")
        yield from (line + "\n" for line in whole)
    if held:
        yield held


def _records(
    lines: Iterator[str], shown: str, form: Form, *, skip: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, but with `skip` the first, and the line that it begins on."""
    reader = (
        csv.reader(lines, strict=True)
        if form == "csv"
        # In TSV a quotation mark is a letter like any other.
        else csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    )
    line = 1
    try:
        for cells in reader:
            if any(cells):
                if not skip:
                    yield line, cells
                skip = False
            line = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{shown}, line {line:,}: no CSV ({error})") from None


def _is_record(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is one like the others."""
    if any(is_number(cell) or not cell.strip() for cell in head):
        return True
    return any(
        cell == row[k] for row in rows if len(row) == len(head) for k, cell in enumerate(head)
    )


def is_number(text: object) -> bool:
    """Whether a cell holds a number."""
    try:
        float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
