"""Which stretch of a sequence of numbers decided: what an answer loses when the stretch is hidden.

Occlusion after Zeiler and Fergus 2014, arXiv:1311.2901, along time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Vectors = NDArray[np.float32]
Ask: TypeAlias = Callable[[Sequence[NDArray[Any]]], Floats]  # sequences → probabilities [N, C]

SHARE = 0.1  # of the steps that are hidden at once
PLACES = 30  # at most so many stretches are hidden, evenly spread


def stretches(steps: int) -> list[tuple[int, int]]:
    """The stretches that are hidden one after the other, each from a step up to another; together
    they cover all steps."""
    width = min(steps, max(1, round(SHARE * steps)))
    starts = np.unique(np.linspace(0, steps - width, min(PLACES, steps - width + 1)).astype(int))
    return [(int(start), int(start) + width) for start in starts]


def hidden(x: Vectors, start: int, stop: int) -> Vectors:
    """A sequence [T, I] with a straight line between the steps around a stretch in its place; at an
    end of the sequence the one step that there is goes on, and nothing is left of a whole."""
    found = x.copy()
    if start == 0 and stop == len(x):
        found[:] = 0
        return found
    before = x[start - 1] if start else x[stop]
    after = x[stop] if stop < len(x) else x[start - 1]
    share = (np.arange(1, stop - start + 1) / (stop - start + 1))[:, None]
    found[start:stop] = before * (1 - share) + after * share
    return found


def weights(ask: Ask, x: Vectors) -> Floats:
    """How far the probability of the answered class falls where a step is hidden, [T]: the mean
    over all stretches that hold it. Negative where the class is the surer without it."""
    places = stretches(len(x))
    chances = ask([x, *(hidden(x, start, stop) for start, stop in places)])
    said = int(chances[0].argmax())
    falls = chances[0, said] - chances[1:, said]
    total, count = np.zeros(len(x)), np.zeros(len(x))
    for (start, stop), fall in zip(places, falls, strict=True):
        total[start:stop] += fall
        count[start:stop] += 1
    found: Floats = total / np.maximum(count, 1)
    return found
