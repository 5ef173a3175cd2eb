"""Tables of one record a row: CSV, TSV, JSON lines and plain lines, read as a stream and written as
they came.

    label,review
    1,"很快，好吃，味道足，量大"

Or one JSON object a line: `{"label": "up", "x": [0.1, 0.3, 0.2]}`.
"""

from __future__ import annotations

import csv
import itertools
import json
import select
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Literal, TextIO, TypeAlias

from elman.data.source import Source, read_text, stream_text
from elman.errors import UserError, unknown_name

Form: TypeAlias = Literal["csv", "tsv", "json", "lines"]

SNIFFED = 1000  # rows from whose values a header is told from a record
LONGEST_FIELD = 1 << 24  # characters, of a cell and of a line
ENDINGS: Mapping[str, Form] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
LINE = "text"  # the column of a table of plain lines
SKIP = "give --skip-bad-rows to leave such rows out"
ENCODING = "the right --encoding"
NO_OBJECT = "not a JSON object on one line"
WORDS_OF_CSV = {  # what Python's reader says, in words that help
    "unexpected end of data": "a quotation mark opens here and is never closed",
    "new-line character seen": "a carriage return within the line; convert the ends of its lines",
    "field larger than": f"a cell of more than {LONGEST_FIELD:,} characters",
}

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
    advice: str = SKIP

    def add(self, where: str, what: str) -> None:
        """A row that is wrong. UserError, unless such rows are left out."""
        self.refuse(f"{where}: {what}")

    def refuse(self, told: str) -> None:
        """The same, for a line that tells already where it is."""
        if not self.skip:
            raise UserError(f"{told}; {self.advice}")
        self.count += 1
        if len(self.first) < 5:
            self.first.append(told)


@dataclass(frozen=True)
class Table:
    """A source read as a table; `columns` are numbers, "1", "2", …, where it has no header."""

    shown: str
    form: Form
    columns: tuple[str, ...]
    header: bool
    lines: Callable[[], Iterator[str]]  # from the first on; of a stream only once
    delimiter: str = ","  # of CSV: in many countries it is a semicolon

    def rows(self, bad: BadRows) -> Iterator[Row]:
        """Every record, in order. A row with too few or too many cells is a bad one."""
        match self.form:
            case "json":
                yield from self._objects(bad)
            case "lines":
                for line, text in enumerate(self.lines(), start=1):
                    if text.strip():
                        yield Row(self.where(line), {LINE: text.strip()})
            case _:
                yield from self._records(bad)

    def where(self, line: int) -> str:
        """The place of a line, for messages."""
        return f"{self.shown}, line {line:,}"

    def _records(self, bad: BadRows) -> Iterator[Row]:
        records = _records(self.lines(), self.form, self.delimiter)
        for line, cells in itertools.islice(records, int(self.header), None):
            if isinstance(cells, str):
                bad.add(self.where(line), cells)
            elif len(cells) != len(self.columns):
                needed = len(self.columns)
                bad.add(self.where(line), f"{len(cells)} cells where there should be {needed}")
            else:
                yield Row(self.where(line), dict(zip(self.columns, cells, strict=True)))

    def _objects(self, bad: BadRows) -> Iterator[Row]:
        for line, text in enumerate(self.lines(), start=1):
            if not text.strip():
                continue
            value = _object(text)
            if value is None:
                bad.add(self.where(line), NO_OBJECT)
            else:
                yield Row(self.where(line), value)

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


def open_stream(shown: str, stream: Iterator[str], *, header: bool) -> Table:
    """Lines that come one by one as a table: nothing is read before it is needed."""
    seen: list[str] = []

    def lines() -> Iterator[str]:
        yield from seen
        for line in stream:
            seen.append(line)
            yield line

    return replace(_opened(shown, None, lines, header), lines=lambda: itertools.chain(seen, stream))


def plain_lines(shown: str, lines: Callable[[], Iterator[str]]) -> Table:
    """Each line that is not blank as a row of one column, `LINE`."""
    return Table(shown, "lines", (LINE,), True, lines)


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
            raise UserError(f"{shown}, line 1: {NO_OBJECT}")
        return Table(shown, form, tuple(value), False, lines)
    delimiter = ";" if form == "csv" and ";" in first and "," not in first else ","
    records = _records(lines(), form, delimiter)
    line, head = next(records)
    if isinstance(head, str):
        raise UserError(f"{shown}, line {line:,}: {head}")
    if header is None:
        others = (cells for _, cells in itertools.islice(records, SNIFFED))
        header = not _is_record(head, [cells for cells in others if isinstance(cells, list)])
    names = [name.strip() for name in head]
    if header and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f'{shown}, line {line:,}: two columns are named "{twice}"; rename one')
    columns = names if header else [str(k + 1) for k in range(len(head))]
    return Table(shown, form, tuple(columns), header, lines, delimiter)


class Writer:
    """Writes rows in the form of a table that was read; plain lines come out as CSV."""

    def __init__(
        self, out: TextIO, form: Form, columns: Sequence[str], *, header: bool, delimiter: str = ","
    ) -> None:
        self._out, self._form, self._columns = out, form, columns
        self._csv = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        self._quoted = csv.writer(
            out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL
        )
        if header and form != "json":
            self._cells(columns)

    def write(self, values: Mapping[str, Any]) -> None:
        if self._form == "json":
            self._out.write(json.dumps(dict(values), ensure_ascii=False) + "\n")
        else:
            self._cells([values.get(name, "") for name in self._columns])

    def _cells(self, cells: Sequence[object]) -> None:
        if self._form == "tsv":
            self._out.write("\t".join(str(cell).translate(_PARTING) for cell in cells) + "\n")
        else:  # csv itself puts no quotation marks around a carriage return
            returns = any("\r" in str(cell) for cell in cells)
            (self._quoted if returns else self._csv).writerow(cells)


_PARTING = str.maketrans("\t\n\r", "   ")  # what TSV has no way to write within a cell


class Arriving(Iterator[str]):
    """The lines of a stream as they arrive."""

    def __init__(self, shown: str, stream: BinaryIO, encoding: str = "utf-8") -> None:
        texts = stream_text(shown, stream, encoding=encoding, instead=ENCODING)
        self._stream, self._blocks = stream, _blocks(shown, texts)
        self._ready: deque[str] = deque()

    def __next__(self) -> str:
        while not self._ready:
            self._ready.extend(next(self._blocks))
        return self._ready.popleft()

    def waiting(self) -> bool:
        """Whether the next line is not there yet; False where that cannot be told."""
        try:
            return not self._ready and not select.select([self._stream], [], [], 0)[0]
        except (OSError, ValueError):  # no file of the system's
            return False


def ending(source: Source) -> str:
    """The ending of a source's name, without that of its packing: `.csv` of reviews.csv.gz."""
    suffixes = [s for s in source.path.suffixes if s not in (".gz", ".zst")]
    return suffixes[-1].lower() if suffixes else ""


def text_lines(source: Source, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of a text, with their ends."""
    texts = read_text([source], encoding=encoding, instead=ENCODING)
    return itertools.chain.from_iterable(_blocks(source.shown, texts))


def _blocks(shown: str, texts: Iterable[str]) -> Iterator[list[str]]:
    """The lines that end in each of these pieces of text."""
    held = ""
    for text in texts:
        *whole, held = (held + text).split("\n")
        yield [line + "\n" for line in whole]
        if len(held) > LONGEST_FIELD:
            raise UserError(f"{shown}: a line of more than {LONGEST_FIELD:,} characters")
    if held:
        yield [held]


def _records(
    lines: Iterator[str], form: Form, delimiter: str
) -> Iterator[tuple[int, list[str] | str]]:
    """Each record that is no empty line, as cells or as what is wrong with it, and its line."""
    if form == "tsv":  # a quotation mark is a letter like any other
        for line, text in enumerate(lines, start=1):
            if text := text.removesuffix("\n").removesuffix("\r"):
                yield line, text.split("\t")
        return
    reader, line = csv.reader(lines, delimiter=delimiter, strict=True), 1
    while True:
        try:
            cells: list[str] | str = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            told = (words for start, words in WORDS_OF_CSV.items() if str(error).startswith(start))
            cells = next(told, f"no CSV ({error})")
        if cells:
            yield line, cells
        line = reader.line_num + 1


def _is_record(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is one like the others. A header may leave a name out, of an index."""
    return any(is_number(cell) for cell in head) or any(
        cell.strip() and cell == row[k]
        for row in rows
        if len(row) == len(head)
        for k, cell in enumerate(head)
    )


def is_number(text: object) -> bool:
    """Whether a cell holds a number."""
    try:
        float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
