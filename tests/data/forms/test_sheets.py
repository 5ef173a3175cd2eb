"""Spreadsheets: three forms of one table are one table, and nothing in them is run."""

from __future__ import annotations

import datetime as d
import random
import re
import shutil
import struct
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from contents import (
    COLUMNS,
    drawn,
    numbers_of,
    opened,
    rows_of,
    write_ods,
    write_xls,
    write_xlsx,
)  # fmt: skip

from elman.data.forms import workbooks
from elman.data.forms.sheets import open_sheet
from elman.errors import UserError

WRITERS = {"xlsx": write_xlsx, "xls": write_xls, "ods": write_ods}
SHEET = "xl/worksheets/sheet1.xml"


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("seed", range(5))
def test_what_was_written_is_read(form: str, seed: int, tmp_path: Path) -> None:
    values, cells = drawn(seed)
    content = opened(open_sheet, WRITERS[form](tmp_path / f"a.{form}", [COLUMNS, *values]))
    assert content.columns == tuple(COLUMNS)
    got = rows_of(content)
    for row, right in zip(got, cells, strict=True):
        assert [c for k, c in enumerate(row) if k != 3] == right[:3] + right[4:]
        # Decimal digits in xls may round the last bit of a float.
        assert row[3] == right[3] or abs(row[3] - right[3]) < 1e-12 * abs(right[3])
    assert numbers_of(content) == list(range(2, len(cells) + 2))
    assert rows_of(content) == got  # and again


def test_a_table_that_begins_somewhere(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["B2"] = "Sales of the year"
    for k, row in enumerate(
        [("day", "sold"), (d.date(2021, 3, 1), 2.0), (), (d.date(2021, 3, 2), 3.5)]
    ):
        for column, cell in enumerate(row):
            sheet.cell(4 + k, 3 + column, cell)
    sheet["A40"] = " "
    book.save(tmp_path / "a.xlsx")
    content = opened(open_sheet, tmp_path / "a.xlsx")
    assert content.columns == ("day", "sold")
    assert rows_of(content) == [["2021-03-01", 2], ["2021-03-02", 3.5]]
    assert numbers_of(content) == [5, 7]
    assert content.facts == ('the table begins at cell C4, below "Sales of the year"',)


def test_midnights_alone_are_dates_and_others_are_not(tmp_path: Path) -> None:
    hours = [d.datetime(2021, 3, 1) + d.timedelta(hours=12 * k) for k in range(3)]
    days = [d.datetime(2021, 3, 1 + k) for k in range(3)]
    rows: list[list[Any]] = [
        ["a", "b", "c"],
        *([h, day, d.timedelta(hours=30)] for h, day in zip(hours, days, strict=True)),
    ]
    content = opened(open_sheet, write_xlsx(tmp_path / "a.xlsx", rows))
    assert rows_of(content) == [
        ["2021-03-01T00:00:00", "2021-03-01", 108000],
        ["2021-03-01T12:00:00", "2021-03-02", 108000],
        ["2021-03-02T00:00:00", "2021-03-03", 108000],
    ]


def test_sheets_by_name_and_number(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "a.xlsx",
        [],
        ("Sales", [["x"], [1]]),
        ("Größe", [["y"], [2]]),
        ("2", [["z"], [3]]),
    )
    first = opened(open_sheet, path)
    assert first.columns == ("x",)
    assert first.facts == ('sheet "Sales" is read, not "Größe", "2" (--sheet)',)
    for asked, right in [("Größe", "y"), ("größe", "y"), ("2", "z"), ("3", "y")]:
        content = opened(open_sheet, path, sheet=asked)
        assert content.columns == (right,)
    assert opened(open_sheet, path, sheet="Sales").unit == 'sheet "Sales", row'
    with pytest.raises(
        UserError, match=r'no sheet "Sale"; did you mean "Sales"\? sheets: 1 "Data", 2'
    ):
        opened(open_sheet, path, sheet="Sale")
    with pytest.raises(UserError, match='sheet "Data": holds no rows'):
        opened(open_sheet, path, sheet="Data")


@pytest.mark.parametrize("seed", range(8))
def test_a_cover_before_the_table_is_passed_over_and_told(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    book = openpyxl.Workbook()
    cover, data = book.active, draw.choice(["数据", "Daten"])
    cover.title = draw.choice(["说明", "Deckblatt"])
    for row in range(1, draw.randint(1, 9) + 1):
        cover.cell(row, draw.choice([1, 1, 3]), draw.choice(["Umsatz je Tag", "来源", 2020]))
    for name in (data, "more"):
        sheet = book.create_sheet(name)
        sheet.append(("day", "sold"))
        for k in range(draw.randint(1, 5)):
            sheet.append((d.date(2021, 3, k + 1), k))
    if seed % 2:
        book.create_sheet("hidden", 0).sheet_state = "hidden"
        book["hidden"].append((1, 2))
        book["hidden"].append((3, 4))
    book.save(tmp_path / "a.xlsx")
    content = opened(open_sheet, tmp_path / "a.xlsx")
    assert content.columns == ("day", "sold")
    more = ', "hidden"' if seed % 2 else ""
    left = f'"{cover.title}", "more"{more}'
    assert content.facts == (f'sheet "{data}" is read, not {left} (--sheet)',)


def test_the_first_of_sheets_that_are_no_tables_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for name in ("one", "two"):
        sheet = book.active if name == "one" else book.create_sheet(name)
        sheet.title = name
        for word in ("text", "gut", "schlecht"):
            sheet.append((word,))
    book.save(tmp_path / "a.xlsx")
    content = opened(open_sheet, tmp_path / "a.xlsx")
    assert content.facts == ('sheet "one" is read, not "two" (--sheet)',)


def test_merged_cells_stand_in_each_of_their_rows(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    for row in [
        ["store", "day", "sold"],
        ["north", 1, 5],
        [None, 2, 6],
        ["south", 1, 7],
        [None, 2, None],
    ]:
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    book.save(tmp_path / "a.xlsx")
    assert rows_of(opened(open_sheet, tmp_path / "a.xlsx")) == [
        ["north", 1, 5], ["north", 2, 6], ["south", 1, 7], [None, 2, None],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "asked", "columns"),
    [
        (["up", 0.5], None, ("1", "2")),
        (["label", "x"], None, ("label", "x")),
        (["land", 1960, 1961, 1962], None, ("land", "1960", "1961", "1962")),
        (["label", "x"], False, ("1", "2")),
        ([None, "x"], None, ("", "x")),
    ],
)
def test_headers(
    head: list[Any], asked: bool | None, columns: tuple[str, ...], tmp_path: Path
) -> None:
    rows: list[list[Any]] = [head, ["down", 3, 9, 4][: len(head)], ["up", 1, 7, 8][: len(head)]]
    content = opened(open_sheet, write_xlsx(tmp_path / "a.xlsx", rows), header=asked)
    assert content.columns == columns
    assert len(rows_of(content)) == (2 if "1" not in columns else 3)


def test_empty_columns(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["x", "empty", None, "y"], [1, None, None, 2], [3, None, None, 4]]
    content = opened(open_sheet, write_xlsx(tmp_path / "a.xlsx", rows))
    assert content.columns == ("x", "empty", "y")
    assert rows_of(content) == [[1, None, 2], [3, None, 4]]
    with pytest.raises(UserError, match='row 1: two columns are named "x"; rename one'):
        opened(open_sheet, write_xlsx(tmp_path / "b.xlsx", [["x", "x"], [1, 2]]))
    with pytest.raises(UserError, match="holds no rows below its header, row 1"):
        opened(open_sheet, write_xlsx(tmp_path / "c.xlsx", [["x", "y"]]))


def changed(path: Path, member: str, text: str | bytes) -> Path:
    """A workbook in which one member is another one, or more."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[member] = text.encode() if isinstance(text, str) else text
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in members.items():
            archive.writestr(name, held)
    return path


def sheet_of(cells: str) -> str:
    return (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        f'<row r="1"><c r="A1" t="str"><v>x</v></c><c r="B1" t="str"><v>y</v></c></row>{cells}'
        "</sheetData></worksheet>"
    )


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ('<row r="2"><c r="A2"><v>1</v></c><c r="B2"><f>A2+1</f></c></row>', "cell B2: a formula"),
        ('<row r="2"><c r="A2"><f>1+1</f><v></v></c></row>', "cell A2: a formula"),
        ('<row r="7"><c r="AB7"><f>1+1</f><v/></c></row>', "cell AB7: a formula"),
        (
            '<row r="2"><c r="XFD1048576"><v>1</v></c></row>',
            "as far as row 1,048,576 and column XFD",
        ),
    ],
)
def test_formulas_and_sizes(cells: str, what: str, tmp_path: Path) -> None:
    path = changed(write_xlsx(tmp_path / "a.xlsx", [["x"], [1]]), SHEET, sheet_of(cells))
    with pytest.raises(UserError, match=re.escape(what)):
        opened(open_sheet, path)


def test_values_of_formulas_are_read(tmp_path: Path) -> None:
    cells = (
        '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>""</f><v></v></c></row>'
        '<row r="3"><c r="A3" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="B3" s="0"/></row>'
        '<row r="4"><c r="A4"><v>4</v></c><c r="XFD4" s="0"/></row>'
    )
    path = changed(write_xlsx(tmp_path / "a.xlsx", [["x"], [1]]), SHEET, sheet_of(cells))
    assert rows_of(opened(open_sheet, path)) == [[2, None], [4, None]]


def test_formulas_that_were_never_worked_out_are_all_0(tmp_path: Path) -> None:
    """As libraries write them: 0 for each, and the wish that the program works them out."""
    cells = '<row r="2"><c r="A2"><v>3</v></c><c r="B2"><f>A2*2</f><v>0</v></c></row>'
    path = changed(write_xlsx(tmp_path / "a.xlsx", [["x"], [1]]), SHEET, sheet_of(cells))
    with pytest.raises(UserError, match="cell B2: a formula"):
        opened(open_sheet, path)


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("xl/vbaProject.bin", r"holds macros \(xl/vbaProject.bin\)"),
        ("xl/macrosheets/sheet1.xml", "holds macros"),
        ("xl/externalLinks/externalLink1.xml", "links to other files"),
    ],
)
def test_what_could_be_run_or_lies_elsewhere(member: str, what: str, tmp_path: Path) -> None:
    path = changed(write_xlsx(tmp_path / "a.xlsx", [["x"], [1]]), member, "<a/>")
    with pytest.raises(UserError, match=what):
        opened(open_sheet, path)


def test_entities_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]>' + sheet_of("")
    path = changed(write_xlsx(tmp_path / "a.xlsx", [["x"], [1]]), SHEET, bomb)
    with pytest.raises(UserError, match="declares XML entities"):
        opened(open_sheet, path)


def test_archives_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [["x"], [1]])
    zeros = changed(Path(shutil.copy(path, tmp_path / "b.xlsx")), "xl/zeros.xml", b" " * (1 << 26))
    with pytest.raises(UserError, match=r"bytes that unpack to 67,\d+,\d+; not read"):
        opened(open_sheet, zeros)
    monkeypatch.setattr(workbooks, "LARGEST", 1000)
    with pytest.raises(UserError, match="bytes when unpacked; at most 1,000 are read"):
        opened(open_sheet, path)
    # A directory that tells of less than there is.
    data = bytearray(path.read_bytes())
    for place in (m.start() for m in re.finditer(b"PK\x01\x02", data)):
        struct.pack_into("<I", data, place + 24, 1)
    path.write_bytes(data)
    with pytest.raises(UserError, match="not a readable xlsx spreadsheet"):
        opened(open_sheet, path)


def test_ods_formulas_passwords_links_and_repeated_cells(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["x", "y"], [1, 2]]
    formula = '<table:table-cell/><table:table-cell table:formula="of:=1+1"/>'
    with pytest.raises(UserError, match='sheet "Data", cell B3: a formula'):
        opened(open_sheet, write_ods(tmp_path / "a.ods", rows, formula))
    link = "<table:table-source/>"
    with pytest.raises(UserError, match="links to another file"):
        opened(open_sheet, write_ods(tmp_path / "b.ods", rows, link))
    secret = "<manifest:encryption-data/>"
    with pytest.raises(UserError, match="encrypted; save it without a password"):
        opened(open_sheet, write_ods(tmp_path / "c.ods", rows, entry=secret))
    many = (
        '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" '
        'office:value="1"><text:p>1</text:p></table:table-cell></table:table-row>'
        '<table:table-row table:number-rows-repeated="1000000"><table:table-cell '
        'office:value-type="float" office:value="1"/>'
    )
    with pytest.raises(UserError, match="as far as row 1,000,003 and column XFD"):
        opened(open_sheet, write_ods(tmp_path / "d.ods", rows, many))


def test_xls_macros_and_passwords(tmp_path: Path) -> None:
    path = write_xls(tmp_path / "a.xls", [["x"], [1]])
    held = path.read_bytes()
    for name, what in [("_VBA_PROJECT", "holds macros"), ("EncryptedPackage", "encrypted")]:
        path.write_bytes(held + name.encode("utf-16-le"))
        with pytest.raises(UserError, match=what):
            opened(open_sheet, path)
