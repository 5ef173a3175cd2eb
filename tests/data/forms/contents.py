"""Tables to write in every form, and what comes back."""

from __future__ import annotations

import datetime as d
import random
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import xlwt

from elman.data.source import Source
from elman.data.tables.content import BadRows, Content
from elman.data.tables.options import TableOptions

COLUMNS = ["day", "when", "count", "x", "word", "flag"]
NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "table", "text")
)


def rows_of(content: Content, bad: BadRows | None = None) -> list[list[Any]]:
    """All records."""
    blocks = content.blocks(bad or BadRows(skip=False))
    return [list(row) for block in blocks for row in block.cells]


def numbers_of(content: Content) -> list[int]:
    """The numbers of all records."""
    return [n for block in content.blocks(BadRows(skip=False)) for n in block.numbers]


def opened(
    open_form: Callable[[Source, TableOptions], Content], path: Path, **asked: Any
) -> Content:
    """A file by one of the openers."""
    return open_form(Source(path.name, path), TableOptions(**asked))


def drawn(seed: int, rows: int = 40) -> tuple[list[list[Any]], list[list[Any]]]:
    """Values of Python in columns of every kind, and the cells that they should become."""
    draw = random.Random(seed)
    begin = d.datetime(draw.randrange(1971, 2060), draw.randrange(1, 13), draw.randrange(1, 29))
    step = d.timedelta(hours=draw.choice([1, 3, 24 * 7]), minutes=draw.choice([0, 15, 30]))
    values, cells = [], []
    for k in range(rows):
        day, when = begin.date() + d.timedelta(days=k), begin + step * k + d.timedelta(minutes=1)
        count, x = draw.randrange(-(10**6), 10**6), draw.gauss(0, 100)
        word, flag = draw.choice(["a", "长", "é ü", "007", "1,5"]), draw.random() < 0.5
        row = [day, when, count, x, word, flag]
        cell = [day.isoformat(), when.isoformat(timespec="seconds"), count, x, word, flag]
        lost = draw.randrange(len(row)) if draw.random() < 0.2 and k > 2 else None
        if lost is not None:
            row[lost] = cell[lost] = None
        values.append(row)
        cells.append(cell)
    return values, cells


def write_xlsx(path: Path, rows: Sequence[Sequence[Any]], *more: tuple[str, Any]) -> Path:
    """A workbook of one sheet, or of more."""
    book = openpyxl.Workbook()
    for k, (name, table) in enumerate([("Data", rows), *more]):
        sheet = book.active if k == 0 else book.create_sheet()
        sheet.title = name
        for row in table:
            sheet.append(row)
    book.save(path)
    return path


def write_xls(path: Path, rows: Sequence[Sequence[Any]]) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Data")
    day, when = (xlwt.easyxf(num_format_str=f) for f in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"))
    for i, row in enumerate(rows):
        for k, cell in enumerate(row):
            if isinstance(cell, d.date):
                sheet.write(i, k, cell, when if isinstance(cell, d.datetime) else day)
            elif cell is not None:
                sheet.write(i, k, cell)
    book.save(path)
    return path


def write_ods(path: Path, rows: Sequence[Sequence[Any]], cells: str = "", entry: str = "") -> Path:
    """A sheet, more cells in a row of their own, and more in the list of members."""

    def cell(value: Any) -> str:
        if value is None:
            return "<table:table-cell/>"
        kind, name = "string", ""
        if isinstance(value, bool):
            kind, name = "boolean", f'office:boolean-value="{str(value).lower()}"'
        elif isinstance(value, int | float):
            kind, name = "float", f'office:value="{value!r}"'
        elif isinstance(value, d.date):
            kind, name = "date", f'office:date-value="{value.isoformat()}"'
        text = f"<text:p>{value}</text:p>"
        return f'<table:table-cell office:value-type="{kind}" {name}>{text}</table:table-cell>'

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    # As office programs write it: the rest of the sheet, empty.
    rest = (
        '<table:table-row table:number-rows-repeated="1048000">'
        '<table:table-cell table:number-columns-repeated="16384"/></table:table-row>'
    )
    more = f"<table:table-row>{cells}</table:table-row>" if cells else ""
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), kind)
        archive.writestr(
            "content.xml",
            f'<?xml version="1.0" encoding="UTF-8"?><office:document-content {NAMESPACES}>'
            f'<office:body><office:spreadsheet><table:table table:name="Data">{body}{more}{rest}'
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{manifest}"><manifest:file-entry '
            f'manifest:full-path="/" manifest:media-type="{kind}">{entry}</manifest:file-entry>'
            "</manifest:manifest>",
        )
    return path
