"""Values of Python, pandas and numpy as cells of a table: dates and times as ISO 8601 text, whole
numbers as int.

datetime(2021, 3, 1, 4, 30), datetime(2021, 3, 2)   "2021-03-01T04:30:00", "2021-03-02T00:00:00"
datetime(2021, 3, 1), datetime(2021, 3, 2)          "2021-03-01", "2021-03-02"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

Cell: TypeAlias = str | int | float | bool | list[Any] | dict[str, Any] | None

EXACT = 1 << 53  # up to here every whole number is a float of its own
DEEPEST = 64  # lists within lists
FINENESS = ("", "seconds", "milliseconds", "microseconds")  # as isoformat's timespec
_AS_THEY_ARE = frozenset({str, int, bool, type(None)})
_NONE_AT_ALL = frozenset({"NaTType", "NAType"})  # of pandas


@dataclass
class Manner:
    """How finely the moments of a column are written, so that all of them are written alike."""

    fine: int = 0  # of FINENESS; 0: all are midnights, and dates say enough

    def see(self, values: Iterable[Any]) -> None:
        """More values of the column, before any of them is written."""
        for value in values:
            if isinstance(value, datetime) and value == value:  # pandas' NaT is no moment
                self.fine = max(self.fine, _fineness(value))

    def cells(self, values: Sequence[Any]) -> list[Cell]:
        """These values as cells."""
        if set(map(type, values)) <= _AS_THEY_ARE:
            return list(values)
        return [v if type(v) in _AS_THEY_ARE else self.cell(v) for v in values]

    def cell(self, value: Any, depth: int = 0) -> Cell:
        """One value as a cell. ValueError: lists nested without end."""
        if depth > DEEPEST:
            raise ValueError("lists nested too deeply")
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value  # type: ignore[no-any-return]
        if kind.__name__ in _NONE_AT_ALL:
            return None
        if isinstance(value, float):
            return number(float(value))
        if isinstance(value, datetime):
            return self._moment(value)
        if isinstance(value, date):
            return self._moment(datetime(value.year, value.month, value.day))
        if isinstance(value, time):
            return value.isoformat("auto")
        if isinstance(value, timedelta):
            return number(value.total_seconds())
        if isinstance(value, Decimal):
            return number(float(value))
        if isinstance(value, bytes | bytearray | memoryview):
            return text_of(bytes(value))
        if isinstance(value, Mapping):
            return {str(key): self.cell(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.cell(item, depth + 1) for item in value]
        return self._foreign(value, depth)

    def _moment(self, value: datetime) -> str:
        fine = self.fine or _fineness(value)
        return value.isoformat(timespec=FINENESS[fine]) if fine else value.date().isoformat()

    def _foreign(self, value: Any, depth: int) -> Cell:
        """A value of numpy, pandas or others, known by how it behaves."""
        name = type(value).__name__
        if name == "datetime64":
            return self.cell(value.astype("datetime64[us]").item(), depth + 1)
        if name == "timedelta64":
            return self.cell(value.astype("timedelta64[us]").item(), depth + 1)
        if name == "Period":
            return str(value).split("/")[0]  # a week by its first day
        for give in ("tolist", "to_list", "item"):
            if callable(method := getattr(value, give, None)):
                return self.cell(method(), depth + 1)
        return str(value)


def cells_of(values: Sequence[Any]) -> list[Cell]:
    """A whole column as cells."""
    manner = Manner()
    if not set(map(type, values)) <= _AS_THEY_ARE:
        manner.see(values)
    return manner.cells(values)


def number(value: float) -> int | float | None:
    """A float as a cell: whole as int, None where it is no number."""
    if value != value:
        return None
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def text_of(value: bytes) -> str:
    """Bytes as a cell: the text that they are, else how many."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return f"<{len(value):,} bytes>"


def _fineness(value: datetime) -> int:
    if value.microsecond:
        return 3 if value.microsecond % 1000 else 2
    return int(bool(value.hour or value.minute or value.second))
