"""What units may fire on: a pattern or a quantity, known at every step of every sequence.

`steps` are what each sequence reads, step by step, as text; arrays are [T, B], padded at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError, unknown_name

Steps = Sequence[Sequence[str]]  # by sequence
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

OPENING, CLOSING = frozenset("([{<（［｛【「『《"), frozenset(")]}>）］｝】」』》")


def alive(steps: Steps) -> Bools:
    """Which steps are no padding, [T, B]. UserError: no step at all."""
    longest = max(map(len, steps), default=0)
    if longest == 0:
        raise UserError("there is no step to look at: the data is empty")
    return np.arange(longest)[:, None] < np.array([len(one) for one in steps])


def matched(steps: Steps, pattern: str, between: str = "") -> Bools:
    """Which steps lie within a match of a regular expression over each sequence's text.

    The steps are joined by `between`; `^` and `$` are the ends of lines. Where the expression has
    a group, the first group is meant and not the whole match. A step of which any character lies
    within is within. UserError: not a regular expression.
    """
    try:
        wanted = re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise UserError(f"{pattern!r} is no regular expression: {error}") from None
    group = 1 if wanted.groups else 0
    found = np.zeros(alive(steps).shape, np.bool_)
    for b, one in enumerate(steps):
        ends = np.fromiter(accumulate(len(s) + len(between) for s in one), np.int64, len(one))
        begins = ends - [len(s) + len(between) for s in one]
        for match in wanted.finditer(between.join(one)):
            first, stop = match.span(group)
            if first < stop:
                found[: len(one), b] |= (begins < stop) & (ends - len(between) > first)
    return found


def labelled(labels: Sequence[Sequence[str]], wanted: str) -> Bools:
    """Which steps bear a label. UserError: no step bears it."""
    known = {label for one in labels for label in one}
    if wanted not in known:
        raise unknown_name("label", wanted, sorted(known))
    found = np.zeros(alive(labels).shape, np.bool_)
    for b, one in enumerate(labels):
        found[: len(one), b] = [label == wanted for label in one]
    return found


def position(steps: Steps) -> Floats:
    """How many steps of its sequence stand before each."""
    return _padded(steps, range)


def line_position(steps: Steps) -> Floats:
    """How many steps lie between each step and the last end of a line: 0 at the first of a line.

    The step that ends a line belongs to it. In front of the first end of a line, where the sequence
    may have begun in the middle of one, NaN.
    """

    def places(count: int, one: Sequence[str]) -> list[float]:
        found, place = [], np.nan
        for step in one:
            found.append(place)
            place = 0.0 if "\n" in step else place + 1
        return found

    return _padded(steps, places)


def bracket_depth(steps: Steps) -> Floats:
    """How many brackets of any kind are open after each step; a closing one too many is ignored."""

    def depths(count: int, one: Sequence[str]) -> list[float]:
        found, depth = [], 0
        for step in one:
            for letter in step:
                depth += (letter in OPENING) - (letter in CLOSING and depth > 0)
            found.append(float(depth))
        return found

    return _padded(steps, depths)


QUANTITIES: dict[str, Callable[[Steps], Floats]] = {
    "position": position,
    "line-position": line_position,
    "bracket-depth": bracket_depth,
}


def quantity(name: str, steps: Steps) -> Floats:
    """A quantity by its name. UserError: no such name."""
    if name not in QUANTITIES:
        raise unknown_name("quantity", name, QUANTITIES)
    return QUANTITIES[name](steps)


def _padded(steps: Steps, values: Callable[..., Sequence[float]]) -> Floats:
    found = np.full(alive(steps).shape, np.nan)
    for b, one in enumerate(steps):
        args = (len(one),) if values is range else (len(one), one)
        found[: len(one), b] = values(*args)
    return found
