"""Tables with a row for each recording: CSV, TSV, JSON lines, with a header or without.

{"audio_filepath": "a.wav", "duration": 2.1, "text": "hello"}     NeMo
LJ001-0001|Printing, in 1498|Printing, in fourteen ninety-eight   LJSpeech: wavs/LJ001-0001.wav
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from itertools import islice
from typing import NamedTuple, TypeAlias

from elman.data.sound.clips import Clip, Part, Recording
from elman.data.sound.columns import AUDIO, Columns, columns_of, has_names
from elman.data.sound.layouts.found import Found, plain
from elman.data.sound.options import SoundOptions
from elman.data.sound.parts import part_of, usual
from elman.data.sound.tree import Tree, stem
from elman.data.source import Source
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.data.tables.options import TableOptions
from elman.data.tables.table import Row, Table, ending, of_content, open_table, text_lines
from elman.errors import UserError

ENDINGS = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json", ".txt", ".parquet", ".xlsx")
OTHERS = ("invalidated", "other", "reported")  # of Common Voice: what nobody vouches for
LOOKED_AT = 50  # rows by which columns are told
MOST = 200  # tables of a folder that are opened
MARKS = "|\t,;"

There: TypeAlias = Callable[[str], bool]


class _Opened(NamedTuple):
    name: str
    table: Table
    columns: Columns


def read(
    tree: Tree, asked: SoundOptions, bad: BadRows, tables: TableOptions, known: Columns,
    wanted: bool, refused: list[UserError],
) -> Found | None:  # fmt: skip
    """The clips that tables of a tree tell; None where none does.

    What is wrong with files that look like tables is added to `refused`.
    UserError: a table that was named itself and is none, or a column asked for that none has.
    """
    names = [name for name in tree.names if _may_be_table(tree, name)]
    names.sort(key=lambda name: (name.endswith(".txt"), name.count("/")))  # the likeliest first
    opened: list[_Opened] = []
    for name in names[:MOST]:
        try:
            one = _opened(tree, name, asked, tables, known)
        except UserError as error:
            refused.append(error)
            continue
        if one is None:
            continue
        if one.columns.text is None and one.columns.label is None and wanted:
            refused.append(_no_column(one.table))
        else:
            opened.append(one)
    if not opened:
        if refused and (not tree.whole or _asked(asked)):
            raise refused[0]
        return None
    taken = _chosen(opened)
    clips = [clip for one in taken for clip in _clips(tree, one, bad)]
    return Found(_layout(taken[0]), clips, _facts(taken, opened), taken[0].columns)


def _may_be_table(tree: Tree, name: str) -> bool:
    """Whether a file may be a table, and tells of no single recording by its name."""
    base = name.removesuffix(".gz").removesuffix(".zst")
    if not base.lower().endswith(ENDINGS):
        return False
    own = posixpath.basename(posixpath.splitext(base)[0])
    return not tree.whole or own not in tree.bare_stems


def _asked(asked: SoundOptions) -> bool:
    names = ("audio_column", "text_column", "label_column", "speaker_column")
    return any(getattr(asked, name) is not None for name in names)


def _no_column(table: Table) -> UserError:
    columns = ", ".join(table.columns[:12])
    return UserError(
        f"{table.shown}: no column is known to hold transcripts or labels (its columns: "
        f"{columns}); name one by --text-column or --label-column"
    )


def _opened(
    tree: Tree, name: str, asked: SoundOptions, tables: TableOptions, known: Columns
) -> _Opened | None:
    """A file as a table of recordings; None where it is none."""
    one, folder = tree.source(name), posixpath.dirname(name)

    def there(path: str) -> bool:
        return tree.find(path, folder) is not None

    table = _without_header(one, tables, there) or (
        None if ending(one) == ".txt" and tree.whole else open_table(one, tables)
    )
    if table is None:
        return None
    rows = list(islice(table.rows(BadRows(skip=True)), LOOKED_AT))
    if not rows and not set(table.columns).isdisjoint(AUDIO):
        raise UserError(f"{table.shown}: holds no rows that can be read")
    columns = columns_of(table, rows, asked, known, there)
    if columns is None and not tree.whole:
        raise UserError(
            f"{table.shown}: no column holds paths of recordings (its columns: "
            f"{', '.join(table.columns[:12])}); name one by --audio-column"
        )
    return None if columns is None else _Opened(name, table, columns)


def _without_header(one: Source, tables: TableOptions, there: There) -> Table | None:
    """A table whose first line names a recording, so that it has no header; None of others.

    Quotation marks around | mean nothing, as in LJSpeech, which holds single ones.
    """
    if ending(one) not in (".csv", ".tsv", ".tab", ".txt", "") or tables.header:
        return None
    lines = (line for line in text_lines(one, tables.encoding) if line.strip())
    first = next(lines, "").strip()
    for mark in MARKS:
        cells = [cell.strip().strip('"') for cell in first.split(mark)]
        if len(cells) < 2 or not any(_is_recording(cell, there) for cell in cells):
            continue
        if mark == "|":
            return _barred(one, tables, len(cells))
        separator = "tab" if mark == "\t" else mark
        return open_table(one, replace(tables, header=False, separator=separator))
    return None


def _is_recording(cell: str, there: There) -> bool:
    return bool(cell) and cell.lower() not in AUDIO and there(cell)


def _barred(one: Source, tables: TableOptions, width: int) -> Table:
    """Lines of cells parted by | alone."""

    def blocks(bad: BadRows) -> Iterator[Block]:
        numbered = enumerate(text_lines(one, tables.encoding), start=1)
        while some := list(islice(numbered, AT_ONCE)):
            numbers, cells = list[int](), list[list[str]]()
            for number, line in some:
                parts = line.rstrip("\r\n").split("|")
                if len(parts) == width:
                    numbers.append(number)
                    cells.append(parts)
                elif line.strip():
                    bad.add(
                        f"{one.shown}, line {number:,}",
                        f"{len(parts)} cells parted by | where there should be {width}",
                    )
            yield Block(numbers, cells)

    names = tuple(str(k + 1) for k in range(width))
    table = of_content(one.shown, Content(names, blocks, "line"), tables)
    return replace(table, header=False)


def _chosen(opened: Sequence[_Opened]) -> list[_Opened]:
    """Those that are read: parts where the data has such, and none that nobody vouches for."""
    sure = [one for one in opened if stem(one.name).partition(".")[0] not in OTHERS] or opened
    names = set(usual(one.name for one in sure))
    return [one for one in sure if one.name in names]


def _layout(one: _Opened) -> str:
    columns = one.columns
    if columns.audio == "audio_filepath":
        return "NeMo lines"
    if columns.audio == "path" and columns.text == "sentence":
        return "Common Voice"
    return "table" if has_names(one.table) else "table without a header"


def _facts(taken: Sequence[_Opened], opened: Sequence[_Opened]) -> list[str]:
    names = [posixpath.basename(one.name) for one in taken]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    columns = taken[0].columns
    what = "transcripts" if columns.text is not None else "labels"
    held = {
        "audio": "recordings", "text": "transcripts", "label": "labels", "speaker": "speakers",
        "start": "starts", "stop": "ends", "duration": "durations",
    }  # fmt: skip
    told = [
        f'{held[one.name]} "{name}"'
        for one in fields(Columns)
        if (name := getattr(columns, one.name)) is not None
    ]
    facts = [f"{what} from {shown}; columns: {', '.join(told)}"]
    left = [posixpath.basename(one.name) for one in opened if one not in taken]
    facts += [f"not used: {', '.join(left[:5])}"] if left else []
    return facts + [fact for one in taken for fact in one.table.facts]


def _clips(tree: Tree, one: _Opened, bad: BadRows) -> Iterator[Clip]:
    folder, part = posixpath.dirname(one.name), part_of(one.name)
    for row in one.table.rows(bad):
        path = _cell(row, one.columns.audio)
        if path is None:
            bad.add(row.where, f'no path in the column "{one.columns.audio}"')
            continue
        found = tree.find(path, folder)
        if found is None:
            bad.add(row.where, f'no recording "{path[:200]}"')
            continue
        try:
            yield _clip(one, row, found, part or part_of(posixpath.dirname(path)))
        except ValueError as error:
            bad.add(row.where, str(error))


def _clip(one: _Opened, row: Row, recording: Recording, part: Part) -> Clip:
    columns = one.columns
    start = _seconds(one, row, columns.start) or 0.0
    stop = _seconds(one, row, columns.stop)
    length = _seconds(one, row, columns.duration)
    if stop is None and length is not None:
        stop = start + length
    text, label = _cell(row, columns.text), _cell(row, columns.label)
    return Clip(
        row.where, recording, start, stop, None if columns.text is None else text or "", label,
        _cell(row, columns.speaker) or "", part,
    )  # fmt: skip


def _cell(row: Row, name: str | None) -> str | None:
    """A cell as text with single spaces, None where it is empty."""
    value = None if name is None else row.values.get(name)
    if value is None or value != value:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return plain(value) or None


def _seconds(one: _Opened, row: Row, name: str | None) -> float | None:
    """A time in seconds, as the whole column writes numbers. ValueError: no such time."""
    cell = _cell(row, name)
    if name is None or cell is None:
        return None
    try:
        value: float | None = float(cell)
    except ValueError:
        numerals = one.table.examined.reading.column(name).numerals
        value = None if numerals is None else numerals.number(cell)
    if value is None or not 0 <= value < math.inf:
        raise ValueError(f'{name} "{cell[:60]}": needs seconds from 0')
    return value
