"""Times that name the columns of a table: a series a row.

Country Name,Country Code,1960,1961,1962
Avalon,AVA,0.23,1.96,2.13
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data.dates.dates import Dates, dates_of
from elman.data.tables.profile import Profile
from elman.data.time_series import frequency

Ints = NDArray[np.int64]
LEAST = 3  # columns
NUMBERED = 10  # columns that are surely the steps of series, where they are numbered
_NUMBERED = re.compile(r"([^\W\d]+[-_. ]?|[^\W\d]*[-_. ])(\d{1,6})")
# 1960 [YR1960] of the World Bank; X1960 of R, whose names must not begin with a digit.
AROUND = re.compile(r"\s*\[YR\d{4}\]$|^X(?=\d)")


class Heads(NamedTuple):
    """Columns in order of their times, and how these are written."""

    names: list[str]
    moments: Ints
    dates: Dates


def numbered(names: Sequence[str], least: int = NUMBERED) -> list[str]:
    """The columns of one stem whose numbers go up by one, d_1 to d_1941; none if fewer than so many
    follow one another."""
    runs: list[list[str]] = [[]]
    last: tuple[str, int] | None = None
    for name in names:
        match = _NUMBERED.fullmatch(name)
        here = (match[1], int(match[2])) if match else None
        if here is None or last is None or here != (last[0], last[1] + 1):
            runs.append([])
        if here is not None:
            runs[-1].append(name)
        last = here
    run = max(runs, key=len)
    return run if len(run) >= least else []


def find(names: Sequence[str]) -> Heads | None:
    """The columns that are named by times, evenly spaced; None where there are none."""
    digits = [name for name in names if any(letter.isdigit() for letter in name)]
    if len(digits) < LEAST:
        return None
    profile = Profile("")
    profile.add([AROUND.sub("", name) for name in digits], range(len(digits)))
    dates = dates_of(profile)
    if dates is None or dates.resolution == "number" or dates.pattern == "serial":
        return None
    found, moments = dated(digits, dates)
    if len(found) < LEAST or (np.diff(moments) == 0).any():
        return None
    grid = frequency.grid_of([moments], dates)
    even = (grid.between(grid.of(moments)) == 1).mean() >= frequency.NEARLY_ALL
    return Heads(found, moments, dates) if even else None


def dated(names: Sequence[str], dates: Dates) -> tuple[list[str], Ints]:
    """Those of the columns that are named by such times, in their order."""
    moments, faulty = dates.moments([AROUND.sub("", name) for name in names])
    chosen = [k for k in np.argsort(moments, kind="stable").tolist() if not faulty[k]]
    return [names[k] for k in chosen], moments[chosen]
