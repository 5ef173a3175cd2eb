"""How tables of time series are to be read: options of forecasts, kept with models.

It imports no numpy, so that `--help` comes at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from elman.data.tables.options import TableOptions

Layout: TypeAlias = Literal["wide", "long", "rows"]
Fill: TypeAlias = Literal["previous", "linear", "zero"]
Duplicates: TypeAlias = Literal["sum", "mean", "last"]
CYCLES = ("year", "month", "yearday", "weekday", "hour")  # what can be read of a date
NONE = ("none",)  # as columns of times or ids: there are none


@dataclass(frozen=True)
class SeriesOptions(TableOptions):
    """How a table is to be read; None is guessed. Kept with a model.

    Parameters
    ----------
    layout
        How tables hold series: a column each, one after the other, or a row each; guessed and told
        if not given.
    time_column
        Column of the times, or several that are one time together (date,hour), or none; guessed
        and told if not given.
    id_column
        Columns whose cells together name a series, where several stand one after the other, or
        none; guessed and told if not given.
    target
        Columns to forecast, each a series; guessed and told if not given.
    past_columns
        Columns that help, known up to the present.
    future_columns
        Columns that help and are known ahead: rows without a value may follow with them.
    static_columns
        Columns that help and say one thing of a whole series: numbers or words.
    fill
        Fill what is missing: with the value before, on a line, or with zero. Without it short gaps
        are filled on a line, and long ones are an error.
    duplicates
        What becomes of values of one series at one time: their sum, their mean, or the last of
        them. An error otherwise.
    """

    layout: Layout | None = None
    time_column: tuple[str, ...] | None = None
    id_column: tuple[str, ...] | None = None
    target: tuple[str, ...] | None = field(default=None, metadata={"aliases": ("target_columns",)})
    past_columns: tuple[str, ...] = ()
    future_columns: tuple[str, ...] = ()
    static_columns: tuple[str, ...] = ()
    fill: Fill | None = None
    duplicates: Duplicates | None = None

    @property
    def covariates(self) -> tuple[str, ...]:
        return (*self.past_columns, *self.future_columns, *self.static_columns)

    @property
    def times(self) -> tuple[str, ...]:
        """The columns of the times, as far as they are known."""
        return () if self.time_column in (None, NONE) else self.time_column or ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Those of the ids."""
        return () if self.id_column in (None, NONE) else self.id_column or ()
