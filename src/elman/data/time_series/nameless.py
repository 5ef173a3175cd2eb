"""Times of tables without a header: years in the first column, months beside them, and days.

1900;01;1900.042;52.3
1900;02;1900.123;61.8
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.data.dates.dates import Dates, Parts
from elman.data.dates.judgement import EARLIEST, LATEST
from elman.data.dates.parts import DATED, Part
from elman.data.tables.reading import Column
from elman.data.time_series import frequency
from elman.data.time_series.columns import Columns

TRIED: tuple[tuple[Part, ...], ...] = (("year", "month", "day"), ("year", "month"))
LEAST = 4  # rows


def find(columns: Columns, free: Sequence[Column]) -> Parts | None:
    """The first columns, if they are year, month and day, or year and month, one row after the
    other; None where they are not, or where columns have names."""
    if columns.opened.header:
        return None
    for parts in TRIED:
        names = tuple(column.name for column in free[: len(parts)])
        if len(names) < len(parts) or names != columns.opened.columns[: len(parts)]:
            continue
        found = Parts(names, parts, Dates(DATED[parts], style="parts"))
        cells = columns.cells(names)
        moments, faulty = found.dates.moments(found.cells(cells))
        if len(moments) < LEAST or faulty.mean() > 1 - frequency.NEARLY_ALL:
            continue
        moments = moments[~faulty]
        years = moments.astype("M8[us]").astype("M8[Y]").astype(np.int64) + 1970
        steps = np.diff(moments)
        if not ((steps > 0).all() or (steps < 0).all()):
            continue
        grid = frequency.grid_of([np.sort(moments)], found.dates)
        even = (grid.between(grid.of(np.sort(moments))) == 1).mean() >= frequency.NEARLY_ALL
        if even and years.min() >= EARLIEST and years.max() <= LATEST:
            return found
    return None
