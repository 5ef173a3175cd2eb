"""The columns of a table with what is known of each, for those who find out what they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from elman.data.tables.content import BadRows
from elman.data.tables.profile import Profile
from elman.data.tables.reading import Column, Reading
from elman.data.tables.table import Table

LOOKED_AT = 200_000  # rows by which roles are told apart


class Columns(NamedTuple):
    """A table that has been looked through."""

    opened: Table
    reading: Reading
    profiles: Mapping[str, Profile]

    @property
    def shown(self) -> str:
        return self.opened.shown

    def usable(self, taken: Sequence[str] = ()) -> list[Column]:
        """Those that may be something, in order, but for some."""
        return [c for c in self.reading.columns if not c.passed_over and c.name not in taken]

    def numbers(self, taken: Sequence[str]) -> list[str]:
        """The names of those that hold numbers, and surely no dates."""
        return [c.name for c in self.usable(taken) if c.numerals is not None and not sure(c)]

    def cells(self, names: Sequence[str]) -> list[list[Any]]:
        """The cells of some columns, in their first rows."""
        places = [self.opened.columns.index(name) for name in names]
        found: list[list[Any]] = [[] for _ in names]
        for block in self.opened.blocks(BadRows(skip=True)):
            for cells, place in zip(found, places, strict=True):
                cells.extend(record[place] for record in block.cells)
            if found and len(found[0]) >= LOOKED_AT:
                break
        return found


def sure(column: Column) -> bool:
    """Whether a column holds dates, and not numbers that could be such."""
    return column.dates is not None and column.dates.sure


def some(names: Sequence[str]) -> str:
    """Names for a message, not all of many."""
    return ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
