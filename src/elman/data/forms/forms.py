"""Which form a file has that is no text: told by its first bytes, whatever its name ends in.

PAR1              parquet
SQLite format 3   sqlite
"""

from __future__ import annotations

import codecs
import re
import zipfile
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from elman.errors import UserError

Form: TypeAlias = Literal[
    "xlsx", "xlsb", "xls", "ods", "parquet", "arrow", "arrows", "sqlite", "duckdb"
]

SHEETS: frozenset[Form] = frozenset({"xlsx", "xlsb", "xls", "ods"})
COLUMNAR: frozenset[Form] = frozenset({"parquet", "arrow", "arrows"})
DATABASES: frozenset[Form] = frozenset({"sqlite", "duckdb"})
ENDINGS: dict[str, Form] = {
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".xltx": "xlsx",
    ".xlsb": "xlsb",
    ".xls": "xls",
    ".ods": "ods",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".duckdb": "duckdb",
}
ENOUGH = 64  # bytes from which a form is told
NAMES: dict[Form, str] = {
    "parquet": "Parquet file",
    "arrow": "Arrow file",
    "arrows": "Arrow stream",
    "sqlite": "SQLite database",
    "duckdb": "DuckDB database",
    **{form: f"{form} spreadsheet" for form in get_args(Form) if form in SHEETS},
}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PAGES = (b"<html", b"<!doctype", b"<table", b"<?xml")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_NOTES = re.compile(rb"(?:\s|[%#][^\n]*\n)*")  # before the first line that says something
_MARKED = {  # how files begin that are texts of a form of their own, and what they are called
    ".arff": (b"@relation", "an ARFF file (of Weka)"),
    ".ts": (b"@problemname", "a .ts file (of sktime)"),
}
_LONGEST_NOTES = 1 << 16  # bytes
_ZIP = b"PK\x03\x04"
_ODS = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"


def form_of(path: Path, shown: str = "") -> Form | None:
    """The form of a file, by its first bytes; by its ending where they are no text and of no form.

    None where it is a text or an archive of other things. UserError: it cannot be read, or is a
    page of the web under the name of a spreadsheet, or a text of Weka or sktime.
    """
    shown = shown or str(path)
    try:
        with path.open("rb") as stream:
            begin = stream.read(ENOUGH + len(_ODS))
    except OSError as error:
        raise UserError(f"cannot read {shown}: {error.strerror}; check the path") from None
    named = ENDINGS.get(path.suffix.lower())
    found = form_of_bytes(begin) or _form_of_zip(path, begin)
    if not found and begin.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"@", b"%", b"#"):
        _refuse_marked(path, shown)
    if found or named is None:
        return found
    if named in SHEETS and begin.removeprefix(codecs.BOM_UTF8).lstrip().lower().startswith(_PAGES):
        raise UserError(
            f"{shown}: a page of the web under the name of a spreadsheet; open it in a "
            "spreadsheet program and save it as xlsx or CSV"
        )
    is_text = begin and (b"\0" not in begin or begin[:2] in _UTF_16) and begin[:2] != b"PK"
    return None if is_text else named


def _refuse_marked(path: Path, shown: str) -> None:
    """UserError: a text whose first lines, but for notes, begin with @ and the name of a form."""
    with path.open("rb") as stream:
        begin = stream.read(_LONGEST_NOTES).removeprefix(codecs.BOM_UTF8)
    notes = _NOTES.match(begin)
    said = begin[notes.end() if notes else 0 :].lower()
    for ending, (mark, name) in _MARKED.items():
        if said.startswith(mark) or (said[:1] == b"@" and path.suffix.lower() == ending):
            raise UserError(
                f"{shown}: {name}, which is not read; save its rows as CSV, the names of the "
                "columns in the first line"
            )


def form_of_bytes(begin: bytes) -> Form | None:
    """The form of what begins with these bytes, but for zip archives."""
    if begin.startswith(b"PAR1"):
        return "parquet"
    if begin.startswith(b"ARROW1"):
        return "arrow"
    # A stream of Arrow begins with a mark and the length of a schema.
    if begin.startswith(b"\xff\xff\xff\xff") and begin[6:8] == b"\0\0" and begin[4:6] != b"\0\0":
        return "arrows"
    if begin.startswith(b"SQLite format 3\0"):
        return "sqlite"
    if begin[8:12] == b"DUCK":
        return "duckdb"
    if begin.startswith(_OLE):
        return "xls"
    return None


def _form_of_zip(path: Path, begin: bytes) -> Form | None:
    if not begin.startswith(_ZIP):
        return None
    if begin[30:].startswith(_ODS):
        return "ods"
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.replace("\\", "/").lower() for name in archive.namelist()}
            if "mimetype" in names and "content.xml" in names:
                begun = archive.open("mimetype").read(len(_ODS))
                return "ods" if begun == _ODS.removeprefix(b"mimetype") else None
    except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile):
        return None
    if "xl/workbook.bin" in names:
        return "xlsb"
    return "xlsx" if any(name.startswith("xl/") for name in names) else None
