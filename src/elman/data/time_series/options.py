"""How tables of time series are to be read: options of forecasts, kept with models.

It imports no numpy, so that `--help` comes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Layout: TypeAlias = Literal["wide", "long", "rows"]
Fill: TypeAlias = Literal["previous", "linear", "zero"]
CYCLES = ("year", "month", "yearday", "weekday", "hour")  # what can be read of a date


@dataclass(frozen=True)
class SeriesOptions:
    """How a table is to be read; None is guessed. Kept with a model.

    Parameters
    ----------
    layout
        How tables hold series: a column each, one after the other, or a row each; guessed and told
        if not given.
    time_column
        Column of the times; guessed and told if not given.
    id_column
        Column of the series' names, where they stand one after the other; guessed and told.
    target
        Columns to forecast, each a series; guessed and told if not given.
    past_columns
        Columns that help, known up to the present.
    future_columns
        Columns that help and are known ahead: rows without a value may follow with them.
    static_columns
        Columns that help and say one thing of a whole series: numbers or words.
    header
        Whether tables begin with the names of their columns; guessed and told if not given.
    encoding
        Encoding of tables: utf-8, gb18030, latin-1.
    fill
        Fill what is missing: with the value before, on a line, or with zero. An error otherwise.
    """

    layout: Layout | None = None
    time_column: str | None = None
    id_column: str | None = None
    target: tuple[str, ...] | None = None
    past_columns: tuple[str, ...] = ()
    future_columns: tuple[str, ...] = ()
    static_columns: tuple[str, ...] = ()
    header: bool | None = None
    encoding: str = "utf-8"
    fill: Fill | None = None

    @property
    def covariates(self) -> tuple[str, ...]:
        return (*self.past_columns, *self.future_columns, *self.static_columns)
