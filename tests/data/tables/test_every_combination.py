"""One table, written in every combination of encoding, separator, decimal mark, date style, order
of rows and form: the same numbers and dates are read back."""

from __future__ import annotations

import csv
import io
import itertools
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from elman.data.tables.content import BadRows
from elman.data.time_series import series
from elman.data.time_series.options import SeriesOptions

ROWS = 30
Words = tuple[str, str, str, tuple[str, ...]]  # of time, value, remark; and remarks


class Way(NamedTuple):
    """One way of writing the table."""

    encoding: str
    separator: str
    decimal: str
    style: str
    order: str


ENGLISH: Words = ("date", "sales", "remark", ("snow in the morning", "the shop was closed at noon"))
GERMAN: Words = ("Datum", "Umsätze", "Bemerkung", ("für Gäste geöffnet", "schöne Grüße aus Köln"))
RUSSIAN: Words = ("дата", "продажи", "заметка", ("магазин был закрыт", "утром шёл снег"))
SIMPLE: Words = ("日期", "销量", "备注", ("今天上午下雪，商店没有开门", "顾客很多，我们卖得很好"))
TRADITIONAL: Words = (
    "日期",
    "銷量",
    "備註",
    ("今天上午下雪，商店沒有開門", "顧客很多，我們賣得很好"),
)
JAPANESE: Words = (
    "日付",
    "売上",
    "備考",
    ("午前中は雪が降っていました", "お客さんがとても多かった"),
)
KOREAN: Words = ("날짜", "매출", "비고", ("오전에 눈이 내렸습니다", "손님이 아주 많았습니다"))
ENCODINGS: dict[str, Words] = {
    "utf-8": SIMPLE, "utf-8-sig": GERMAN, "utf-16": ENGLISH, "gb18030": SIMPLE,
    "big5": TRADITIONAL, "shift_jis": JAPANESE, "euc-kr": KOREAN, "windows-1252": GERMAN,
    "windows-1251": RUSSIAN,
}  # fmt: skip
DECIMALS: dict[str, Callable[[float], str]] = {
    "3.5": lambda value: f"{value:.2f}",
    "3,5": lambda value: f"{value:.2f}".replace(".", ","),
    "1,234.5": lambda value: f"{value:,.2f}",
    "1.234,5": lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,")),
    "1 234,5": lambda value: f"{value:,.2f}".translate(str.maketrans(",.", " ,")),
    "€": lambda value: f"{value:,.2f}".translate(str.maketrans(",.", ".,")) + " €",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STYLES: dict[str, Callable[[date], str]] = {
    "iso": date.isoformat,
    "d.m.y": lambda day: day.strftime("%d.%m.%Y"),
    "d/m/y": lambda day: day.strftime("%d/%m/%Y"),
    "m/d/y": lambda day: f"{day.month}/{day.day}/{day.year}",
    "chinese": lambda day: f"{day.year}年{day.month}月{day.day}日",
    "name": lambda day: f"{day.day} {MONTHS[day.month - 1]} {day.year}",
    "packed": lambda day: day.strftime("%Y%m%d"),
    "d-m-yy": lambda day: day.strftime("%d-%m-%y"),
}
ORDERS = ("up", "down", "shuffled")
RARE = ("utf-8-sig", "windows-1251", "|", "€")  # drawn; the others are tried in every combination


def sensible(way: Way) -> bool:
    """Not what no program writes: signs that an encoding lacks."""
    chinese = way.style != "chinese" or ENCODINGS[way.encoding] not in (GERMAN, RUSSIAN, KOREAN)
    return chinese and (way.decimal != "€" or way.encoding in ("utf-8", "utf-16", "windows-1252"))


WHOLE = [
    way
    for way in itertools.starmap(
        Way, itertools.product(ENCODINGS, (",", ";", "\t", "|"), DECIMALS, STYLES, ORDERS)
    )
    if sensible(way)
]
DELIMITED = [way for way in WHOLE if not set(way) & {*RARE}]
DELIMITED += [way for way in WHOLE if set(way) & {*RARE}][::17]


def drawn(seed: int, style: str) -> tuple[list[date], list[float]]:
    """Days without a gap, past the twelfth of a month so that the order of day and month shows, and
    values with cents."""
    draw = np.random.default_rng(seed)
    first = date(2001, 1, 1) + timedelta(days=int(draw.integers(0, 7000)))
    days = [first + timedelta(days=k) for k in range(ROWS)]
    # No cell may look like another way of writing: all three digits, or no cents.
    values = [round(float(v), 2) + 0.01 for v in draw.uniform(10, 1_000_000, ROWS)]
    return days, [round(v, 2) for v in values]


def ordered(rows: list[list[str]], order: str, seed: int) -> list[list[str]]:
    if order == "down":
        return rows[::-1]
    if order == "shuffled":
        places = np.random.default_rng(seed).permutation(len(rows))
        return [rows[k] for k in places]
    return rows


def check(
    path: Path, words: Words, days: Sequence[date], values: Sequence[float], way: object
) -> None:
    found = series.read([str(path)], SeriesOptions(), BadRows(False))
    (one,) = found.series
    assert one.name == words[1], way
    assert one.y.tolist() == list(values), way
    assert found.grid is not None and found.grid.name == "daily", way
    moments = found.grid.moments(one.places[[0, 17, -1]])
    read = moments.astype("M8[us]").astype("M8[D]").tolist()
    assert read == [days[0], days[17], days[-1]], way


PARTS = 12


@pytest.mark.parametrize("part", range(PARTS))
def test_a_table_reads_the_same_however_it_is_written(part: int, tmp_path: Path) -> None:
    assert len(DELIMITED) >= 2_000
    path = tmp_path / "table.csv"
    for seed, way in list(enumerate(DELIMITED))[part::PARTS]:
        words = ENCODINGS[way.encoding]
        days, values = drawn(seed, way.style)
        rows = [
            [STYLES[way.style](day), DECIMALS[way.decimal](value), words[3][k % 2]]
            for k, (day, value) in enumerate(zip(days, values, strict=True))
        ]
        out = io.StringIO(newline="")
        writer = csv.writer(out, delimiter=way.separator)
        writer.writerows([words[:3], *ordered(rows, way.order, seed)])
        path.write_bytes(out.getvalue().encode(way.encoding))
        check(path, words, days, values, way)


def jsonl(path: Path, words: Words, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def array(path: Path, words: Words, rows: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1))


def nested(path: Path, words: Words, rows: list[dict[str, Any]]) -> None:
    array(path, words, [{**row, words[2]: {"inner": row[words[2]]}} for row in rows])


def sqlite(path: Path, words: Words, rows: list[dict[str, Any]]) -> None:
    base = sqlite3.connect(path)
    base.execute(f'create table "{words[1]}" ("{words[0]}", "{words[1]}", "{words[2]}")')
    base.executemany(
        f'insert into "{words[1]}" values (?, ?, ?)', [tuple(row.values()) for row in rows]
    )
    base.commit()
    base.close()


def xlsx(path: Path, words: Words, rows: list[dict[str, Any]]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(list(words[:3]))
    for row in rows:
        book.active.append(list(row.values()))
    book.save(path)


def parquet(path: Path, words: Words, rows: list[dict[str, Any]]) -> None:
    pytest.importorskip("polars").DataFrame(rows).write_parquet(path)


def zipped(path: Path, words: Words, rows: list[dict[str, Any]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([words[:3], *(row.values() for row in rows)])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{words[1]}.csv", out.getvalue())


Write = Callable[[Path, Words, list[dict[str, Any]]], None]
FORMS: dict[str, Write] = {
    ".jsonl": jsonl, ".json": array, " .json": nested, ".db": sqlite, ".xlsx": xlsx, ".zip": zipped,
}  # fmt: skip


def other_ways() -> Iterator[tuple[str, Words, str, str]]:
    yield from itertools.product(FORMS, (SIMPLE, GERMAN), STYLES, ORDERS)
    yield from itertools.product((".parquet",), (KOREAN,), ("iso", "d.m.y"), ORDERS[:1])


@pytest.mark.parametrize("part", range(4))
def test_other_forms_hold_the_same(part: int, tmp_path: Path) -> None:
    """Numbers are numbers there; dates are texts, or dates of the form's own."""
    for seed, (form, words, style, order) in list(enumerate(other_ways()))[part::4]:
        days, values = drawn(seed, style)
        own = style == "iso" and form in (".xlsx", ".parquet")
        rows = [
            [day if own else STYLES[style](day), value, words[3][k % 2]]
            for k, (day, value) in enumerate(zip(days, values, strict=True))
        ]
        records = [
            dict(zip(words[:3], row, strict=True))
            for row in ordered(rows, order, seed)  # type: ignore[arg-type]
        ]
        path = tmp_path / f"{seed}{form}".replace(" ", "")
        {**FORMS, ".parquet": parquet}[form](path, words, records)
        check(path, words, days, values, (form, words[0], style, order))
