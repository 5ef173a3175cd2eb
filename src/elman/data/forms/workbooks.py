"""Workbooks (xlsx, ods) looked through before a library reads them: nothing that could be run,
nothing that lies elsewhere, no formula without its value, no more than fits into memory.

What passed is written into a new archive, so that the library sees what was looked at and nothing
else.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import IO, BinaryIO
from xml.parsers import expat

from elman.errors import UserError

LARGEST = 1 << 30  # bytes of all that is unpacked
MOST_CELLS = 1 << 25  # of the smallest rectangle around all values of a sheet
MOST_MEMBERS = 10_000
DENSEST = 400  # times smaller than what is unpacked; spreadsheets reach 100
SMALL = 1 << 24  # bytes that may be packed more densely
BLOCK = 1 << 18
DAMAGES = (  # what reading a damaged archive raises
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError, LookupError, OSError, MemoryError, expat.ExpatError,
)  # fmt: skip
AS_VALUES = "save it with values only, or as CSV"
# Pictures, looks and notes are no data.
_LEFT_OUT = re.compile(
    r"(?:docprops|xl/(?:theme|drawings|charts|chartsheets|media|printersettings|embeddings|"
    r"pivotcache|pivottables|comments|threadedcomments|persons|ctrlprops|activex)|"
    r"pictures|thumbnails|object|configurations2)\b",
    re.IGNORECASE,
)
_RUN = re.compile(r"(?:xl/)?(?:vbaproject\.bin|macrosheets/|dialogsheets/)|basic/|scripts/", re.I)


@dataclass
class Looked:
    """What was seen of one sheet."""

    name: str
    last_row: int = 0  # with a value, from 1
    last_column: int = 0
    unvalued: str = ""  # the first cell with a formula and no value, such as B7
    zero: str = ""  # the first one with a formula whose value is 0
    worked_out: bool = False  # a formula has another value

    @property
    def cells(self) -> int:
        return self.last_row * self.last_column


def look_through(shown: str, form: str, path: BinaryIO, copy: BinaryIO) -> dict[str, Looked]:
    """What each sheet holds, by its name; the archive is written again to `copy`.

    UserError: macros, links to other files, a password, entities, too large. `DAMAGES` where the
    archive is damaged.
    """
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as into:
        members = _members(shown, archive)
        left = LARGEST
        looked: dict[str, Looked] = {}  # by member, or by sheet for ods
        for name, info in members.items():
            if _LEFT_OUT.match(name) or not name.lower().endswith((".xml", ".rels", "mimetype")):
                continue
            look = _look_for(form, name, looked)
            parser = _parser(shown, look) if name.lower() != "mimetype" else None
            with archive.open(info) as stream, into.open(name, "w", force_zip64=True) as out:
                for block in _blocks(stream):
                    left -= len(block)
                    if left < 0:
                        raise UserError(f"{shown}: more than {LARGEST:,} bytes when unpacked")
                    if parser is not None:
                        parser.Parse(block, False)
                    out.write(block)
            if parser is not None:
                parser.Parse(b"", True)
            if look is not None:
                look.end()
        if form == "xlsx":
            names = _sheet_members(archive, members)
            waits = _waits(archive, members)
            looked = {
                name: _named(looked.get(member), name, waits) for name, member in names.items()
            }
    return looked


def check_formulas(shown: str, looked: Looked) -> None:
    """UserError: a formula without its value."""
    if looked.unvalued:
        raise UserError(
            f'{shown}, sheet "{looked.name}", cell {looked.unvalued}: a formula whose value was '
            f"never worked out; open and save it in a spreadsheet program, or {AS_VALUES}"
        )


def check_size(shown: str, looked: Looked) -> None:
    """UserError: more cells than fit into memory."""
    if looked.cells > MOST_CELLS:
        raise UserError(
            f'{shown}, sheet "{looked.name}": values as far as row {looked.last_row:,} and column '
            f"{letters(looked.last_column)}, more than {MOST_CELLS:,} cells; save the table as CSV"
        )


def letters(column: int) -> str:
    """The letters of a column, from 1: A, …, Z, AA."""
    text = ""
    while column:
        column, place = divmod(column - 1, 26)
        text = chr(ord("A") + place) + text
    return text


def _members(shown: str, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise UserError(f"{shown}: {len(infos):,} members; no spreadsheet has so many")
    members = {info.filename.replace("\\", "/").lstrip("/"): info for info in infos}
    for name, info in members.items():
        if _RUN.match(name):
            raise UserError(f"{shown}: holds macros ({name}); save it without them, as xlsx or CSV")
        if name.lower().startswith("xl/externallinks/"):
            raise UserError(
                f"{shown}: links to other files ({name}), which are not opened; {AS_VALUES}"
            )
        if info.flag_bits & 1:
            raise UserError(f"{shown}: encrypted; save it without a password")
    whole, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if whole > LARGEST:
        raise UserError(f"{shown}: {whole:,} bytes when unpacked; at most {LARGEST:,} are read")
    if whole > SMALL and whole > DENSEST * packed:
        raise UserError(f"{shown}: {packed:,} bytes that unpack to {whole:,}; not read")
    return members


def _blocks(stream: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: stream.read(BLOCK), b"")


def _look_for(form: str, name: str, looked: dict[str, Looked]) -> _Look | None:
    lower = name.lower()
    if form == "xlsx" and lower.startswith("xl/worksheets/") and lower.endswith(".xml"):
        looked[name] = Looked(name)
        return _LookXlsx(looked[name])
    if form == "ods" and lower == "content.xml":
        return _LookOds(looked)
    return _Manifest() if form == "ods" and lower == "meta-inf/manifest.xml" else None


def _parser(shown: str, look: _Look | None) -> expat.XMLParserType:
    """Reads XML and refuses whatever declares entities."""

    def refuse(*declared: object) -> None:
        raise UserError(f"{shown}: declares XML entities, as no spreadsheet does; {AS_VALUES}")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    if look is not None:
        look.shown = shown
        parser.buffer_text = True
        parser.StartElementHandler = look.start
        parser.EndElementHandler = look.close
        look.listen = lambda heard: setattr(parser, "CharacterDataHandler", heard)
    return parser


def _sheet_members(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> dict[str, str]:
    """The member that holds each sheet, in the order of the workbook."""
    by_name = {name.lower(): info for name, info in members.items()}
    lower = {name.lower(): name for name in members}
    book = _attributes(archive, by_name["xl/workbook.xml"], "sheet")
    links = _attributes(archive, by_name["xl/_rels/workbook.xml.rels"], "Relationship")
    targets = {link.get("Id"): link.get("Target", "") for link in links}
    found = {}
    for sheet in book:
        key = next((value for name, value in sheet.items() if name.split(":")[-1] == "id"), None)
        target = targets.get(key, "")
        member = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        found[sheet.get("name", "")] = lower.get(member.lower(), member)
    return found


def _waits(archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> bool:
    """Whether the workbook asks to be worked out when it is opened, as libraries write it."""
    by_name = {name.lower(): info for name, info in members.items()}
    asked = _attributes(archive, by_name["xl/workbook.xml"], "calcPr")
    return any(a.get("fullCalcOnLoad") in ("1", "true") for a in asked)


def _named(looked: Looked | None, name: str, waits: bool) -> Looked:
    """What was seen of a sheet. Formulas that are all 0 in a workbook that waits were not yet
    worked out."""
    looked = looked or Looked(name)
    never = looked.zero if waits and not looked.worked_out else ""
    return replace(looked, name=name, unvalued=looked.unvalued or never)


def _attributes(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, element: str
) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if _local(name) == element:
            found.append(attributes)

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(archive.read(info), True)
    return found


def _local(name: str) -> str:
    return name[name.find(":") + 1 :]


class _Look:
    """What is seen of a member of an archive while it is read."""

    shown = ""
    listen: Callable[[Callable[[str], None] | None], None]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        raise NotImplementedError

    def close(self, name: str) -> None:
        """The end of an element."""

    def end(self) -> None:
        """The end of the member."""


class _Manifest(_Look):
    """The list of the members of an ods, which tells of a password."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "encryption-data":
            raise UserError(f"{self.shown}: encrypted; save it without a password")


@dataclass
class _LookXlsx(_Look):
    """A sheet of an xlsx: `<c r="B7" t="str"><f>A1&amp;A2</f><v>text</v></c>`."""

    looked: Looked
    row: int = 0
    column: int = 0
    kind: str = ""
    formula: bool = False
    value: str = ""  # of a formula

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = _local(name)
        if local == "c":
            self._place(attributes.get("r", ""))
            self.kind, self.formula, self.value = attributes.get("t", ""), False, ""
        elif local in ("v", "is"):
            self.looked.last_row = max(self.looked.last_row, self.row)
            self.looked.last_column = max(self.looked.last_column, self.column)
            if self.formula:
                self.listen(self._heard)
        elif local == "f":
            self.formula = True
        elif local == "row":
            given = attributes.get("r", "")
            self.row, self.column = int(given) if given.isdigit() else self.row + 1, 0

    def close(self, name: str) -> None:
        if not self.formula or _local(name) != "c":
            return
        self.listen(None)
        self.formula = False
        looked, place = self.looked, f"{letters(self.column)}{self.row}"
        if not self.value.strip() and self.kind != "str":  # of texts, the empty one is a value
            looked.unvalued = looked.unvalued or place
        elif self.value == "0":
            looked.zero = looked.zero or place
        else:
            looked.worked_out = True

    def _heard(self, text: str) -> None:
        self.value += text

    def _place(self, place: str) -> None:
        row = place.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        if not row.isdigit() or len(row) == len(place):
            self.column += 1
            return
        self.row, self.column = int(row), 0
        for letter in place[: -len(row)]:
            self.column = self.column * 26 + ord(letter) - ord("A") + 1


@dataclass
class _LookOds(_Look):
    """All sheets of an ods: `<table:table-cell table:formula="…" office:value-type="float" …>`."""

    sheets: dict[str, Looked]
    looked: Looked = field(default_factory=lambda: Looked(""))
    row: int = 0  # the last one that is ended
    repeated: int = 1
    columns: int = 0
    last_column: int = 0  # of this row with a value

    def start(self, name: str, attributes: dict[str, str]) -> None:
        local = _local(name)
        if local in ("table-cell", "covered-table-cell"):
            times = _times(attributes, "table:number-columns-repeated")
            self.columns += times
            if "office:value-type" in attributes or "calcext:value-type" in attributes:
                self.last_column = self.columns
            elif "table:formula" in attributes and not self.looked.unvalued:
                place = letters(self.columns - times + 1)
                self.looked.unvalued = f"{place}{self.row + 1}"
        elif local == "p":
            self.last_column = self.columns
        elif local == "table-row":
            self.repeated = _times(attributes, "table:number-rows-repeated")
            self.columns = self.last_column = 0
        elif local == "table":
            self.looked = Looked(attributes.get("table:name", ""))
            self.sheets[self.looked.name] = self.looked
            self.row = 0
        elif local == "table-source":
            raise UserError(f"{self.shown}: links to another file; {AS_VALUES}")

    def close(self, name: str) -> None:
        if _local(name) == "table-row":
            self.row += self.repeated
            if self.last_column:
                self.looked.last_row = self.row
                self.looked.last_column = max(self.looked.last_column, self.last_column)


def _times(attributes: dict[str, str], name: str) -> int:
    given = attributes.get(name, "1")
    return int(given) if given.isdigit() else 1
