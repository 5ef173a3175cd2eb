"""Tables of one record a row, whatever holds them, read as a stream.

    label,review
    1,"很快，好吃，味道足，量大"

Or one JSON object a line: `{"label": "up", "x": [0.1, 0.3, 0.2]}`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

from elman.data.forms import forms, json_texts, objects
from elman.data.forms.other_forms import PACKED, open_other_form
from elman.data.source import Source, encoding_of, read_text
from elman.data.tables import delimited, headers
from elman.data.tables.arriving import ENCODING
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.data.tables.delimited import Dialect, split_lines
from elman.data.tables.options import TableOptions
from elman.data.tables.profile import Profile, profiled
from elman.data.tables.reading import Reading, read_columns
from elman.data.tables.room import Room
from elman.data.tables.writer import COMMAS, Form
from elman.errors import UserError, unknown_name
from elman.wording import counted

ENDINGS: Mapping[str, str] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
}
NOTHING = TableOptions()  # asked
JSON = re.compile(r"\s*(?:\{|\[\s*[{\]])")  # how it begins, where no name says so
LINES = (".jsonl", ".ndjson")
TABS = (".tsv", ".tab")
LINE = "text"  # the column of a table of plain lines
NO_OBJECT = "not a JSON object on one line"


@dataclass(frozen=True)
class Row:
    """One record: its cells by column, and where it stands, for messages."""

    where: str
    values: Mapping[str, Any]
    number: int = 0  # of its line or row


class Examined(NamedTuple):
    """What the columns of a table hold, and what all their cells look like; there are no profiles
    where the reading was known before."""

    reading: Reading
    profiles: Mapping[str, Profile]


@dataclass(frozen=True)
class Table:
    """A source read as a table; `columns` are numbers, "1", "2", …, where it has no header.

    `form` is how its rows are written again. What is known or asked of it is applied; the rest is
    found from all of it when it is `examined`.
    """

    shown: str
    form: Form
    columns: tuple[str, ...]
    header: bool
    content: Callable[[BadRows], Iterator[Block]]  # of a stream only once
    unit: str = "line"  # what blocks count
    head: tuple[str, ...] = ()  # the header as it stands
    dialect: Dialect = COMMAS
    encoding: str = "utf-8"
    asked: TableOptions = NOTHING
    known: Reading | None = None
    facts: tuple[str, ...] = ()  # of its form, for the user
    nested: frozenset[str] = frozenset()  # columns that stand within objects, of JSON

    def blocks(self, bad: BadRows) -> Iterator[Block]:
        """Every record, in order. A row with too few or too many cells is a bad one."""
        return self.content(bad)

    def rows(self, bad: BadRows) -> Iterator[Row]:
        """The same, one by one, by the names of the columns; a blank line that was kept has no
        values."""
        for numbers, cells in self.content(bad):
            for number, record in zip(numbers, cells, strict=True):
                values = dict(zip(self.columns, record, strict=True)) if record else {}
                yield Row(self.where(number), values, number)

    def where(self, number: int) -> str:
        """The place of a line or row, for messages."""
        return f"{self.shown}, {self.unit} {number:,}"

    def column(self, name: str) -> str:
        """The column of that name. UserError, with the near match, where there is none."""
        if name not in self.columns:
            raise UserError(f"{self.shown}: {unknown_name('column', name, self.columns)}")
        return name

    @cached_property
    def examined(self) -> Examined:
        """What the columns hold: as it is known, or by all of their cells."""
        if self.known is not None:
            return Examined(self.known.of(self.columns), {})
        quiet = BadRows(skip=True)
        profiles = profiled(self.columns, self.content(quiet))
        if not profiles or not profiles[0].count:
            raise UserError(f"{self.shown}: holds no rows{' but its header' * self.header}")
        mark = self.dialect.separator if self.form == "csv" and self.unit == "line" else ""
        columns = read_columns(profiles, self.asked, separator=mark)
        asked = self.asked
        reading = Reading(
            self.encoding, self.dialect.separator, self.dialect.quoted, self.header, asked.sheet,
            asked.table, asked.query, columns,
        )  # fmt: skip
        return Examined(reading, {profile.name: profile for profile in profiles})


def open_table(
    source: Source, asked: TableOptions = NOTHING, known: Reading | None = None, *,
    lists: bool = False,
) -> Table:  # fmt: skip
    """A source as a table: its form by its first bytes, its name, else by its first lines.

    An object of lists on a line of its own is a row where rows hold `lists`; else it may be a table
    of columns.
    Whether the first row is a header is found where neither `asked` nor `known` says so.
    UserError: no row, or no such table.
    """
    room = Room(source.shown, source.passed)
    source = replace(source, passed=room.passed)
    other = open_other_form(source, asked if known is None else _again(source, asked, known))
    if other is not None:
        blocks = room.watching(other.blocks)
        other = other._replace(facts=(*source.facts, *other.facts), blocks=blocks)
        return of_content(source.shown, other, asked, known)
    expected = "" if known is None else known.encoding
    encoding = asked.encoding or encoding_of(source, expected, instead=ENCODING).encoding
    texts = partial(read_text, [source], encoding=encoding, instead=ENCODING)
    named = ending(source)
    opened = _opened(source.shown, texts, ENDINGS.get(named), named, asked, known, lists)
    room.size = source.path.stat().st_size
    return replace(
        opened, content=room.watching(opened.content), encoding=encoding,
        facts=(*source.facts, *opened.facts),
    )  # fmt: skip


def _again(source: Source, asked: TableOptions, known: Reading) -> TableOptions:
    """What is asked of a file of another form: the sheet, table or query of the training data."""
    form = None if source.path.suffix in PACKED else forms.form_of(source.path, source.shown)
    if form in forms.SHEETS and asked.sheet is None:
        return replace(asked, sheet=known.sheet)
    if form in forms.DATABASES and asked.table is None and asked.query is None:
        return replace(asked, table=known.table, query=known.query)
    return asked


def open_stream(
    shown: str, stream: Iterator[str], asked: TableOptions = NOTHING,
    known: Reading | None = None, *, blanks: bool = False,
) -> Table:  # fmt: skip
    """Lines that come one by one as a table: nothing is read before it is needed.

    It has a header unless `asked` or `known` says that there is none. With `blanks` a blank line is
    a row without values.
    """
    first = next((line for line in stream if line.strip()), None)
    if first is None:
        raise UserError(f"{shown}: holds no rows")
    lines = partial(itertools.chain, [first], stream)
    if first.lstrip().startswith("{"):
        return _objects(shown, first, lines, asked, known, blanks)
    header = asked.header if asked.header is not None else known is None or known.header
    separator = known.separator if known is not None and known.separator in first else None
    begun = replace(asked, header=header)
    opened = _delimited(shown, lambda: iter([first]), begun, known, separator)
    if known is not None and opened.dialect.separator == known.separator:
        # One line does not tell.
        opened = replace(opened, dialect=replace(opened.dialect, quoted=known.quoted))
    return replace(opened, content=partial(_cells, opened, lines, at_once=1, blanks=blanks))


def plain_lines(shown: str, lines: Callable[[], Iterator[str]], *, at_once: int = AT_ONCE) -> Table:
    """Each line as a row of one column, `LINE`, blank ones too."""

    def content(bad: BadRows) -> Iterator[Block]:
        numbered = enumerate((line.strip() for line in lines()), start=1)
        while block := list(itertools.islice(numbered, at_once)):
            yield Block([number for number, _ in block], [(text,) for _, text in block])

    return Table(shown, "lines", (LINE,), True, content)


def of_content(
    shown: str, content: Content, asked: TableOptions = NOTHING, known: Reading | None = None
) -> Table:  # fmt: skip
    """What an opener of another form gives, as a table; it is written again as CSV."""
    return Table(
        shown, "csv", content.columns, True, content.blocks, content.unit, asked=asked,
        known=known, facts=content.facts, nested=content.nested,
    )  # fmt: skip


def _opened(
    shown: str, texts: Callable[[], Iterator[str]], form: str | None, named: str,
    asked: TableOptions, known: Reading | None, lists: bool,
) -> Table:  # fmt: skip
    """Text as a table, of JSON or of delimited cells."""

    def lines() -> Iterator[str]:
        return split_lines(shown, texts())

    first = next((line for line in lines() if line.strip()), None)
    if first is None:
        raise UserError(f"{shown}: holds no rows")
    if form == "json" or (form is None and JSON.match(first)):
        whole = lists and json_texts.object_of(first) is not None
        content = objects.open_objects(shown, texts, lines=whole or named in LINES)
        return replace(of_content(shown, content, asked, known), form="json", header=False)
    separator = "\t" if named in TABS else None
    return _delimited(shown, lines, asked, known, separator)


def _delimited(
    shown: str, lines: Callable[[], Iterator[str]], asked: TableOptions, known: Reading | None,
    separator: str | None,
) -> Table:  # fmt: skip
    if asked.separator is not None:
        separator = "\t" if asked.separator == "tab" else asked.separator
    dialect = delimited.dialect_of(lines(), separator)
    begun = delimited.records(lines(), dialect)
    line, head = next(begun, (1, "holds no rows below its title"))
    where = f"{shown}, line {line:,}"
    if isinstance(head, str):
        raise UserError(f"{where}: {head}")
    header = asked.header if asked.header is not None else known.header if known else None
    if header is None:
        others = (cells for _, cells in itertools.islice(begun, delimited.SNIFFED))
        header = headers.has_header(head, [cells for cells in others if isinstance(cells, list)])
    if header and dialect.bare:
        head = ["", *head]
    names = headers.named(head, where) if header else tuple(str(k + 1) for k in range(len(head)))
    facts = [dialect.told] if dialect.told else []
    if dialect.above and separator is None:
        facts.append(f"{counted(dialect.above, 'line')} above the table: passed over")
    made = Table(
        shown, "csv", names, header, lambda bad: iter(()), head=tuple(head) if header else (),
        dialect=dialect, asked=asked, known=known, facts=tuple(facts),
    )  # fmt: skip
    return replace(made, content=partial(_cells, made, lines))


def _objects(
    shown: str, first: str, lines: Callable[[], Iterator[str]], asked: TableOptions,
    known: Reading | None, blanks: bool,
) -> Table:  # fmt: skip
    """Objects that arrive line by line; those keys count that the first has, or that are known."""
    begun = json_texts.object_of(first)
    if not begun:
        raise UserError(f"{shown}, line 1: {NO_OBJECT}")
    flat = objects.flattened(begun)
    names = tuple(dict.fromkeys([*flat, *(c.name for c in (known.columns if known else ()))]))

    def blocks(bad: BadRows) -> Iterator[Block]:
        for line, text in enumerate(lines(), start=1):
            if not text.strip() and blanks:
                yield Block([line], [[]])
            elif text.strip():
                value = json_texts.object_of(text)
                if value is None:
                    bad.add(f"{shown}, line {line:,}", NO_OBJECT)
                    continue
                cells = {**value, **objects.flattened(value)}
                yield Block([line], [[cells.get(name) for name in names]])

    content = Content(names, blocks, "line", nested=frozenset(objects.nested_in(begun, flat)))
    return replace(of_content(shown, content, asked, known), form="json", header=False)


def _cells(
    table: Table, lines: Callable[[], Iterator[str]], bad: BadRows, *, at_once: int = AT_ONCE,
    blanks: bool = False,
) -> Iterator[Block]:  # fmt: skip
    return delimited.blocks(
        lines, table.dialect, len(table.columns), header=table.header, where=table.where,
        bad=bad, at_once=at_once, blanks=blanks,
    )  # fmt: skip


def ending(source: Source) -> str:
    """The ending of a source's name, without that of its packing: `.csv` of reviews.csv.gz."""
    suffixes = [s for s in source.path.suffixes if s not in PACKED]
    return suffixes[-1].lower() if suffixes else ""


def text_lines(source: Source, encoding: str | None = None) -> Iterator[str]:
    """The lines of a text, with their ends."""
    return split_lines(source.shown, read_text([source], encoding=encoding, instead=ENCODING))
