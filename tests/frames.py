"""Small outputs of a network with CTC, and all paths through them."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from elman.search.ctc import Spoken

Frames = NDArray[np.float64]
Symbols = tuple[int, ...]


def some_frames(draw: np.random.Generator, T: int, V: int, *, holes: float = 0.0) -> Frames:
    """Natural log probabilities [T, V], of which `holes` are -inf, but never a whole frame."""
    z = draw.normal(size=(T, V)) * 2
    z[:, 1:][draw.random((T, V - 1)) < holes] = -np.inf
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def clear_frames(draw: np.random.Generator, T: int, V: int, said: float = 0.3) -> Frames:
    """Frames of a network that is sure: one symbol in `said` of them, blanks between."""
    z = draw.normal(size=(T, V))
    best = np.where(draw.random(T) < said, draw.integers(1, V, T), 0)
    z[np.arange(T), best] += 12
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def collapsed(path: Symbols) -> Symbols:
    """The symbols that a path stands for."""
    return tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != 0)


def all_paths(log_p: Frames) -> Iterator[tuple[Symbols, float]]:
    """Each path with its log probability."""
    T, V = log_p.shape
    for path in itertools.product(range(V), repeat=T):
        yield path, float(sum(log_p[t, symbol] for t, symbol in enumerate(path)))


def by_symbols(log_p: Frames) -> dict[Symbols, float]:
    """The log probability of all symbols that can be, by adding up their paths."""
    p: dict[Symbols, float] = defaultdict(float)
    for path, one in all_paths(log_p):
        p[collapsed(path)] += math.exp(one)
    return {symbols: math.log(total) for symbols, total in p.items() if total > 0}


def path_of(spoken: Spoken, T: int) -> Symbols:
    """The path that an alignment tells of."""
    path = [0] * T
    for symbol, frame, stop in zip(spoken.symbols, spoken.frames, spoken.stops, strict=True):
        assert path[frame:stop] == [0] * (stop - frame)
        assert frame < stop
        path[frame:stop] = [symbol] * (stop - frame)
    return tuple(path)


def pieces(draw: np.random.Generator, log_p: Frames) -> list[Frames]:
    """The same frames in pieces of any length, 0 too."""
    cuts = np.sort(draw.integers(0, len(log_p) + 1, draw.integers(0, 8)))
    return np.split(log_p, cuts)
