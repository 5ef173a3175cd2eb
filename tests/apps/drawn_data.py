"""Small data sets as people bring them, drawn at random: of every task, in every form.

drawn("forecast", Path("here"), Random(3)) → here/data.xlsx, columns ds and y, in the drawn style
"""

from __future__ import annotations

import contextlib
import csv
import datetime as d
import gzip
import io
import json
import math
import random
import re
import sqlite3
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
import polars as pl
import zstandard
from contents import write_ods, write_xls, write_xlsx

Rows: TypeAlias = list[list[Any]]  # the header first
Draw: TypeAlias = random.Random
Ill: TypeAlias = Callable[[Rows, Draw], None]  # damages a table before it is written

TASKS = ("classify", "forecast", "regress", "tag", "text", "translate")
ENCODINGS = {
    "utf-8": "the cat 狐狸 é ü ж 한국 かな",
    "utf-8-sig": "ein Haus am See größer",
    "utf-16": "狐狸 跳过 了 dogs and cats",
    "gb18030": "狐狸 跳过 了 那只 懒狗 abc",
    "big5": "狐狸 跳過 了 那隻 懶狗 abc",
    "shift_jis": "きつね が 犬 を 飛び越えた abc",
    "euc_kr": "여우 가 게으른 개 를 abc",
    "cp1252": "größer café naïve señor – über alles",
    "cp1251": "лиса прыгает через ленивую собаку",
    "latin-1": "größer café naïve señor über alles",
}
STEPS: dict[str, tuple[int, list[str]]] = {  # hours, and how such dates are written
    "yearly": (8766, ["%Y", "%Y-01-01", "01/01/%Y"]),
    "monthly": (
        731, ["%Y-%m-01", "%b-%y", "%B %Y", "%Y%m", "%Y年%m月", "01/%m/%Y", "%m/%Y", "%Y-%m"],
    ),
    "weekly": (168, ["%Y-%m-%d", "%G-W%V", "%d.%m.%Y"]),
    "daily": (
        24,
        ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%Y年%m月%d日",
         "%d %b %Y", "%a, %d %b %Y", "excel"],
    ),
    "hourly": (
        1,
        ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M", "%d/%m/%Y %I:%M %p", "epoch",
         "%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S+01:00"],
    ),
}  # fmt: skip
SEPARATORS = {"csv": ",", "tsv": "\t", "semicolons": ";", "pipes": "|"}
OBJECTS = ("jsonl", "json", "nested")
BINARY = ("xlsx", "xls", "ods", "parquet", "arrow", "arrows", "sqlite", "duckdb")
PACKED = ("zip", "gz", "zst")
TABLES = (*SEPARATORS, *OBJECTS, *BINARY, *PACKED)
COUNTS = (3, *[30, 40, 60] * 4)
PLAIN: dict[str, tuple[str, ...]] = {
    "classify": ("folder", "marked", "lines", "npz", "idx"),
    "regress": ("npz", "lists"),
    "tag": ("conll", "conllu", "lists"),
    "text": ("txt", "folder", "txt.gz", "txt.zst"),
    "translate": ("aligned", "translation"),
    "forecast": (),
}


@dataclass
class Drawn:
    """Data as it is given to a command: its form, its items, and the flags that it needs."""

    form: str
    items: list[Path]
    flags: list[str] = field(default_factory=list)

    def files(self) -> list[Path]:
        """Every file of it."""
        found = [p for item in self.items for p in (item.rglob("*") if item.is_dir() else [item])]
        return sorted(path for path in found if path.is_file())


def drawn(task: str, folder: Path, shape: Draw, draw: Draw, ill: Ill) -> Drawn:
    """A data set written to a folder; `ill` is done to tables before they are written.

    `shape` draws what a model of it depends on: which columns there are, and how dates are written.
    """
    encoding = draw.choice([*ENCODINGS, *["utf-8"] * 6])
    words = [*ENCODINGS[encoding].split(), "a", "on", "mat"]
    plain = PLAIN[task]
    if plain and shape.random() < (0.7 if task in ("text", "tag", "translate") else 0.4):
        form = shape.choice(plain)
        return Drawn(form, _plain(task, form, folder, words, encoding, draw))
    form = draw.choice(TABLES)
    rows = _table(task, words, shape, draw)
    ill(rows, draw)
    flags = ["--column", str(rows[0][0] if rows and rows[0] else "text")] if task == "text" else []
    return Drawn(form, [written(form, folder, rows, encoding, draw)], flags)


# ---- Tables --------------------------------------------------------------------------------


def _table(task: str, words: Sequence[str], shape: Draw, draw: Draw) -> Rows:
    count = draw.choice(COUNTS)
    match task:
        case "classify":
            return _labelled(words, count, shape, draw)
        case "forecast":
            return _series(count, shape, draw)
        case "regress":
            return _trajectories(count, shape, draw)
        case "tag":
            name = shape.choice(["Sentence #", "sentence"])
            rows: Rows = [[name, "Word", "Tag"]]
            for k in range(count // 3):
                for word in draw.choices(words, k=draw.randrange(1, 6)):
                    rows.append([f"Sentence: {k}", word, draw.choice("OX")])
            return rows
        case "text":
            return [["text"], *([_sentence(words, draw)] for _ in range(count * 2))]
    head = shape.choice([["source", "target"], ["en", "zh"], ["en", "zh", "licence"]])
    return [head, *([_sentence(words, draw) for _ in head] for _ in range(count))]


def _labelled(words: Sequence[str], count: int, shape: Draw, draw: Draw) -> Rows:
    kind, rows = shape.choice(["text", "text", "numbers", "several", "cell"]), list[list[Any]]()
    for _ in range(count):
        label = draw.choice(["pos", "neg", "007"])
        text = _sentence(words, draw) + " " + label
        match kind:
            case "text":
                rows.append([text, label])
            case "numbers":
                rows.append([*(round(draw.gauss(len(label), 1), 3) for _ in range(4)), label])
            case "several":
                rows.append([text, *(draw.randrange(2) for _ in range(3))])
            case _:
                rows.append([text, draw.choice(["a;b", "a", "b", "b;c"])])
    names = [f"c{k}" for k in range(len(rows[0]))]
    return [["text", "label"] if kind == "text" else names, *rows]


def _series(count: int, shape: Draw, draw: Draw) -> Rows:
    step = shape.choice(list(STEPS))
    hours, styles = STEPS[step]
    style = shape.choice([*styles, "date", "date"])
    begin, dates = d.datetime(draw.randrange(1972, 2020), draw.randrange(1, 13), 1), []
    count = 3 if count == 3 else draw.choice([60, 90])
    for k in range(count):
        month = begin.month - 1 + k
        when = {
            "yearly": begin.replace(year=begin.year - 60 + k, month=1),
            "monthly": begin.replace(year=begin.year + month // 12, month=month % 12 + 1),
        }.get(step, begin + d.timedelta(hours=hours * k))
        dates.append(styled(when, style))
    if draw.random() < 0.2:
        dates.reverse()
    values = [round(50 + 10 * math.sin(k / 2) + draw.gauss(0, 2), 2) for k in range(count)]
    match shape.randrange(4):
        case 0:
            names = ["A", "B"]
            return [
                ["unique_id", "ds", "y"],
                *([name, *both] for name in names for both in zip(dates, values, strict=True)),
            ]
        case 1:
            wide = zip(dates, values, values[::-1], strict=True)
            return [["date", "north", "south"], *map(list, wide)]
        case 2 if step == "yearly":
            return [["country", *dates], ["A", *values], ["B", *values[::-1]]]
    return [["ds", "y"], *map(list, zip(dates, values, strict=True))]


def styled(when: d.datetime, style: str) -> Any:
    """A moment as its style writes it."""
    match style:
        case "epoch":
            return int(when.replace(tzinfo=d.UTC).timestamp())
        case "excel":
            return (when - d.datetime(1899, 12, 30)).days
        case "date":
            return when
    return when.strftime(style)


def _trajectories(count: int, shape: Draw, draw: Draw) -> Rows:
    rows: Rows = [["sequence", "time", "x1", "x2", "y"]]
    for k in range(max(2, count // 8)):
        for t in range(draw.randrange(2, 9)):
            x1, x2 = draw.gauss(0, 1), draw.gauss(5, 2)
            rows.append([k, t, round(x1, 3), round(x2, 3), round(x1 - x2, 3)])
    if shape.random() < 0.3:
        rows = [row[2:] for row in rows]
    return rows


def _sentence(words: Sequence[str], draw: Draw) -> str:
    return " ".join(draw.choices(words, k=draw.randrange(2, 8))) + draw.choice(["", ".", " !"])


def written(form: str, folder: Path, rows: Rows, encoding: str, draw: Draw) -> Path:
    """A table as a file of a form."""
    if form in SEPARATORS or form in PACKED:
        text = _text(rows, SEPARATORS.get(form, ","), draw).encode(encoding, errors="replace")
        ending = form if form in ("tsv", "csv") else draw.choice(["csv", "txt"])
        path = folder / f"data.{ending}"
        if form == "zip":
            path = folder / "data.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for k in range(draw.choice([1, 1, 2])):
                    archive.writestr(f"part{k}.csv", text)
        elif form in PACKED:
            path = folder / f"data.csv.{form}"
            path.write_bytes(_packed(form, text))
        else:
            path.write_bytes(text)
        return path
    if form in OBJECTS:
        path = folder / ("data.json" if form == "json" else "data.jsonl")
        path.write_bytes(_objects(rows, form).encode(encoding, errors="replace"))
        return path
    path = folder / f"data.{form}"
    _BINARY[form](path, rows)
    return path


def _packed(form: str, data: bytes) -> bytes:
    return gzip.compress(data) if form.endswith("gz") else zstandard.compress(data)


def _text(rows: Rows, separator: str, draw: Draw) -> str:
    comma = separator == ";" and draw.random() < 0.7
    out = io.StringIO()
    end = draw.choice(["\n", "\n", "\n", "\r\n", "\r"])
    writer = csv.writer(out, delimiter=separator, lineterminator=end)
    for row in rows:
        cells = [str(c).replace(".", ",") if comma and isinstance(c, float) else c for c in row]
        writer.writerow(cells)
    return out.getvalue()


def _objects(rows: Rows, form: str) -> str:
    head = [str(name) for name in rows[0]] if rows else []
    made: list[Any] = []
    for row in rows[1:]:
        one: dict[str, Any] = dict(zip(head, row, strict=False))
        made.append({"data": one, "id": len(made)} if form == "nested" else one)
    if form == "json":
        return json.dumps(made, default=str, ensure_ascii=False)
    return "".join(json.dumps(one, default=str, ensure_ascii=False) + "\n" for one in made)


def _clean(rows: Rows, *, distinct: bool) -> tuple[list[str], Rows]:
    """Rows as libraries take them: of one length, short texts, no control characters."""
    width = max((len(row) for row in rows), default=0) or 1

    def cell(value: Any) -> Any:
        if isinstance(value, int) and abs(value) >= 1 << 53:
            value = str(value)
        if isinstance(value, list | dict):
            value = json.dumps(value)
        return (
            re.sub(r"[\x00-\x1f\ud800-\udfff]", "", value)[:3000]
            if isinstance(value, str)
            else value
        )

    padded = [[cell(c) for c in row] + [None] * (width - len(row)) for row in rows] or [[None]]
    names: list[str] = []
    for k, name in enumerate(padded[0]):
        text = "" if name is None else str(name)
        names.append(f"{text}_{k}" if distinct and (not text or text in names) else text)
    return names, padded[1:]


def _columnar(path: Path, rows: Rows) -> None:
    frame = _frame(rows)
    match path.suffix:
        case ".parquet":
            frame.write_parquet(path)
        case ".arrow":
            frame.write_ipc(path)
        case _:
            frame.write_ipc_stream(path)


def _frame(rows: Rows) -> pl.DataFrame:
    names, cells = _clean(rows, distinct=True)
    try:
        return pl.DataFrame(cells, schema=names, orient="row", infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        texts = [[None if c is None else str(c) for c in row] for row in cells]
        return pl.DataFrame(texts, schema=dict.fromkeys(names, pl.String), orient="row")


def _sqlite(path: Path, rows: Rows) -> None:
    names, cells = _clean(rows, distinct=True)
    listed = ", ".join('"' + name.replace('"', '""') + f'{k}"' for k, name in enumerate(names))
    if len({name.lower() for name in names}) == len(names):
        listed = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute(f"CREATE TABLE data ({listed})")
        holes = ", ".join("?" for _ in names)
        simple = [[str(c) if isinstance(c, d.datetime) else c for c in row] for row in cells]
        base.executemany(f"INSERT INTO data VALUES ({holes})", simple)
        base.commit()


def _duckdb(path: Path, rows: Rows) -> None:
    frame = _frame(rows)
    lowered = [name.lower() for name in frame.columns]
    if len(set(lowered)) < len(lowered):
        frame = frame.rename({name: f"{name}{k}" for k, name in enumerate(frame.columns)})
    with contextlib.closing(duckdb.connect(str(path), config={"threads": 1})) as base:
        names = [f'"{name}" VARCHAR'.replace('""', '"_"') for name in frame.columns]
        base.execute(f"CREATE TABLE data ({', '.join(names)})")
        holes = ", ".join("?" for _ in names)
        if frame.height:
            texts = [[None if c is None else str(c) for c in row] for row in frame.rows()]
            base.executemany(f"INSERT INTO data VALUES ({holes})", texts)


def _sheet(write: Callable[[Path, Rows], Any]) -> Callable[[Path, Rows], None]:
    def sheet(path: Path, rows: Rows) -> None:
        names, cells = _clean(rows, distinct=False)
        write(path, [names, *cells])

    return sheet


_BINARY: dict[str, Callable[[Path, Rows], None]] = {
    "xlsx": _sheet(write_xlsx),
    "xls": _sheet(write_xls),
    "ods": _sheet(lambda path, rows: write_ods(path, [list(map(_escaped, row)) for row in rows])),
    "parquet": _columnar,
    "arrow": _columnar,
    "arrows": _columnar,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}


def _escaped(cell: Any) -> Any:
    return cell.replace("&", "&amp;").replace("<", "&lt;") if isinstance(cell, str) else cell


# ---- What is no table ------------------------------------------------------------------------


def _plain(
    task: str, form: str, folder: Path, words: Sequence[str], encoding: str, draw: Draw
) -> list[Path]:  # fmt: skip
    def put(name: str, text: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(encoding, errors="replace"))
        return path

    count = draw.choice(COUNTS)
    lines = [_sentence(words, draw) for _ in range(count)]
    whole = "\n".join(lines) + "\n"
    match task, form:
        case "classify", "folder":
            for k, line in enumerate(lines):
                put(f"data/{'pos' if k % 2 else 'neg'}/{k}.txt", line)
            return [folder / "data"]
        case "text", "folder":
            for k, line in enumerate(lines[:4]):
                put(f"data/{k}.txt", line * 20)
            return [folder / "data"]
        case _, "marked":
            marked = (f"__label__{'ab'[k % 2]} {line}\n" for k, line in enumerate(lines))
            return [put("data.txt", "".join(marked))]
        case _, "lines":
            return [put("film.pos", whole), put("film.neg", whole[::-1])]
        case _, "npz":
            rng = np.random.default_rng(draw.randrange(1 << 30))
            y = rng.integers(0, 3, count) if task == "classify" else rng.normal(size=(count, 5, 2))
            np.savez(folder / "data.npz", x=rng.normal(size=(count, 5, 3)), y=y)
            return [folder / "data.npz"]
        case _, "idx":
            pixels = bytes(draw.randrange(256) for _ in range(count * 30))
            head = struct.pack(">4B3I", 0, 0, 8, 3, count, 6, 5)
            (folder / "train-images-idx3-ubyte").write_bytes(head + pixels)
            labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(k % 3 for k in range(count))
            (folder / "train-labels-idx1-ubyte").write_bytes(labels)
            return [folder / "train-images-idx3-ubyte"]
        case "regress", "lists":
            made = [{"x": [[0.5, k]] * 4, "y": [[k / 2]] * 4} for k in range(count)]
            return [put("data.jsonl", "".join(json.dumps(one) + "\n" for one in made))]
        case "tag", "lists":
            tagged = [
                {"tokens": line.split(), "tags": draw.choices("OX", k=len(line.split()))}
                for line in lines
            ]
            return [put("data.jsonl", "".join(json.dumps(one) + "\n" for one in tagged))]
        case "tag", _:
            between, blocks = draw.choice([" ", "\t"]), []
            for line in lines:
                cells = [[w, draw.choice("OX")] for w in line.split()]
                if form == "conllu":
                    between = "\t"
                    cells = [[str(k + 1), w, w, t, *"______"] for k, (w, t) in enumerate(cells)]
                blocks.append("".join(between.join(row) + "\n" for row in cells))
            return [put(f"data.{form}", "\n".join(blocks))]
        case _, "aligned":
            return [put("a.en", whole), put("a.zh", "\n".join(lines[::-1]) + "\n")]
        case _, "translation":
            pairs = [{"translation": {"en": line, "zh": line[::-1]}} for line in lines]
            return [put("data.jsonl", "".join(json.dumps(one) + "\n" for one in pairs))]
    path = put("data.txt", whole * 8)
    if form != "txt":
        path = folder / f"data.{form}"
        path.write_bytes(_packed(form, (folder / "data.txt").read_bytes()))
    return [path]
