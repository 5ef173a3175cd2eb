"""Which columns name the series of a table, where times come again.

date,store,item,sales     a series for each (store, item)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.profile import is_missing
from elman.data.time_series.columns import Columns, some, sure
from elman.data.time_series.options import NONE, SeriesOptions
from elman.data.time_series.times import Times
from elman.errors import UserError

Ints = NDArray[np.int64]

GIVEN = ("unique_id", "series_id", "item_id")  # as the tools of forecasters name it
KNOWN = (
    *GIVEN, "series", "id", "编号", "symbol", "ticker", "isin", "unit_nr", "unit_id", "patient_id",
    "store_id", "sensor_id", "station_id", "device_id", "sku", "代码", "股票代码",
    "編號", "代碼", "股票代碼", "銘柄コード", "종목코드", "kennung", "identifiant", "identificador",
    "идентификатор",
)  # fmt: skip
HINTS = (
    "id", "symbol", "ticker", "store", "shop", "item", "sku", "product", "article", "country",
    "region", "city", "state", "station", "sensor", "device", "unit", "patient", "customer", "user",
    "account", "machine", "engine", "meter", "site", "location", "name", "code", "key", "group",
    "category", "series", "variable", "branch", "dept", "filiale", "artikel", "land", "stadt",
    "门店", "商品", "城市", "地区", "编号", "店", "品", "代码", "名称", "門店", "地區", "編號",
    "代碼",
    "名稱", "都市", "国", "地域", "コード", "名前", "매장", "상품", "도시", "국가", "지역", "코드",
    "이름",
    "종목", "geschäft", "markt", "produkt", "kunde", "gerät", "standort", "magasin", "produit",
    "pays", "ville", "région", "capteur", "client", "tienda", "producto", "país", "pais", "ciudad",
    "región", "loja", "produto", "cidade", "região", "negozio", "prodotto", "paese", "città",
    "магазин", "товар", "город", "страна", "регион", "код", "станция", "датчик", "название",
)  # fmt: skip
MOST = 8  # columns that are tried together
TOGETHER = 3  # of them at once
SHORTEST = 3  # values of a series, on average: what parts the rows further are values, no ids
OFTEN = 0.9  # share of times that are different, from which they do not come again


def find(columns: Columns, found: Times, taken: set[str], asked: SeriesOptions) -> tuple[str, ...]:
    """The smallest set of columns that, with the time, tells all rows apart; none where times alone
    do. UserError where times come again, and no columns tell their rows apart."""
    if asked.id_column == NONE:
        return ()
    free = [c for c in columns.usable(tuple(taken)) if not sure(c)]
    known = [c.name for name in KNOWN for c in free if c.name.lower() == name]
    known = [name for name in known if name.lower() == GIVEN[0] or _comes_again(columns, name)]
    if known and known[0].lower() in GIVEN:
        return (known[0],)
    if found.dates is None:
        return tuple(known[:1])
    likely = [c.name for c in free if _may_be_id(columns, c.name)]
    profile = columns.profiles[found.names[0]]
    again = len(found.names) > 1 or len(profile.distinct) < OFTEN * profile.present
    if not again or (not likely and not known):
        return tuple(known[:1])
    likely = sorted(likely, key=lambda name: _rank(columns, name))[:MOST]
    cells = columns.cells((*found.names, *likely))
    times = cells[: len(found.names)]
    rows = times[0] if found.parts is None else found.parts.cells(times)
    moments, faulty = found.dates.moments(rows)
    codes = [_codes(column)[~faulty] for column in cells[len(found.names) :]]
    times_of = _codes(moments[~faulty].tolist())
    if times_of.size == 0 or times_of.max() + 1 >= OFTEN * len(times_of):
        return tuple(known[:1])
    chosen = _smallest(likely, codes, times_of)
    if chosen:
        return tuple(sorted(chosen, key=columns.opened.columns.index))
    if known:
        return tuple(known[:1])
    if asked.duplicates is not None:
        return ()
    order = np.argsort(times_of, kind="stable")
    same = order[np.flatnonzero(np.diff(times_of[order]) == 0)[0] :][:2]
    kept = np.flatnonzero(~faulty)
    again_at = rows[kept[same[0]]]
    raise UserError(
        f'{columns.shown}: the times of "{some(found.names)}" come again, such as {again_at}; '
        f"of several series, name what tells them apart by --id-column (of {some(likely)}), "
        "else say what becomes of them by --duplicates sum, mean or last"
    )


def of_rows(columns: Columns, names: Sequence[str]) -> tuple[str, ...]:
    """The smallest set of columns that tells rows apart, each of which is a series."""
    if not names:
        return ()
    words = [name for name in names if columns.reading.column(name).numerals is None]
    for among in (words[:MOST], [n for n in names if n in words or _whole(columns, n)][:MOST]):
        codes = [_codes(column) for column in columns.cells(among)]
        if codes:
            alone = np.zeros(len(codes[0]), dtype=np.int64)
            if chosen := _smallest(among, codes, alone, shortest=1):
                return tuple(sorted(chosen, key=columns.opened.columns.index))
    return ((words or list(names))[0],)


def _smallest(
    names: Sequence[str], codes: Sequence[Ints], times: Ints, *, shortest: int = SHORTEST
) -> tuple[str, ...]:
    """The first of the smallest sets of columns that tell rows of one time apart."""
    for size in range(1, TOGETHER + 1):
        for chosen in itertools.combinations(range(len(names)), size):
            groups = _joined([codes[k] for k in chosen])
            if (groups.max() + 1) * shortest > len(times):
                continue
            if len(np.unique(groups * (times.max() + 1) + times)) == len(times):
                return tuple(names[k] for k in chosen)
    return ()


def _joined(codes: Sequence[Ints]) -> Ints:
    joined = codes[0]
    for other in codes[1:]:
        _, joined = np.unique(joined * (other.max() + 1) + other, return_inverse=True)
    return joined


def _codes(cells: Sequence[object]) -> Ints:
    known: dict[object, int] = {}
    try:
        return np.array([known.setdefault(cell, len(known)) for cell in cells], dtype=np.int64)
    except TypeError:  # lists, of JSON
        return _codes(list(map(str, cells)))


def _comes_again(columns: Columns, name: str) -> bool:
    profile = columns.profiles[name]
    return 1 < len(profile.distinct) < profile.count


def _may_be_id(columns: Columns, name: str) -> bool:
    """Whether a column holds words or whole numbers, some of them often."""
    profile, numerals = columns.profiles[name], columns.reading.column(name).numerals
    if not 1 < len(profile.distinct) <= profile.present / 2:
        return False
    return numerals is None or _whole(columns, name)


def _whole(columns: Columns, name: str) -> bool:
    """Whether the cells of a column are whole numbers from 0 on."""
    distinct = columns.profiles[name].distinct
    return all(cell.strip().isdecimal() for cell in distinct if not is_missing(cell))


def _rank(columns: Columns, name: str) -> tuple[int, bool, int]:
    """Names of ids first, then words, then numbers of which there are few."""
    low = name.strip().lower()
    number = columns.reading.column(name).numerals is not None
    hinted = 0 if low in KNOWN else 1 if any(hint in low for hint in HINTS) else 2
    return hinted + number * (hinted == 2), number, len(columns.profiles[name].distinct)
