"""Whether the first row of a table names its columns, and their names.

date;sales           names
01.01.2010;100,85    a record
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from elman.data.tables.profile import is_missing
from elman.errors import UserError

FIRST_YEAR, LAST_YEAR = 1500, 2200  # in a header
# A cell of a record rather than of a header: digits, and hardly a letter beside them.
VALUE = re.compile(
    r"[\s+\-−(]*(?:[$€£¥₩₹]|[A-Z]{3}\s)?\s*\d[\d\s.,:/%'’()+\-−]*"
    r"(?:[eE][+-]?\d+|[TZ][\d:.+\-Z]*|[年月日]|[$€£¥₩₹元円원]|\s?[A-Z]{3})*[\d\s)]*"
)

DATE = re.compile(r"\d{1,4}[-/]\d{1,2}(?:[-/]\d{1,4})?")


def has_header(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it is a record if it holds a value such as a number,
    unless these go up evenly, as years do, or if one of its cells comes again in its column and no
    other column is a word over numbers. A header may leave a name out."""
    below = [row for row in rows if len(row) == len(head)]
    again = any(cell.strip() and cell == row[k] for row in below for k, cell in enumerate(head))
    if again and not any(_word_over_values(k, head, below) for k in range(len(head))):
        return False
    if not any(VALUE.fullmatch(cell) for cell in head if cell.strip()):
        return True
    if _dated(head, rows):
        return True
    return _goes_up(head) and (_are_years(head) or not any(_goes_up(row) for row in rows[:1]))


def _word_over_values(k: int, head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether this column holds numbers or dates alone, below what is none and not missing."""
    cells = [row[k] for row in rows if not is_missing(row[k])]
    if is_missing(head[k]) or VALUE.fullmatch(head[k]) or not cells:
        return False
    return all(map(VALUE.fullmatch, cells))


def _dated(head: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether three or more cells look like dates, below which there are none."""
    dated = [k for k, cell in enumerate(head) if DATE.fullmatch(cell.strip())]
    below = (row[k].strip() for row in rows[:20] if len(row) == len(head) for k in dated)
    return len(dated) > 2 and not any(map(DATE.fullmatch, below))


def _goes_up(head: Sequence[str]) -> bool:
    """Whether beside names, or a place for one, stand three whole numbers or more, evenly apart."""
    numbers = [int(cell) for cell in head if cell.strip().isdecimal() and len(cell) < 16]
    names = [cell for cell in head if not VALUE.fullmatch(cell)]
    steps = {b - a for a, b in itertools.pairwise(numbers)}
    together = len(numbers) + len(names) == len(head)
    return bool(names) and together and len(numbers) > 2 and len(steps) == 1 and min(steps) > 0


def _are_years(head: Sequence[str]) -> bool:
    """Whether all its numbers may be years."""
    numbers = [int(cell) for cell in head if cell.strip().isdecimal() and len(cell) < 16]
    return all(FIRST_YEAR <= number <= LAST_YEAR for number in numbers)


def named(head: Sequence[str], where: str) -> tuple[str, ...]:
    """The names of columns, all different: those without a name by their place, but for a first
    one, which is "". UserError: one name twice."""
    names: list[str] = []
    for k, cell in enumerate(head):
        name = cell.strip() or ("" if k == 0 else f"unnamed {k + 1}")
        if name in names:
            raise UserError(f'{where}: two columns are named "{name}"; rename one')
        names.append(name)
    return tuple(names)
