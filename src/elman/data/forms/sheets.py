"""Sheets of spreadsheets (xlsx, xls, ods) as tables: the first row with values names the columns.

  A            B
1 Sales 2021                  passed over, and said
2
3 day          sold           the header
4 2021-03-01   12             row 4
"""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman.data.forms.cells import Manner
from elman.data.forms.extras import library
from elman.data.forms.forms import Form, form_of
from elman.data.forms.rehearsal import damaged, rehearse
from elman.data.forms.workbooks import (
    DAMAGES,
    MOST_CELLS,
    Looked,
    check_formulas,
    check_size,
    letters,
    look_through,
)
from elman.data.source import Source
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.data.tables.delimited import PREAMBLE, SNIFFED
from elman.data.tables.headers import has_header, named
from elman.data.tables.options import TableOptions
from elman.errors import UserError

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

_MACROS = "_VBA_PROJECT".encode("utf-16-le")  # the name of a stream in an xls
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
LARGEST_XLS = 1 << 28  # bytes


def open_sheet(source: Source, asked: TableOptions = TableOptions()) -> Content:  # noqa: B008
    """A sheet as a table: the one that is asked for, else the first that holds a table.

    UserError: no such sheet, nothing in it, a damaged file, macros, links to other files, formulas
    without their values, a password.
    """
    form = form_of(source.path, source.shown)
    if form == "xlsb":
        raise UserError(f"{source.shown}: a binary workbook (xlsb); save it as xlsx")
    calamine = library("python_calamine", "python-calamine", source.shown)
    with _damaged(source.shown, form or "xlsx"):
        if form == "xls":
            _check_xls(source)
            rehearse(source.shown, form, source.path)
            with calamine.load_workbook(str(source.path)) as book:
                return _chosen(source.shown, book, None, asked)
        with tempfile.TemporaryDirectory(prefix="elman-") as folder:
            copy = Path(folder, f"copy.{form}")
            with source.path.open("rb") as stream, copy.open("wb") as out:
                looked = look_through(source.shown, form or "xlsx", stream, out)
            for sheet in looked.values() if form == "ods" else ():  # of which all are read
                check_size(source.shown, sheet)
            with calamine.load_workbook(str(copy)) as book:
                return _chosen(source.shown, book, looked, asked)


@contextmanager
def _damaged(shown: str, form: Form) -> Iterator[None]:
    """Turns what a damaged file raises into one line."""
    try:
        yield
    except UserError:
        raise
    except DAMAGES:
        raise damaged(shown, form) from None
    except BaseException as error:
        if type(error).__name__ == "PasswordError":
            raise UserError(f"{shown}: encrypted; save it without a password") from None
        if type(error).__module__.split(".")[0] in ("python_calamine", "pyo3_runtime"):
            raise damaged(shown, form) from None
        raise


def _check_xls(source: Source) -> None:
    size = source.path.stat().st_size
    if size > LARGEST_XLS:
        raise UserError(f"{source.shown}: {size:,} bytes; at most {LARGEST_XLS:,} of an xls")
    held = source.path.read_bytes()
    if _ENCRYPTED in held:
        raise UserError(f"{source.shown}: encrypted; save it without a password")
    if _MACROS in held:
        raise UserError(f"{source.shown}: holds macros; save it without them, as xlsx or CSV")


def _chosen(
    shown: str, book: CalamineWorkbook, looked: dict[str, Looked] | None, asked: TableOptions
) -> Content:
    import python_calamine as calamine

    table, seen = calamine.SheetTypeEnum.WorkSheet, calamine.SheetVisibleEnum.Visible
    sheets = [data for data in book.sheets_metadata if data.typ == table]  # not charts
    names = [data.name for data in sheets]
    hidden = {data.name for data in sheets if data.visible != seen}

    def holds(name: str) -> bool:
        if looked is not None:
            held = looked.get(name, Looked(name))
            return bool(held.cells or held.unvalued)
        return book.get_sheet_by_name(name).end is not None

    if asked.sheet is not None:
        name = _asked(shown, asked.sheet, names)
        others: list[str] = []
    else:
        filled = [name for name in names if holds(name)]
        if not filled:
            raise UserError(f"{shown}: holds no rows")
        filled.sort(key=hidden.__contains__)  # those that are seen come first
        seen_ones = [name for name in filled if name not in hidden] or filled
        name = seen_ones[0]
        if len(seen_ones) > 1:  # a cover may come first
            name = next((one for one in seen_ones if _is_table(book, looked, one)), name)
        others = [one for one in filled if one != name]
    if looked is not None:
        check_formulas(shown, looked.get(name, Looked(name)))
        check_size(shown, looked.get(name, Looked(name)))
    sheet = book.get_sheet_by_name(name)
    facts = []
    if others:
        more = ", ".join(f'"{other}"' for other in others)
        facts = [f'sheet "{name}" is read, not {more} (--sheet)']
    return _content(shown, name if len(names) > 1 else "", sheet, facts, asked.header)


def _is_table(book: CalamineWorkbook, looked: dict[str, Looked] | None, name: str) -> bool:
    """Whether two rows of a sheet or more hold two cells or more; of one that is too large to be
    read, it is said later."""
    if looked is not None:
        held = looked.get(name, Looked(name))
        if held.last_row < 2 or held.last_column < 2:
            return False
        if held.cells > MOST_CELLS or held.unvalued:
            return True
    rows = islice(_rows(book.get_sheet_by_name(name)), SNIFFED)
    full = (row for _, row in rows if sum(cell is not None for cell in row) > 1)
    return len(list(islice(full, 2))) == 2


def _asked(shown: str, asked: str, names: Sequence[str]) -> str:
    if asked in names:
        return asked
    if asked.isdecimal() and 1 <= int(asked) <= len(names):
        return names[int(asked) - 1]
    folded = {name.casefold().strip(): name for name in names}
    if (same := folded.get(asked.casefold().strip())) is not None:
        return same
    near = difflib.get_close_matches(asked, names, n=1)
    meant = f'; did you mean "{near[0]}"?' if near else ""
    listed = ", ".join(f'{k} "{name}"' for k, name in enumerate(names, start=1))
    raise UserError(f'{shown}: no sheet "{asked}"{meant or ";"} sheets: {listed}')


Rows = Iterator[tuple[int, list[Any]]]


def _content(
    shown: str, name: str, sheet: CalamineSheet, facts: list[str], header: bool | None
) -> Content:
    place = f'{shown}, sheet "{name}"' if name else shown
    begun = list(islice(_rows(sheet), SNIFFED + PREAMBLE))
    if not begun:
        raise UserError(f"{place}: holds no rows")
    above = _above(begun)
    head_row, head = begun[above]
    first = min(k for _, row in begun[above:] for k, cell in enumerate(row) if cell is not None)
    if above or head_row > 1 or first:
        titles = ", ".join(f'"{c}"' for _, row in begun[:above] for c in row if c is not None)
        over = f", below {titles}" if titles else ""
        facts.append(f"the table begins at cell {letters(first + 1)}{head_row}{over}")
    texts = [_texts(row) for _, row in begun[above:]]
    if header is None:
        header = has_header(texts[0][first:], [row[first:] for row in texts[1:]])
    skipped = head_row if header else head_row - 1  # rows before the first record
    used, manners, count = _survey(sheet, skipped, len(head))
    if not count:
        raise UserError(f"{place}: holds no rows below its header, row {head_row:,}")
    kept = [k for k, is_used in enumerate(used) if is_used or (header and texts[0][k])]
    names = (
        named([" ".join(texts[0][k].split()) for k in kept], f"{place}, row {head_row:,}")
        if header
        else tuple(str(k + 1) for k in range(len(kept)))
    )

    def blocks(bad: BadRows) -> Iterator[Block]:
        for numbers, columns in _columns(sheet, skipped):
            cells = [manners[k].cells(columns[k]) for k in kept]
            yield Block(numbers, list(zip(*cells, strict=True)))

    unit = f'sheet "{name}", row' if name else "row"
    return Content(names, blocks, unit, tuple(facts))


def _rows(sheet: CalamineSheet) -> Rows:
    """The rows that hold something, and their numbers. A cell that is merged downwards stands in
    each of its rows; an empty one is None."""
    merged: dict[int, list[tuple[int, int]]] = {}  # by first row: column, last row
    for (top, left), (bottom, _) in sheet.merged_cell_ranges or ():
        if bottom > top:
            merged.setdefault(top, []).append((left, bottom))
    open_: dict[int, tuple[int, Any]] = {}  # by column: last row, value
    blank = [""] * sheet.total_width
    for k, row in enumerate(sheet.iter_rows()):
        if row == blank:
            continue
        values = [None if type(cell) is str and not cell.strip() else cell for cell in row]
        if all(value is None for value in values):
            continue
        for column, (bottom, value) in list(open_.items()):
            if k > bottom:
                del open_[column]
            elif values[column] is None:
                values[column] = value
        for column, bottom in merged.get(k, ()):
            if column < len(values):
                open_[column] = bottom, values[column]
        yield k + 1, values


def _above(begun: Sequence[tuple[int, list[Any]]]) -> int:
    """How many rows stand above the table: titles of one cell, where other rows have more. A cell
    right above a row that begins further left is a header whose first names are left out."""
    places = [
        (number, [k for k, cell in enumerate(row) if cell is not None]) for number, row in begun
    ]
    above = next((k for k, (_, filled) in enumerate(places) if len(filled) > 1), 0)
    if not 0 < above <= PREAMBLE:
        return 0
    (number, filled), (row, begins) = places[above - 1], places[above]
    return above - 1 if row == number + 1 and filled[0] > begins[0] else above


def _texts(row: Sequence[Any]) -> list[str]:
    """Cells as texts, to tell a header by."""
    manner = Manner()
    return ["" if (cell := manner.cell(value)) is None else str(cell) for value in row]


def _columns(sheet: CalamineSheet, skipped: int) -> Iterator[tuple[list[int], list[Sequence[Any]]]]:
    rows = ((number, row) for number, row in _rows(sheet) if number > skipped)
    while block := list(islice(rows, AT_ONCE)):
        numbers, cells = zip(*block, strict=True)
        yield list(numbers), list(zip(*cells, strict=True))


def _survey(sheet: CalamineSheet, skipped: int, width: int) -> tuple[list[bool], list[Manner], int]:
    """Which columns hold something, how finely their moments are written, how many rows."""
    used, manners, count = [False] * width, [Manner() for _ in range(width)], 0
    for numbers, columns in _columns(sheet, skipped):
        count += len(numbers)
        for k, column in enumerate(columns):
            used[k] = used[k] or any(cell is not None for cell in column)
            manners[k].see(column)
    return used, manners, count
