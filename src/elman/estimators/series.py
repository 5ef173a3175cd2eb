"""Time series as people hand them over: arrays, a mapping of columns, a data frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.tables.content import BadRows
from elman.data.tables.table import Row, Table
from elman.data.time_series import series
from elman.data.time_series.options import SeriesOptions
from elman.data.time_series.series import Collection
from elman.errors import UserError

Form: TypeAlias = Literal["series", "list", "mapping", "frame"]
TABLES = ("mapping", "frame")


@dataclass(frozen=True)
class Cells(Table):
    """Columns in memory read as a table."""

    cells: Mapping[str, NDArray[Any]] = field(kw_only=True)

    def rows(self, bad: BadRows) -> Iterator[Row]:
        for k in range(len(next(iter(self.cells.values())))):
            yield Row(f"{self.shown}, row {k}", {n: c[k] for n, c in self.cells.items()})


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


def collection_of(y: Any, reading: SeriesOptions, *, new: bool) -> Collection:
    """Series of any of these forms. UserError: what is none, or cannot be read.

    Arrays have no names: with `new` they get such as no model was trained on.
    """
    bad = BadRows(skip=False, advice="mend it")
    form = form_of(y)
    if form in TABLES:
        return series.of_table(_table(y), reading, bad)
    if reading.covariates:
        raise UserError(f"{', '.join(reading.covariates)}: needs a table with columns of that name")
    arrays = [y] if form == "series" else y
    read = []
    for k, array in enumerate(arrays):
        where = "y" if form == "series" else f"y[{k}]"
        try:
            values = np.asarray(array, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"{where}: no numbers ({error})") from None
        if values.ndim != 1 or np.isinf(values).any():
            raise UserError(f"{where} of shape {values.shape}: needs finite numbers [T]")
        made = series.of_values(
            f"new {k + 1}" if new else str(k + 1), where, values, reading.fill, bad
        )
        assert made is not None  # a bad one is an error
        read.append(made)
    return Collection(read, None, replace(reading, layout="rows"))


def _table(y: Any) -> Table:
    """A mapping of columns, or a data frame, as a table. UserError: columns of unequal length."""
    cells: dict[str, NDArray[Any]] = {}
    for name in y.columns if hasattr(y, "columns") else y:
        column = y[name]
        cell = np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)
        if cell.ndim != 1:
            raise UserError(f'y: the column "{name}" of shape {cell.shape}; needs one axis')
        if cell.dtype.kind == "M":
            cell = cell.astype("datetime64[s]")  # written as the reader of tables knows it
        cells[str(name)] = cell
    lengths = {name: len(cell) for name, cell in cells.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        told = ", ".join(f"{name} {n:,}" for name, n in lengths.items()) or "none"
        raise UserError(f"y: needs columns of one length; got {told}")
    return Cells("y", "csv", tuple(cells), True, lambda bad: iter(()), cells=cells)
