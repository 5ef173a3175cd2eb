"""What was understood of a table: one value, told before training, kept with the model, applied
unchanged to whatever comes later."""

from __future__ import annotations

from dataclasses import dataclass

from elman.data.tables.dates import Dates
from elman.data.tables.numerals import Numerals


@dataclass(frozen=True)
class Column:
    """What a column holds, judged by all its cells.

    `numerals` and `dates` say how its numbers and dates are written. Whole numbers such as 201201
    may be both; a column of words has neither. `passed_over` says why nothing is read from it.
    """

    name: str
    numerals: Numerals | None = None
    dates: Dates | None = None
    passed_over: str = ""  # "empty", "the row number"


@dataclass(frozen=True)
class Reading:
    """How a table is written, and what each of its columns holds."""

    encoding: str = "utf-8"
    separator: str = ","
    header: bool = True
    columns: tuple[Column, ...] = ()
