"""Bars of events as lines of text: on which beat which notes begin.

3  3/4   1 C3 E4 G4   2.5 F4   3 E4
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import groupby

from elman.tasks.music.composing.rules import name_of
from elman.tasks.music.events.settings import DRUMS

REST = "-"


def line_of(
    number: int, metre: str, start: int, grid: int, begun: Iterable[tuple[int, int, int]]
) -> str:
    """A bar, from 1, of that metre, in which these notes begin: step, instrument, pitch."""
    unit = int(metre.split("/")[1])
    events = [
        f"{_beat(step - start, grid, unit)} {' '.join(_name(k, p) for _, k, p in some)}"
        for step, some in groupby(sorted(begun), key=lambda one: one[0])
    ]
    return f"{number:>4}  {metre}   {'   '.join(events) or REST}"


def _name(instrument: int, pitch: int) -> str:
    return f"drum{pitch}" if instrument == DRUMS else name_of(pitch)


def _beat(steps: int, grid: int, unit: int) -> str:
    """The beat of the metre's unit that so many steps after the bar's begin are, from 1."""
    beat = 1 + Fraction(steps * unit, 4 * grid)
    return str(beat) if beat.denominator == 1 else f"{float(beat):.2f}".rstrip("0")
