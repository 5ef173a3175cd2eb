"""Sequences of numbers as they might have been: what is changed of them in training.

Jitter, scaling, warped time and slices as compared by Iwana and Uchida 2021, arXiv:2007.15951.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

KNOTS = 4  # at which the speed of time is drawn


@dataclass(frozen=True)
class Augmentation:
    """How much is changed; 0 nothing.

    - `jitter`: noise at each step, in units of the scaled values.
    - `scaling`: how far the logarithm of a sequence's size is moved.
    - `warping`: how far the logarithm of the speed of time is moved, smoothly.
    - `slicing`: up to which share of the steps is left out, at the start and the end together.
    """

    jitter: float = 0.0
    scaling: float = 0.0
    warping: float = 0.0
    slicing: float = 0.0

    @property
    def any(self) -> bool:
        return max(self.jitter, self.scaling, self.warping, self.slicing) > 0

    def __call__(self, x: Vectors, draw: np.random.Generator) -> Vectors:
        """A sequence [T, I] → one much like it [T, I]."""
        if len(x) > 1 and (self.warping or self.slicing):
            x = _read_at(x, self._places(len(x), draw))
        if self.scaling:
            x = x * np.float32(np.exp(self.scaling * draw.standard_normal()))
        if self.jitter:
            x = x + np.float32(self.jitter) * draw.standard_normal(x.shape, dtype=np.float32)
        return x

    def _places(self, steps: int, draw: np.random.Generator) -> NDArray[np.float64]:
        """Where in the sequence each step of the new one is read, [T], rising within 0 … T - 1."""
        first, last = 0.0, steps - 1.0
        if self.slicing:
            left = draw.uniform(0, self.slicing) * last
            first = draw.uniform(0, left)
            last -= left - first
        places = np.linspace(0.0, 1.0, steps)
        if self.warping:
            speed = self.warping * draw.standard_normal(KNOTS)
            each = np.exp(np.interp(places[1:], np.linspace(0, 1, KNOTS), speed))
            places[1:] = np.cumsum(each) / each.sum()
        return first + (last - first) * places


def _read_at(x: Vectors, places: NDArray[np.float64]) -> Vectors:
    """Values between the steps by straight lines."""
    low = np.minimum(places.astype(np.int64), len(x) - 2)
    share = (places - low).astype(np.float32)[:, None]
    read: Vectors = x[low] * (1 - share) + x[low + 1] * share
    return read
