"""Dates as people write them: how those of a column are written, decided by all of them.

31/12/2010   5. Januar 2010 13:30   2010年1月5日   2020-W05   1Q20   1600000000   2016-07-01T13:00Z

`dates_of` judges a column, `parts_of` several that are one time together, `Dates` reads and writes;
`STYLES` and `NUMBER_STYLES` are the table of what is understood.
"""

from __future__ import annotations

from elman.data.dates.judgement import dates_of
from elman.data.dates.numbers import NUMBERS, PACKED_STYLE, NumberStyle
from elman.data.dates.parts import Parts, parts_from_json, parts_of
from elman.data.dates.styles import STYLES, Style
from elman.data.dates.value import Dates, Resolution

NUMBER_STYLES: tuple[NumberStyle, ...] = (PACKED_STYLE, *NUMBERS.values())

__all__ = [
    "NUMBER_STYLES",
    "STYLES",
    "Dates",
    "Parts",
    "Resolution",
    "Style",
    "dates_of",
    "parts_from_json",
    "parts_of",
]
