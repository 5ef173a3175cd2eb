"""Tables: what is written is read back, whatever it holds; what is wrong has a line and a name."""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.source import Source
from elman.data.tables import delimited, table
from elman.data.tables.arriving import Arriving
from elman.data.tables.content import BadRows
from elman.data.tables.delimited import Dialect
from elman.data.tables.options import TableOptions
from elman.data.tables.reading import Reading, reading_from_json
from elman.data.tables.table import Row, Table
from elman.data.tables.writer import Form, Writer
from elman.errors import UserError

Make = Callable[[str | bytes, str], Source]
CELLS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
NASTY = st.sampled_from(
    ["a,b", 'say "so"', '"', "two\nlines", "a|b", "\r\n", "标签", " ", "", "tab\there", ";"]
)  # fmt: skip
HEADED = TableOptions(header=True)
draws = settings(max_examples=60)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(content: str | bytes, name: str) -> Source:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Source(name, path)

    return write


def rows_of(opened: Table) -> list[dict[str, Any]]:
    return [dict(row.values) for row in opened.rows(BadRows(skip=False))]


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        work()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@draws
@given(
    rows=st.lists(st.tuples(CELLS | NASTY, CELLS | NASTY, CELLS | NASTY), min_size=1, max_size=5),
    form=st.sampled_from(["csv", "json"]),
    delimiter=st.sampled_from([",", ";", "|", "\t"]),
    streamed=st.booleans(),
)
def test_what_is_written_is_read_back(
    rows: list[tuple[str, str, str]], form: Form, delimiter: str, streamed: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    columns = ("id", "文本", "a label")
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    out = io.StringIO(newline="")
    writer = Writer(out, form, columns, header=True, dialect=Dialect(delimiter))
    for record in records:
        writer.write(record)

    if streamed:
        lines = Arriving("it", io.BytesIO(out.getvalue().encode()))
        opened = table.open_stream("it", lines, HEADED, Reading(separator=delimiter))
    else:
        path = tmp_path_factory.mktemp("table") / f"a.{form}"
        path.write_bytes(out.getvalue().encode())
        opened = table.open_table(Source("it", path), HEADED)
    assert (opened.form, opened.columns) == (form, columns)
    assert rows_of(opened) == records


@draws
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_tsv_keeps_all_but_what_parts_its_cells(
    rows: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = io.StringIO(newline="")
    writer = Writer(out, "csv", ("a", "b"), header=True, dialect=Dialect("\t", quoted=False))
    for a, b in rows:
        writer.write({"a": a, "b": b})
    path = tmp_path_factory.mktemp("table") / "a.tsv"
    path.write_bytes(out.getvalue().encode())
    kept = str.maketrans("\t\n\r", "   ")
    expected = [{"a": a.translate(kept), "b": b.translate(kept)} for a, b in rows]
    assert rows_of(table.open_table(Source("it", path))) == expected


@pytest.mark.parametrize(
    ("content", "header", "columns"),
    [
        ("text,label\ngood,pos\nbad,neg\n", True, ("text", "label")),
        ("good film,1\nbad film,0\n", False, ("1", "2")),
        ("good film\tpos\nbad film\tneg\nfine\tpos\n", False, ("1", "2")),  # a label comes again
        (",text,label\n0,a,pos\n1,b,neg\n", True, ("", "text", "label")),  # as pandas writes it
        ("text;label\na,b;pos\nc;neg\n", True, ("text", "label")),
        ("text,label\n", True, ("text", "label")),
        ("\n\ntext,label\na,b\n", True, ("text", "label")),
        ("\ufefftext,label\na,b\n", True, ("text", "label")),
    ],
)
def test_the_first_row_is_told_from_a_header(
    content: str, header: bool, columns: tuple[str, ...], make: Make
) -> None:
    opened = table.open_table(make(content, "a.txt"))
    assert (opened.header, opened.columns) == (header, columns)


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "latin-1", "utf-8-sig"])
def test_a_table_in_another_encoding_reads_the_same(encoding: str, make: Make) -> None:
    text = "text,label\ncaf\u00e9,1\n\u00fcber,2\n"
    opened = table.open_table(make(text.encode(encoding), "a.csv"), TableOptions(encoding=encoding))
    assert rows_of(opened) == [{"text": "café", "label": "1"}, {"text": "über", "label": "2"}]


def test_a_table_of_the_wrong_encoding_is_told_with_the_flag_to_give(make: Make) -> None:
    source = make("文本,标签\n好,1\n".encode("gb18030"), "a.csv")
    told = refusal(lambda: table.open_table(source, TableOptions(encoding="utf-8")))
    assert told.startswith("a.csv, byte ") and "--encoding" in told
    told = refusal(lambda: rows_of(table.open_table(make(b"a,b\nc,\xff\xff\n", "c.csv"),
                                                    TableOptions(encoding="gb18030"))))  # fmt: skip
    assert "not GB18030" in told and "iconv" not in told


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "", "holds no text"),
        ("a.csv", "\n \n", "holds no rows"),
        ("a.csv", "a,b,a\n1,2,3\nx,y,z", 'two columns are named "a"'),
        ("a.csv", 'a,b\nc,d\n"open,e\nf,g\n', "line 3: a quotation mark opens here and is never"),
        ("a.csv", 'a,b\n"c" d,e\n', "line 2: no CSV"),
        ("a.csv", "a,b\nc\n", "line 2: 1 cell where there should be 2"),
        ("a.tsv", "a\tb\nc\td\te\n", "line 2: 3 cells where there should be 2"),
        ("a.jsonl", '[{"a": 1}]\n', "line 1: not a JSON object on one line"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "line 2: not a JSON object on one line"),
        ("a.jsonl", '{"a": 1}\n[2]\n', "line 2: not a JSON object on one line"),
        ("a.jsonl", '{"a": ' + "[" * 100_000 + "\n", "line 1: not a JSON object on one line"),
    ],
)
def test_what_is_no_table_is_told_with_its_line(
    name: str, content: str, told: str, make: Make
) -> None:
    assert told in refusal(lambda: rows_of(table.open_table(make(content, name))))


def test_a_row_that_is_wrong_is_left_out_and_counted_where_that_was_asked(make: Make) -> None:
    opened = table.open_table(make('a,b\n1,2\n3\n"4"x,5\n6,7\n', "a.csv"), HEADED)
    bad = BadRows(skip=True)
    assert [row.values for row in opened.rows(bad)] == [
        {"a": "1", "b": "2"}, {"a": "6", "b": "7"},
    ]  # fmt: skip
    assert bad.count == 2 and [told.split(":")[0] for told in bad.first] == [
        "a.csv, line 3", "a.csv, line 4",
    ]  # fmt: skip


def test_a_row_knows_the_line_that_it_begins_on(make: Make) -> None:
    opened = table.open_table(make('a,b\n"1\n1",2\n\n3,4\n', "a.csv"), HEADED)
    assert [row.where for row in opened.rows(BadRows(False))] == ["a.csv, line 2", "a.csv, line 5"]


def test_rows_whose_cells_are_all_empty_are_rows(make: Make) -> None:
    for name, content in (("a.csv", "a,b\n,\n"), ("a.tsv", "a\tb\n\t\n")):
        assert rows_of(table.open_table(make(content, name))) == [{"a": "", "b": ""}]


def test_a_missing_column_is_told_with_the_near_match(make: Make) -> None:
    opened = table.open_table(make("review,label\na,b\n", "a.csv"))
    assert 'did you mean "review"?' in refusal(lambda: opened.column("reviews"))


class Slow(io.RawIOBase):
    """A stream that gives one byte at a time and counts them."""

    def __init__(self, data: bytes) -> None:
        self.data, self.given = data, 0

    def readable(self) -> bool:
        return True

    def read1(self, size: int) -> bytes:
        self.given += 1
        return self.data[self.given - 1 : self.given]


def test_of_a_stream_nothing_is_read_before_it_is_needed() -> None:
    data = '\ufeffa,b\n"多\n行",2\n3,4\n'.encode()
    stream = Slow(data)
    rows: Any = table.open_stream("it", Arriving("it", stream), HEADED).rows(BadRows(False))  # type: ignore[arg-type]
    first: Row = next(rows)
    assert first.values == {"a": "多\n行", "b": "2"}
    assert stream.given == len(data) - len(b"3,4\n")
    assert [row.values for row in rows] == [{"a": "3", "b": "4"}]


def test_a_line_without_an_end_is_refused_before_memory_runs_out(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited, "LONGEST_FIELD", 1000)
    source = make(json.dumps({"a": "x" * 5000}), "a.jsonl")
    assert "a line of more than 1,000 characters" in refusal(lambda: table.open_table(source))


def test_what_is_known_of_a_database_holds_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    base = sqlite3.connect(path)
    for name in ("one", "two"):
        base.execute(f"create table {name} (x, {name})")
        base.execute(f"insert into {name} values (1, '{name}')")
    base.commit()
    base.close()
    asked = TableOptions(table="two")
    known = table.open_table(Source("a.db", path), asked).examined.reading
    assert rows_of(table.open_table(Source("a.db", path), known=known)) == [{"x": 1, "two": "two"}]
    again = reading_from_json(json.loads(json.dumps(known.to_json())))
    assert again == known
