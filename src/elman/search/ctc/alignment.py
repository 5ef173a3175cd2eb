"""Symbols that are given: how likely they are, and which frames say each of them.

Both go over the symbols with a blank before, between and behind, 2 S + 1 places; a path begins in
one of the first two, ends in one of the last two, and in each frame stays, goes one on, or goes two
on where this skips a blank between symbols that differ (Graves et al. 2006,
doi:10.1145/1143844.1143891, 4.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError
from elman.search.ctc.spoken import BLANK, Floats, Spoken, checked
from elman.wording import counted

NEVER = -np.inf


def needed(symbols: Sequence[int]) -> int:
    """The frames that symbols need: one each, and a blank between two that are the same."""
    return len(symbols) + sum(a == b for a, b in pairwise(symbols))


def enough(frames: int, symbols: Sequence[int]) -> bool:
    """Whether a network with CTC can say `symbols` in so many frames; if not, its loss is inf."""
    return frames >= needed(symbols)


def log_probability(log_p: Floats, symbols: Sequence[int]) -> float:
    """The natural log probability that log_p [T, V] gives to `symbols`: the sum over all paths.

    -inf where there are too few frames. What `torch.nn.functional.ctc_loss` is the negative of.
    """
    rows, labels, skips = _placed(log_p, symbols)
    if not enough(len(rows), symbols):
        return NEVER
    if not len(rows):
        return 0.0
    alpha = _first(rows, labels)
    for row in rows[1:, labels]:
        came = np.logaddexp(alpha[2:], alpha[1:-1])
        came = np.where(skips, np.logaddexp(came, alpha[:-2]), came)
        alpha[2:] = came + row
    return float(np.logaddexp(alpha[-1], alpha[-2]))


def align(log_p: Floats, symbols: Sequence[int], first: int = 0) -> Spoken:
    """The likeliest path of `symbols` through log_p [T, V]: the frames of each (Viterbi).

    Frames are counted from `first`. Memory: T (2 S + 1) bytes. Of paths that are equally likely one
    is chosen by a fixed rule. Raises UserError where there are too few frames, or the network holds
    the symbols to be impossible.
    """
    rows, labels, skips = _placed(log_p, symbols)
    if not enough(len(rows), symbols):
        raise UserError(
            f"{counted(len(rows), 'frame')} cannot hold {counted(len(symbols), 'symbol')}, "
            f"which need {needed(symbols)}: one each, and a blank between two that are the same"
        )
    if not len(rows):
        return Spoken((), (), (), (), 0.0, 0.0)
    best = _first(rows, labels)
    steps = np.zeros((len(rows), len(labels)), np.int8)  # places gone on with to reach each
    for row, step in zip(rows[1:, labels], steps[1:], strict=True):
        came = best[2:].copy()
        for gone, before in (1, best[1:-1]), (2, np.where(skips, best[:-2], NEVER)):
            better = before > came
            step[better] = gone
            np.copyto(came, before, where=better)
        best[2:] = came + row
    place = len(labels) - (1 if best[-1] >= best[-2] else 2)
    log_best = float(best[2 + place])
    if log_best == NEVER:
        raise UserError("the network holds these symbols to be impossible in these frames")
    places = np.empty(len(rows), np.int64)
    for t in range(len(rows) - 1, -1, -1):
        places[t] = place
        place -= int(steps[t, place])
    said = 2 * np.arange(len(symbols)) + 1
    frames = np.searchsorted(places, said)
    stops = np.searchsorted(places, said, side="right")
    peaks = [
        float(np.exp(rows[low:high, symbol].max()))
        for symbol, low, high in zip(symbols, frames, stops, strict=True)
    ]
    return Spoken(
        tuple(int(symbol) for symbol in symbols),
        tuple((frames + first).tolist()),
        tuple((stops + first).tolist()),
        tuple(peaks),
        log_best,
        log_best,
    )


def _placed(
    log_p: Floats, symbols: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """The checked log_p; the label of each place; whether it may be reached over a blank."""
    rows = checked(log_p)
    given = np.asarray(symbols, np.int64).reshape(-1)
    if len(given) and not (given.min() > BLANK and given.max() < rows.shape[1]):
        raise ValueError(f"symbols are from 1 to {rows.shape[1] - 1}")
    labels = np.full(2 * len(given) + 1, BLANK, np.int64)
    labels[1::2] = given
    skips = np.zeros(len(labels), np.bool_)
    skips[3::2] = given[1:] != given[:-1]
    return rows, labels, skips


def _first(rows: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of each place after the first frame; two that cannot be stand before them all."""
    made = np.full(2 + len(labels), NEVER)
    made[2:4] = rows[0, labels[:2]]
    return made
