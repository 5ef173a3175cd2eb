"""What happens to data and to commands: cells, lines, bytes and files damaged, wrong options.

damage_rows(rows, draw)   in a table, before it is written
damage_files(data, draw)  in the files as they lie there
"""

from __future__ import annotations

import gzip
import math
import random
from collections.abc import Callable
from typing import Any

from drawn_data import Drawn, Rows

Draw = random.Random
CELLS: tuple[Any, ...] = (
    "", None, "NaN", math.nan, "inf", math.inf, "1e999", 10**400, -(10**30), 1e308, -0.0,
    "2019-02-30", "31/13/2010", "0000-00-00", "9999-12-31", "00:00", "2024-01-01T25:00",
    "yesterday", "2010-01-01 2:30 AM", "99999999999999999999", "1.2.3", "1,2,3", "--5", "٣٤", "５",
    "=1/0", "#DIV/0!", "#REF!", "'", '"', '"open', "a\nb", "a\rb", "\t", "\x00", "\x1b[31m", "\x85",
    "\u2028", "\ufeff", "\ud7ff", "😀", "é" * 50, "x" * 100_000, "word " * 3000, [], [1, [2]], {},
    {"a": {"b": [None]}}, True, "True", "__label__x", "-", "$5", "(3)", "50%", "007", "_" * 300,
)  # fmt: skip
ODD_ENDINGS = (
    ".csv", ".tsv", ".txt", ".jsonl", ".json", ".xlsx", ".xls", ".ods", ".parquet", ".arrow",
    ".sqlite", ".duckdb", ".zip", ".gz", ".zst", ".npz", ".conll", ".pos", ".png", ".CSV", ".docx",
    ".md", "", ".feather", ".xlsb", ".ubyte", ".db", ".idx3-ubyte",
)  # fmt: skip


# ---- Tables ----------------------------------------------------------------------------------


def damage_rows(rows: Rows, draw: Draw) -> None:
    """Something is done to the cells, lines and columns of a table."""
    if not rows[0]:
        rows[0].append("a")
    draw.choice(_ROWS)(rows, draw)


def _a_cell(rows: Rows, draw: Draw) -> None:
    for _ in range(draw.choice([1, 1, 2, 8])):
        row = draw.choice(rows)
        if row:
            row[draw.randrange(len(row))] = draw.choice(CELLS)


def _a_column(rows: Rows, draw: Draw) -> None:
    cell, place = draw.choice(CELLS), draw.randrange(len(rows[0]))
    for row in rows[draw.randrange(2) :]:
        if place < len(row) and draw.random() < 0.9:
            row[place] = cell


def _lines_lost(rows: Rows, draw: Draw) -> None:
    place = draw.randrange(len(rows))
    del rows[place : place + draw.choice([1, 1, 3, 20])]
    if not rows:
        rows.append(["a"])


def _lines_twice(rows: Rows, draw: Draw) -> None:
    place = draw.randrange(len(rows))
    rows[place:place] = [list(row) for row in rows[place : place + draw.choice([1, 5, 100])]]


def _shuffled(rows: Rows, draw: Draw) -> None:
    body = rows[1:]
    draw.shuffle(body)
    rows[1:] = body


def _cells_lost_or_more(rows: Rows, draw: Draw) -> None:
    row = draw.choice(rows)
    if draw.random() < 0.5 and len(row) > 1:
        row.pop(draw.randrange(len(row)))
    else:
        row.insert(draw.randrange(len(row) + 1), draw.choice(CELLS))


def _columns_swapped(rows: Rows, draw: Draw) -> None:
    first, second = draw.randrange(len(rows[0])), draw.randrange(len(rows[0]))
    for row in rows[draw.randrange(2) :]:
        if max(first, second) < len(row):
            row[first], row[second] = row[second], row[first]


def _header(rows: Rows, draw: Draw) -> None:
    head = rows[0]
    place = draw.randrange(len(head))
    match draw.randrange(5):
        case 0:
            head[place] = head[0]
        case 1:
            head[place] = draw.choice(["", " ", "Unnamed: 0", "id", "date", "label", "x" * 5000])
        case 2:
            del rows[0]
            if not rows:
                rows.append(["a"])
        case 3:
            rows.insert(0, list(head))
        case _:
            head[:] = [str(name).upper() for name in head]


def _a_new_column(rows: Rows, draw: Draw) -> None:
    head, cells = draw.choice(
        [("", range(9999)), ("empty", [""]), ("label2", [0, 1]), ("date", ["2020-01-01"]),
         ("year", [2019, 2020]), ("x9", [1.5, "NA"]), ("note", ["see above"]), ("id", [1, 1, 2])]
    )  # fmt: skip
    place = draw.randrange(len(rows[0]) + 1)
    for k, row in enumerate(rows):
        row.insert(place, cells[(k - 1) % len(cells)] if k else head)


def _only(rows: Rows, draw: Draw) -> None:
    match draw.randrange(4):
        case 0:
            del rows[1:]
        case 1:
            rows[1:] = [[""] * len(rows[0]) for _ in range(draw.choice([1, 30]))]
        case 2:
            rows[:] = [[] for _ in range(draw.choice([1, 30]))]
        case _:
            del rows[2:]


def _wide(rows: Rows, draw: Draw) -> None:
    more = draw.choice([50, 300])
    for k, row in enumerate(rows):
        row.extend([draw.choice([k, "", f"n{j}"]) for j in range(more)])


_ROWS: tuple[Callable[[Rows, Draw], None], ...] = (
    _a_cell, _a_cell, _a_cell, _a_column, _lines_lost, _lines_twice, _shuffled, _columns_swapped,
    _cells_lost_or_more, _header, _a_new_column, _only, _wide,
)  # fmt: skip


# ---- Files -----------------------------------------------------------------------------------


def damage_files(data: Drawn, draw: Draw) -> str:
    """Something is done to one of the files of the data, or to its place. What it is, in a word."""
    files = data.files()
    if not files:
        return "none"
    path = draw.choice(files)
    given = path in data.items
    match draw.randrange(14):
        case 0 if given:
            new = path.with_suffix(draw.choice(ODD_ENDINGS))
            if not new.exists():
                path.rename(new)
                data.items = [new if item == path else item for item in data.items]
            return "another ending"
        case 1 if given:
            path.unlink()
            path.mkdir()
            if draw.random() < 0.5:
                (path / "inner.csv").write_text("a,b\n1,2\n")
            return "a folder in its place"
        case 2:
            path.write_bytes(draw.choice([b"", b"\n", b"\n" * 500, b" ", b"\xef\xbb\xbf", b"\0"]))
            return "empty"
        case 3:
            path.unlink()
            return "gone"
        case 4 if given:
            data.items = [item for item in data.items for _ in range(2)]
            return "twice"
        case 5:
            path.write_bytes(gzip.compress(path.read_bytes()))
            if given and draw.random() < 0.7:
                new = path.with_name(f"{path.name}.gz")
                path.rename(new)
                data.items = [new if item == path else item for item in data.items]
            return "packed"
        case 6 if given:
            link = path.with_name(f"link-{path.name}")
            link.symlink_to(draw.choice([path.name, link.name]))
            data.items = [link if item == path else item for item in data.items]
            return "a link"
        case 7 if given and len(data.items) > 1:
            data.items[1].write_bytes(data.items[0].read_bytes())
            return "one for the other"
    path.write_bytes(damaged(path.read_bytes(), draw))
    return "bytes"


def damaged(whole: bytes, draw: Draw) -> bytes:
    """The bytes of a file, changed somewhere."""
    held, lines = bytearray(whole), whole.split(b"\n")
    place = draw.randrange(len(held) + 1)
    match draw.randrange(11):
        case 0:
            return bytes(held[:place])
        case 1:
            for _ in range(draw.choice([1, 2, 20])):
                if held:
                    held[draw.randrange(len(held))] = draw.randrange(256)
        case 2:
            held[place:place] = bytes([draw.choice([0, 0, 255, 128, 26])]) * draw.choice([1, 2, 99])
        case 3:
            del held[place : place + draw.randrange(1, 100)]
        case 4:
            draw.shuffle(lines)
            return b"\n".join(lines)
        case 5:
            lines.insert(draw.randrange(len(lines) + 1), draw.choice(lines) * draw.choice([1, 40]))
            return b"\n".join(lines)
        case 6:
            other = draw.choice(["gb18030", "utf-16-le", "cp1252", "utf-8", "shift_jis"])
            k = draw.randrange(len(lines))
            lines[k] = "größer 狐狸 é,ж\t5".encode(other, errors="ignore") + lines[k]
            return b"\n".join(lines)
        case 7:
            deep = draw.choice([b"[", b'{"a":', b'[{"a":', b"(", b'"', b"<a>"])
            held[place:place] = deep * draw.choice([1, 100, 100_000])
        case 8:
            lines.insert(draw.randrange(len(lines) + 1), b"")
            return b"\n".join(lines).replace(b"\n", draw.choice([b"\r", b"\n\n", b"\r\r\n", b" "]))
        case 9:
            old = draw.choice([b",", b"\t", b'"', b".", b"1", b"0", b"e", b":", b"-"])
            return whole.replace(
                old, draw.choice([b"", b";", b'"', b"\0", b"9" * 30, b"{", b"\xff"])
            )
        case _:
            held += draw.choice(
                [b"\0" * 9, b"PK\x03\x04", b"rubbish", b"\n\n\n", b'{"', bytes(held)]
            )
    return bytes(held)


# ---- Options ---------------------------------------------------------------------------------

OF_TABLES: tuple[tuple[str, ...], ...] = (
    ("--encoding", "utf-16"), ("--encoding", "ascii"), ("--encoding", "klingon"),
    ("--encoding", "cp037"), ("--encoding", "base64"), ("--encoding", "gb18030"),
    ("--encoding", "utf-7"), ("--encoding", "idna"), ("--encoding", ""),
    ("--separator", ";"), ("--separator", ";;"), ("--separator", "tab"), ("--separator", "a"),
    ("--separator", "\n"), ("--separator", '"'), ("--separator", " "),
    ("--decimal", "comma"), ("--decimal", "dot"), ("--date-format", "%d/%m/%Y"),
    ("--date-format", "%Q"), ("--date-format", "%"), ("--date-format", ""),
    ("--date-format", "%Y-%m-%d"), ("--date-format", "%j"), ("--date-format", "%d"),
    ("--date-format", "[("), ("--sheet", "9"), ("--sheet", "0"), ("--sheet", "-1"),
    ("--sheet", "Data"), ("--sheet", ""), ("--table", "x"), ("--table", "data"),
    ("--table", 'da"ta'), ("--query", "drop table data"), ("--query", "select * from data"),
    ("--query", "select 1; delete from data"), ("--query", ""), ("--query", "selec"),
    ("--query", "pragma writable_schema=1"), ("--query", "attach 'other.db' as o"),
    ("--query", "copy data to 'out.csv'"), ("--query", "select * from read_csv('/etc/passwd')"),
    ("--query", "with a as (delete from data returning *) select * from a"),
    ("--header=false",), ("--header=true",), ("--skip-bad-rows",),
    ("--validation", "0"), ("--validation", "0.99"), ("--validation-data", "gone.csv"),
)  # fmt: skip
OF_TASKS: dict[str, tuple[tuple[str, ...], ...]] = {
    "classify": (
        ("--text-column", "none"), ("--label-column", "label,label"), ("--text-column", "label"),
        ("--label-column", "text"), ("--label-column", "c1,c2,c3"), ("--multi-label",),
        ("--level", "words"), ("--vocabulary", "3"), ("--longest", "1"), ("--vectors", "gone.txt"),
        ("--text-column", "text", "--label-column", "text"), ("--text-column", "1"),
        ("--label-column", ""), ("--scan", "pixels"), ("--bag", "pairs"), ("--class-weights",),
    ),
    "forecast": (
        ("--target", "none"), ("--target", "ds"), ("--target", "y,y"), ("--time-column", "y"),
        ("--time-column", "none"), ("--id-column", "ds"), ("--id-column", "none"),
        ("--time-column", "gone"), ("--fill", "zero"), ("--fill", "linear"), ("--season", "1000"),
        ("--horizon", "1000"), ("--look-back", "5000"), ("--until", "2015-01-01"),
        ("--until", "someday"), ("--validation-from", "1"), ("--layout", "rows"),
        ("--layout", "columns"), ("--layout", "long"), ("--test-from", "2100-01-01"),
        ("--duplicates", "sum"), ("--past-columns", "y"), ("--static-columns", "ds"),
        ("--future-columns", "north"), ("--log",), ("--scaling", "window"),
        ("--quantiles", "0.1,0.9"), ("--horizon", "1"),
    ),
    "regress": (
        ("--target-columns", "none"), ("--target-columns", "y,y"), ("--target-columns", "time"),
        ("--sequence-column", "y"), ("--sequence-column", "gone"), ("--time-column", "x1"),
        ("--input-columns", "x1,y"), ("--cut", "1"), ("--cut", "0"), ("--feedback",),
        ("--state-columns", "x1"), ("--initial-state", "encoded"), ("--input-columns", "sequence"),
    ),
    "tag": (
        ("--token-column", "none"), ("--label-column", "Word"), ("--sentence-column", "Tag"),
        ("--token-column", "1"), ("--token-column", "99"), ("--label-column", "1"),
        ("--longest", "1"), ("--vocabulary", "2"), ("--sentence-column", ""),
    ),
    "text": (
        ("--column", "gone"), ("--level", "bytes"), ("--level", "words"), ("--level", "bpe"),
        ("--vocabulary", "2"), ("--lowercase",), ("--strip-digits",), ("--column", ""),
        ("--sequence-length", "100000"), ("--column", "1"),
    ),
    "translate": (
        ("--source-column", "none"), ("--source-column", "zh"), ("--target-column", "1"),
        ("--source-column", "2", "--target-column", "2"), ("--longest", "1"), ("--cut",),
        ("--level", "bpe", "--vocabulary", "5"), ("--test", "0.9"), ("--shared-vocabulary",),
        ("--source-column", "translation.en"), ("--source-column", ""),
    ),
}  # fmt: skip


def wrong_flags(task: str, draw: Draw) -> list[str]:
    """Flags that may not fit the data, or anything."""
    flags: list[str] = []
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        flags += draw.choice(draw.choice([OF_TABLES, OF_TASKS[task]])[4 if task == "text" else 0 :])
    return flags
