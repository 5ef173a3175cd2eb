"""Rows written in the form of the table that they came from."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO, TypeAlias

from elman.data.forms.objects import unflattened
from elman.data.tables.delimited import Dialect

if TYPE_CHECKING:
    from elman.data.tables.table import Table

Form: TypeAlias = Literal["csv", "json", "lines"]

COMMAS = Dialect()
_PARTING = str.maketrans("\t\n\r", "   ")  # what cells without quotation marks have no way to hold


class Writer:
    """Writes rows of these columns; plain lines, and tables of no text at all, come out as CSV.

    `head` is how the header names the columns, where it leaves names out; `nested` are columns that
    stand within objects of JSON.
    """

    def __init__(
        self, out: TextIO, form: Form, columns: Sequence[str], *, header: bool,
        dialect: Dialect = COMMAS, head: Sequence[str] = (), nested: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._out, self._form, self._columns = out, form, columns
        self._dialect, self._nested = dialect, nested
        self._csv, self._all_quoted = (
            csv.writer(out, delimiter=dialect.separator, lineterminator="\n", quoting=quoting)
            for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
        )
        if header and form != "json":
            self._cells([*head, *columns[len(head) :]])

    @classmethod
    def of(cls, out: TextIO, table: Table, more: Sequence[str], *, header: bool = True) -> Writer:
        """One for the rows of a table, with columns `more` after its own."""
        return cls(
            out, table.form, (*table.columns, *more), header=header and table.header,
            dialect=table.dialect, head=table.head, nested=table.nested,
        )  # fmt: skip

    def write(self, values: Mapping[str, Any]) -> None:
        if self._form == "json":
            record = unflattened(values, self._nested) if self._nested else dict(values)
            self._out.write(json.dumps(record, ensure_ascii=False) + "\n")
        else:
            cells = (values.get(name) for name in self._columns)
            self._cells(["" if cell is None else cell for cell in cells])

    def _cells(self, cells: Sequence[object]) -> None:
        if not self._dialect.quoted:
            parted = (str(cell).translate(_PARTING) for cell in cells)
            self._out.write(self._dialect.separator.join(parted) + "\n")
        else:  # csv itself puts no quotation marks around a carriage return
            returns = any("\r" in str(cell) for cell in cells)
            (self._all_quoted if returns else self._csv).writerow(cells)
