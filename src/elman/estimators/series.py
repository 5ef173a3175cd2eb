"""Time series as people hand them over: arrays, a mapping of columns, a data frame."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.cells import cells_of
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.data.tables.table import of_content
from elman.data.time_series import series
from elman.data.time_series.layout import SeriesReading
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection
from elman.errors import UserError

Ints = NDArray[np.int64]
Form: TypeAlias = Literal["series", "list", "mapping", "frame"]
GiveBack: TypeAlias = Callable[[Ints], Any]
TABLES = ("mapping", "frame")
DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Handed:
    """Columns as a table takes them, and how times come back that came as a type of their own."""

    cells: dict[str, list[Any]] = field(default_factory=dict)
    times: dict[str, GiveBack] = field(default_factory=dict)


class Given(NamedTuple):
    """Series, and how moments of a column of times, in microseconds since 1970, come back."""

    collection: Collection
    times: Mapping[str, GiveBack]


def form_of(y: Any) -> Form:
    """How series were handed over. UserError: something that holds none."""
    if hasattr(y, "columns") and hasattr(y, "to_numpy"):
        return "frame"
    if isinstance(y, Mapping):
        return "mapping"
    if hasattr(y, "to_numpy"):  # a column of a data frame
        y = y.to_numpy()
    if not isinstance(y, np.ndarray | list | tuple) or not len(y):
        raise UserError("y holds no series: give numbers, a list of arrays, or a table")
    return "series" if np.ndim(y[0]) == 0 else "list"


def collection_of(
    y: Any, options: SeriesOptions, *, new: bool, known: SeriesReading | None = None
) -> Given:
    """Series of any of these forms, read as is `known`. UserError: what is none, or cannot be read.

    Arrays have no names: with `new` they get such as no model was trained on.
    """
    form = form_of(y)
    if form in TABLES:
        handed = _handed(y)
        content = Content(tuple(handed.cells), partial(_blocks, handed.cells))
        reading = known.table if known is not None else None
        table = of_content("y", content, options, reading)
        bad = BadRows(skip=False, advice="mend it")
        return Given(series.of_table(table, options, bad, known), handed.times)
    if options.covariates:
        raise UserError(f"{', '.join(options.covariates)}: needs a table with columns of that name")
    arrays = [y] if form == "series" else y
    read: list[Collection] = []
    for k, array in enumerate(arrays):
        where = "y" if form == "series" else f"y[{k}]"
        try:
            values = np.asarray(array, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"{where}: no numbers ({error})") from None
        if values.ndim != 1 or np.isinf(values).any():
            raise UserError(f"{where} of shape {values.shape}: needs finite numbers [T]")
        name = f"new {k + 1}" if new else str(k + 1)
        read.append(series.of_values(name, where, values, options.fill))
    first = replace(read[0].reading, options=replace(options, layout="rows"))
    made = replace(
        read[0], reading=first, series=[one for part in read for one in part.series],
        filled=sum(part.filled for part in read), longest=max(part.longest for part in read),
    )  # fmt: skip
    return Given(made, {})


def _blocks(cells: Mapping[str, list[Any]], bad: BadRows) -> Iterator[Block]:
    """Rows, counted from 0 as those of frames and arrays are."""
    total = len(next(iter(cells.values())))
    for start in range(0, total, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, total))
        columns = (column[start : start + AT_ONCE] for column in cells.values())
        yield Block(numbers, list(zip(*columns, strict=True)))


def _handed(y: Any) -> Handed:
    """A mapping of columns, or a data frame. UserError: columns of unequal length."""
    handed = Handed()
    named = {str(name): y[name] for name in (y.columns if hasattr(y, "columns") else y)}
    for name, column in (_index(y, named) | named).items():
        handed.cells[name], back = _column(name, column)
        if back is not None:
            handed.times[name] = back
    lengths = {name: len(cells) for name, cells in handed.cells.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        told = ", ".join(f"{name} {n:,}" for name, n in lengths.items()) or "none"
        raise UserError(f"y: needs columns of one length; got {told}")
    return handed


def _index(y: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """The levels of a frame's index that have a name, or hold times where no column does."""
    index = getattr(y, "index", None)
    if index is None or not hasattr(index, "names"):
        return {}
    dated = any(_is_dated(column) for column in named.values())
    found = {}
    for k, name in enumerate(index.names):
        level = index.get_level_values(k)
        if name is not None and str(name) not in named:
            found[str(name)] = level
        elif name is None and _is_dated(level) and not dated and "ds" not in named:
            found["ds"] = level
    return found


def _is_dated(column: Any) -> bool:
    """Whether the values are dates by their type."""
    return str(getattr(column, "dtype", "")).lower().startswith(("date", "period"))


def _column(name: str, column: Any) -> tuple[list[Any], GiveBack | None]:
    """A column as cells, and how its times come back, if they came as a type of their own."""
    kind = getattr(column, "dtype", None)
    zone = getattr(kind, "tz", None) or getattr(kind, "time_zone", None)
    back: GiveBack | None = None
    if zone is not None:
        column, wall = _without_zone(column)
        back = partial(_zoned, kind, wall)
    elif hasattr(kind, "freq") and str(kind).startswith("period"):
        back = partial(_periods, kind)
        return cells_of(list(column)), back
    elif _is_dated(column) and hasattr(kind, "is_temporal"):
        back = partial(_of_polars, kind)
    values = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
    if values.ndim != 1:
        raise UserError(f'y: the column "{name}" of shape {values.shape}; needs one axis')
    if values.dtype.kind == "M":
        back = back or _moments
        return _dates(values.astype("datetime64[us]")), back
    return cells_of(values.tolist() if values.dtype.kind != "O" else list(values)), back


def _dates(moments: NDArray[np.datetime64]) -> list[str | None]:
    """Moments as ISO 8601 texts, as fine as the finest of them."""
    gone = np.isnat(moments)
    whole = np.where(gone, np.int64(0), moments.astype(np.int64))
    units: tuple[tuple[Literal["D", "s", "ms", "us"], int], ...] = (
        ("D", DAY), ("s", 1_000_000), ("ms", 1000), ("us", 1)
    )  # fmt: skip
    unit = next(unit for unit, size in units if not (whole % size).any())
    texts = np.datetime_as_string(moments, unit=unit)
    return [None if missing else str(text) for text, missing in zip(texts, gone, strict=True)]


def _without_zone(column: Any) -> tuple[Any, bool]:
    """Moments of a zone by the clock on the wall, if all have the same time of day; else in UTC,
    where no hour comes twice."""
    polars = hasattr(column.dtype, "time_zone")
    where = column if polars or not hasattr(column, "dt") else column.dt
    wall = column.dt.replace_time_zone(None) if polars else where.tz_localize(None)
    times = np.asarray(wall.to_numpy()).astype("datetime64[us]").astype(np.int64)
    times = times[times != np.iinfo(np.int64).min] % DAY
    if len(np.unique(times)) <= 1:
        return wall, True
    if polars:
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None), False
    return where.tz_convert("UTC").dt.tz_localize(None) if hasattr(column, "dt") \
        else column.tz_convert("UTC").tz_localize(None), False  # fmt: skip


def _moments(moments: Ints) -> Any:
    made = moments.astype("datetime64[us]")
    return made if (moments % 1_000_000).any() else made.astype("datetime64[s]")


def _zoned(kind: Any, wall: bool, moments: Ints) -> Any:
    """Moments in the zone of a type of pandas or polars."""
    if hasattr(kind, "time_zone"):
        polars = importlib.import_module("polars")
        made = polars.Series(moments.astype("datetime64[us]")).cast(polars.Datetime(kind.time_unit))
        if wall:
            return made.dt.replace_time_zone(
                kind.time_zone, ambiguous="earliest", non_existent="null"
            )
        return made.dt.replace_time_zone("UTC").dt.convert_time_zone(kind.time_zone)
    pandas = importlib.import_module("pandas")
    index = pandas.DatetimeIndex(moments.astype("datetime64[us]"))
    if wall:
        one = np.ones(len(index), dtype=bool)
        return index.tz_localize(kind.tz, nonexistent="shift_forward", ambiguous=one)
    return index.tz_localize("UTC").tz_convert(kind.tz)


def _periods(kind: Any, moments: Ints) -> Any:
    pandas = importlib.import_module("pandas")
    return pandas.DatetimeIndex(moments.astype("datetime64[us]")).to_period(kind.freq)


def _of_polars(kind: Any, moments: Ints) -> Any:
    polars = importlib.import_module("polars")
    return polars.Series(moments.astype("datetime64[us]")).cast(kind)
