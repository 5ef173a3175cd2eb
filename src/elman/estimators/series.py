"""Time series as people hand them over: arrays, a mapping of columns, a data frame."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.forms.frames import is_frame, open_frame
from elman.data.tables.content import BadRows
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


class Given(NamedTuple):
    """Series, and how moments of a column of times, in microseconds since 1970, come back."""

    collection: Collection
    times: Mapping[str, GiveBack]


def form_of(y: Any) -> Form:
    """How series were handed over. UserError: something that holds none."""
    if isinstance(y, Mapping):
        return "mapping"
    if hasattr(y, "to_numpy") and not hasattr(y, "columns"):  # a column of a data frame
        y = y.to_numpy()
    elif is_frame(y):
        return "frame"
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
        handed, times = _handed(y)
        reading = known.table if known is not None else None
        table = of_content("y", open_frame(handed, "y"), options, reading)
        bad = BadRows(skip=False, advice="mend it")
        return Given(series.of_table(table, options, bad, known), times)
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


def _handed(y: Any) -> tuple[Any, dict[str, GiveBack]]:
    """A table with its times free of zones; and how times come back that came as a type of their
    own."""
    times: dict[str, GiveBack] = {}
    if hasattr(y, "collect_schema") and hasattr(y, "collect"):  # of polars, and not there yet
        y = y.collect()
    if isinstance(y, Mapping) or not hasattr(y, "columns"):
        columns = y if isinstance(y, Mapping) else {}
        return y, {str(k): _moments for k, c in columns.items() if _is_dated(c)}
    for name in y.columns:
        kind = getattr(y[name], "dtype", None)
        if (zone := _zone(kind)) is not None:
            column, wall = _without_zone(y[name])
            times[str(name)] = partial(_zoned, kind, wall)
            if hasattr(zone, "utcoffset"):  # of pandas
                y = y.assign(**{name: column})
            else:
                y = y.with_columns(column.alias(name))
        elif _is_dated(y[name]):
            times[str(name)] = _back(kind)
    index = getattr(y, "index", None)
    if index is not None and _is_dated(index):
        name, kind = str(index.name or "index"), index.dtype
        times[name] = _back(kind)
        if _zone(kind) is not None:
            moved, wall = _without_zone(index)
            times[name] = partial(_zoned, kind, wall)
            y = y.set_axis(moved.rename(index.name))
    return y, times


def _is_dated(column: Any) -> bool:
    """Whether the values are dates by their type."""
    return str(getattr(column, "dtype", "")).lower().startswith(("date", "period"))


def _zone(kind: Any) -> Any:
    """The time zone of a type of pandas or polars."""
    return getattr(kind, "tz", None) or getattr(kind, "time_zone", None)


def _back(kind: Any) -> GiveBack:
    """How moments become values of a type without a zone."""
    if str(kind).startswith("period"):
        return partial(_periods, kind)
    return partial(_of_polars, kind) if hasattr(kind, "is_temporal") else _moments


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
