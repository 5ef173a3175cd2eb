"""How tables are written, where the user says so: options that all tasks share.

It imports no numpy, so that `--help` comes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from elman.options import require, require_encoding

DecimalMark: TypeAlias = Literal["point", "comma"]


@dataclass(frozen=True)
class TableOptions:
    """How data is written. What is None is found out from the whole of it, and told.

    Parameters
    ----------
    header
        Whether tables begin with the names of their columns (--header=false: they do not).
    encoding
        Encoding of the data, such as utf-8, gb18030, windows-1252; found from all its bytes if not
        given.
    separator
        What parts the cells of a table: a character, or tab.
    decimal
        What stands before the fraction of a number: point or comma.
    date_format
        How dates are written, as for strptime: %d/%m/%Y.
    sheet
        Sheet of a spreadsheet, by name or number; the first if not given.
    table
        Table of a database; the only one if not given.
    query
        What to read of a database, as SQL; it is opened to be read only.
    skip_bad_rows
        Leave out rows that cannot be read, and count them.
    """

    header: bool | None = None
    encoding: str | None = None
    separator: str | None = None
    decimal: DecimalMark | None = None
    date_format: str | None = None
    sheet: str | None = None
    table: str | None = None
    query: str | None = None
    skip_bad_rows: bool = False

    def check(self) -> None:
        """UserError: an encoding that there is not, a separator that is none."""
        if self.encoding is not None:
            require_encoding(self, "encoding")
        fits = self.separator is None or self.separator == "tab" or len(self.separator) == 1
        require(self, "separator", fits, "one character, or tab")
