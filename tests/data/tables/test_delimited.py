"""Delimited text: however it is written, the same records come out of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.delimited import dialect_of, split_lines
from elman.data.tables.headers import has_header
from elman.data.tables.table import Table
from elman.errors import UserError

Read = Callable[..., Table]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def opened(text: str, name: str = "a.csv") -> Table:
        path = tmp_path / name
        path.write_bytes(text.encode())
        return table.open_table(Source(name, path))

    return opened


def cells(opened: Table) -> list[list[str]]:
    return [list(row.values.values()) for row in opened.rows(BadRows(False))]


@pytest.mark.parametrize("seed", range(40))
def test_separators_line_ends_and_lines_above_are_found(seed: int, read: Read) -> None:
    draw = np.random.default_rng(seed)
    separator = str(draw.choice([",", ";", "\t", "|"]))
    end = str(draw.choice(["\n", "\r\n", "\r"]))
    words = ["gut", "Büro, klein", "a;b", "x|y", "標籤", 'say "so"', "1,5", ""]
    width = int(draw.integers(2, 6))
    head = [f"name {k}" for k in range(width)]
    rows = [
        [str(draw.choice(words)) for _ in range(width)] for _ in range(int(draw.integers(4, 30)))
    ]
    out = io.StringIO(newline="")
    above = ["Konto 12345", "", "Umsätze"][: int(draw.integers(0, 4))]
    out.write("".join(line + end for line in above))
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    writer.writerows([head, *rows])
    opened = read(out.getvalue())
    assert opened.dialect.separator == separator
    assert opened.columns == tuple(head) and cells(opened) == rows
    first = next(iter(opened.rows(BadRows(False)))).where
    assert first == f"a.csv, line {len(above) + 2}"


def test_a_separator_that_the_file_names_is_taken(read: Read) -> None:
    opened = read("sep=|\na|b\n1,5;2|3\n")
    assert opened.columns == ("a", "b") and cells(opened) == [["1,5;2", "3"]]
    assert next(iter(opened.rows(BadRows(False)))).where == "a.csv, line 3"


def test_numbers_between_spaces_are_a_table(read: Read) -> None:
    opened = read("1  0.5 0.25\n2  0.75   1e-3\n", "Coffee_TRAIN")
    assert cells(opened) == [["1", "0.5", "0.25"], ["2", "0.75", "1e-3"]]
    assert not opened.header


def test_a_header_without_the_name_of_the_rows_is_one_of_them(read: Read) -> None:
    opened = read("x,y\na,1,2\nb,3,4\nc,5,6\n")  # as R writes it
    assert opened.columns == ("", "x", "y") and cells(opened)[0] == ["a", "1", "2"]


def test_empty_cells_at_the_end_of_a_line_are_none(read: Read) -> None:
    assert cells(read("a,b\n1,2,,\n3,4\n")) == [["1", "2"], ["3", "4"]]
    with pytest.raises(UserError, match="line 2: 3 cells where there should be 2"):
        cells(read("a,b\n1,2,3\n3,4\n4,5\n"))


def test_columns_without_a_name_are_told_apart(read: Read) -> None:
    assert read("v1,v2,,,\nspam,win,,,\nham,hi,,,\n").columns == (
        "v1", "v2", "unnamed 3", "unnamed 4", "unnamed 5",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("head", "row", "header"),
    [
        (["Country", *map(str, range(1960, 1970))], ["France", *("3.5",) * 10], True),
        (["", "0", "1", "2"], ["0", "0.5", "0.25", "7"], True),  # a data frame without names
        (["up", "1", "2", "3"], ["down", "4", "5", "6"], False),
        (["31/12/2010", "1.234,5"], ["31/01/2011", "1.235,5"], False),
        (["2010-01-01", "abc"], ["2010-01-02", "abd"], False),
        (["1", "0.5"], ["2", "0.75"], False),
        (["date", "pm2.5"], ["2010-01-01", "NA"], True),
        (["Sentence #", "Word", "POS"], ["Sentence: 1", "It", "PRP"], True),
    ],
)
def test_a_first_row_with_values_is_a_record(head: list[str], row: list[str], header: bool) -> None:
    assert has_header(head, [row]) is header


@pytest.mark.parametrize("seed", range(30))
def test_lines_are_the_same_however_the_text_comes_in_pieces(seed: int) -> None:
    draw = np.random.default_rng(seed)
    text = "".join(draw.choice(["a", "b\u2028", "\n", "\r", "\r\n", "\x0b"], 30).tolist())
    cuts = sorted(draw.integers(0, len(text) + 1, 4).tolist())
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = io.StringIO(text, newline="").readlines()
    assert list(split_lines("it", pieces)) == whole


def test_stray_quotes_between_tabs_are_letters_and_whole_ones_hold_cells_together() -> None:
    assert not dialect_of(["a\tb\n", 'he said "1\tok\n', "x\ty\n"]).quoted
    assert dialect_of(["a\tb\n", '"he said ""1"""\tok\n', "x\ty\n"]).quoted
    assert dialect_of(["a\tb\n", '"two\n', 'lines"\tok\n', "x\ty\n"]).quoted


def test_what_r_writes_is_a_table(read: Read) -> None:
    opened = read('"x" "y z"\n"1" 1 "a b"\n"2" 3 "c"\n"3" 5 "d"\n', "e.txt")
    assert opened.columns == ("", "x", "y z")
    assert cells(opened) == [["1", "1", "a b"], ["2", "3", "c"], ["3", "5", "d"]]
    opened = read('x y\n"a" 1 2\n"b" 3 4\n"c" 5 6\n', "e.txt")
    assert opened.columns == ("", "x", "y") and cells(opened)[0] == ["a", "1", "2"]


def test_years_head_columns_even_over_numbers_that_rise() -> None:
    assert has_header(["name", "2001", "2002", "2003"], [["a", "1", "2", "3"]])


NAMES = ["Umsatz, EUR", "Temp., C", "Выручка, руб.", "Feuchte, %", "Menge", "a, b"]


@pytest.mark.parametrize("seed", range(60))
def test_decimal_commas_and_commas_in_names_part_no_cells(seed: int, read: Read) -> None:
    draw = np.random.default_rng(seed)
    separator = str(draw.choice([";", "\t", "|"]))
    width = int(draw.integers(1, 5))
    head = ["Datum", *map(str, draw.choice(NAMES, width, replace=False))]
    rows = [
        [f"{day:02}.01.2020", *(f"{x:.2f}".replace(".", ",") for x in draw.normal(20, 9, width))]
        for day in range(1, int(draw.integers(3, 28)))
    ]
    title = ["Bericht, Firma"] if seed % 3 == 0 else []
    with_names = [separator.join(head)] if title or draw.random() < 0.7 else []
    text = "\n".join([*title, *with_names, *map(separator.join, rows)]) + "\n"
    opened = read(text)
    assert opened.dialect.separator == separator
    if with_names:
        assert opened.columns == tuple(head)
    assert cells(opened) == rows


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("Name;Ort, Land\nMeier;Berlin, DE\nKunz;Wien, AT\n", ";"),
        ("x,y\n1;2,3\n4;5,6\n", ","),
        ("day,sold\n2020-01-01,5\n2020-01-02,7\n", ","),
        ("tags,sold\na;b,5\nc;d,7\n", ","),
    ],
)
def test_a_comma_parts_where_names_stand_without_another_mark(
    text: str, separator: str, read: Read
) -> None:
    assert read(text).dialect.separator == separator


@pytest.mark.parametrize("seed", range(20))
def test_a_constant_column_does_not_make_the_header_a_record(seed: int) -> None:
    draw = np.random.default_rng(seed)
    head = ["id", "MESS_DATUM", "TT", "eor"]
    rows = [[" 3668", f"20200101{k:02}", f"{draw.normal():.1f}", "eor"] for k in range(24)]
    rows[int(draw.integers(24))][2] = "NA"
    order = draw.permutation(4)
    assert has_header([head[k] for k in order], [[row[k] for k in order] for row in rows])
    assert not has_header(["NA", "eor"], [["1,5", "eor"], ["2", "eor"]])
    assert not has_header(["gut", "ja"], [["schlecht", "ja"], ["gut", "nein"]])


@pytest.mark.parametrize("seed", range(30))
def test_lines_of_notes_above_a_table_are_passed_over_and_told(seed: int, read: Read) -> None:
    draw = np.random.default_rng(seed)
    words = ["# Data: Mauna Loa, NOAA; see a|b\n", "#\n", "# decimal   average\n", "#a, b, c, d\n"]
    notes = draw.choice(words, int(draw.integers(2, 60))).tolist()
    rows = [["1958", str(k), f"{draw.normal(300):.2f}", "-9.99"] for k in range(1, 20)]
    mark = [",", ";", "\t", "   "][seed % 4]
    head = [["year", "month", "average", "trend"]] if mark != "   " else []
    lead = "" if head else "  "
    text = "".join(notes) + "".join(lead + mark.join(row) + "\n" for row in [*head, *rows])
    opened = read(text, "a.txt")
    assert cells(opened) == rows and opened.header == bool(head)
    assert f"{len(notes)} lines above the table: passed over" in opened.facts
    first = next(iter(opened.rows(BadRows(False)))).where
    assert first == f"a.txt, line {len(notes) + len(head) + 1}"


def test_a_header_or_a_record_may_begin_with_a_hash(read: Read) -> None:
    opened = read("# made by hand\n#id,value\n1,2\n2,3\n")
    assert opened.columns == ("#id", "value") and cells(opened) == [["1", "2"], ["2", "3"]]
    opened = read("text\tlabel\n#love it\tpos\n#no\tneg\n")
    assert cells(opened)[0] == ["#love it", "pos"]
    dialect = dialect_of(["#love it\tpos\n", "#no\tneg\n", "fine\tpos\n", "bad\tneg\n"])
    assert not dialect.above
    assert not dialect_of(["# value\n", "1.5\n", "2.5\n"]).above
    assert dialect_of(["# one\n", "# two\n", "1.5\n", "2.5\n"]).above == 2
