"""Simple answers to sequences of numbers: the nearest one that was learnt, and a linear model.

What each needs, and how sequences are scaled, is chosen among what was learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from elman.tasks import folds
from elman.tasks.classify import linear
from elman.tasks.classify.curves import neighbours
from elman.tasks.classify.curves.neighbours import Rows
from elman.tasks.classify.linear import DenseRows
from elman.tasks.classify.thresholds import best_threshold

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Curves = Sequence[NDArray[Any]]

BANDS: Final = (0.03, 0.1, 0.2)  # of the steps, tried for the warping
PRODUCTS: Final = 25_000_000_000  # of numbers, spent on straight distances
CELLS: Final = 200_000_000  # of pairs of sequences of one channel, spent on warped ones
FEWEST: Final = 50  # sequences from which a linear model is fitted
FOLDS: Final = 4
STRENGTHS: Final = (1.0, 16.0, 256.0)
LINEAR_WORK: Final = 40_000_000  # sequences times numbers times classes


@dataclass(frozen=True)
class Answer:
    """What a simple model answers: classes [N], or labels [N, C]; and the probability of each
    class, or of each label, [N, C]."""

    said: Ints
    chances: Floats


@dataclass(frozen=True)
class Candidate:
    """A simple model that has learnt: its name, how much of what it learnt from it gets right when
    that is left out, and what it answers."""

    kind: str
    name: str
    right: float
    answer: Callable[[Curves], Answer]


def candidates(
    curves: Curves, targets: Ints, classes: int, asked: int,
    right: Callable[[Ints, Ints], float],
) -> list[Candidate]:  # fmt: skip
    """All of them, learnt from these curves and their classes [N], or labels [N, C].

    `asked` is how many curves are to be answered, by which samples are sized; `right` gives the
    score of answers and truth.
    """
    steps = neighbours.common_steps([len(curve) for curve in curves], curves[0].shape[1])
    found = [_straight(curves, targets, classes, steps, asked, right)]
    warped = _warped(curves, targets, classes, steps, asked, right)
    found += [] if warped is None else [warped]
    if len(curves) >= FEWEST:
        found.append(_linear(curves, targets, classes, steps, right))
    return found


@dataclass(frozen=True)
class _Prepared:
    """How curves are made comparable: so many steps, each channel scaled by all or by itself."""

    steps: int
    alone: bool
    mean: Rows
    scale: Rows

    def __call__(self, curves: Curves) -> Rows:
        return self.scaled(neighbours.stretched(curves, self.steps))

    def scaled(self, rows: Rows) -> Rows:
        return neighbours.by_itself(rows) if self.alone else (rows - self.mean) / self.scale


def _prepared(rows: Rows, *, alone: bool) -> _Prepared:
    """By rows that are stretched already. Where all lies in [0, 1], as in images, all channels are
    scaled alike: those at the border hardly ever change."""
    axis = None if rows.min() >= 0 and rows.max() <= 1 else (0, 1)
    scale = rows.std(axis, keepdims=True)
    return _Prepared(
        rows.shape[1], alone, rows.mean(axis, keepdims=True), np.where(scale > 1e-6, scale, 1)
    )


def _best_scaled(
    rows: Rows, targets: Ints, right: Callable[[Ints, Ints], float]
) -> tuple[float, _Prepared, Rows]:
    """The scaling under which most rows are right by the nearest of the others: how many are, and
    the rows so scaled."""
    tried = []
    for alone in (True, False):
        how = _prepared(rows, alone=alone)
        learnt = how.scaled(rows)
        tried.append((right(targets[_others(learnt, None)], targets), how, learnt))
    return max(tried, key=lambda each: each[0])


@dataclass(frozen=True)
class Trusted:
    """How often what a neighbour is proves true: of each class the share of each other among those
    whose neighbour is of it, with one more sequence that is like all; of several labels at once
    the share of those that have a label, where the neighbour has it and where it has not."""

    chances: Floats  # [C, C], or [2, C] without and with

    def __call__(self, said: Ints) -> Answer:
        if said.ndim == 2:
            return Answer(said, np.where(said > 0, self.chances[1], self.chances[0]))
        return Answer(said, self.chances[said])


def trusted(said: Ints, targets: Ints, classes: int) -> Trusted:
    """By what neighbours said of sequences that were left out, and the truth."""
    if targets.ndim == 2:
        share = (targets.sum(0) + 0.5) / (len(targets) + 1)
        sides = []
        for told in (said == 0, said > 0):
            sides.append(((targets * told).sum(0) + share) / (told.sum(0) + 1))
        return Trusted(np.stack(sides))
    share = (np.bincount(targets, minlength=classes) + 1 / classes) / (len(targets) + 1)
    both = np.bincount(said * classes + targets, minlength=classes**2).reshape(classes, classes)
    return Trusted((both + share) / (both.sum(1, keepdims=True) + 1))


def _straight(
    curves: Curves, targets: Ints, classes: int, steps: int, asked: int,
    right: Callable[[Ints, Ints], float],
) -> Candidate:  # fmt: skip
    numbers = steps * curves[0].shape[1]
    most = PRODUCTS // (max(asked, 1) * numbers)
    taken = _evenly(len(curves), min(most, int((PRODUCTS / 4 / numbers) ** 0.5)))
    own, rows = targets[taken], neighbours.stretched([curves[k] for k in taken], steps)
    score, how, learnt = _best_scaled(rows, own, right)
    trust = trusted(own[_others(learnt, None)], own, classes)

    def answer(curves: Curves) -> Answer:
        return trust(own[neighbours.straight(how(curves), learnt)])

    name = f"the nearest sequence{_scaled(how)}{_sampled(len(taken), len(curves))}"
    return Candidate("nearest", name, score, answer)


def _others(rows: Rows, width: int | None) -> Ints:
    """The nearest of the other rows to each, warped within a band or not at all; itself, if it is
    alone."""
    if len(rows) == 1:
        return np.zeros(1, dtype=np.int64)
    if width is None:
        return neighbours.straight(rows, rows, alone=True)
    return neighbours.warped(rows, rows, width, alone=True)


def _warped(
    curves: Curves, targets: Ints, classes: int, steps: int, asked: int,
    right: Callable[[Ints, Ints], float],
) -> Candidate | None:  # fmt: skip
    """None where too few sequences could be looked at in seconds, or none warped."""
    wanted = min(len(curves), 10 * len(np.unique(targets, axis=0)))
    pairs = _pairs(steps, curves[0].shape[1])
    while steps > 32 and pairs < asked * len(curves):
        steps //= 2
        pairs = _pairs(steps, curves[0].shape[1])
    if steps < 3 or pairs < asked * wanted:
        return None
    taken = _evenly(len(curves), min(pairs // max(asked, 1), int((pairs / 2) ** 0.5)))
    own, rows = targets[taken], neighbours.stretched([curves[k] for k in taken], steps)
    _, how, learnt = _best_scaled(rows, own, right)
    widths = sorted({max(1, round(band * steps)) for band in BANDS})
    nearest = {width: own[_others(learnt, width)] for width in widths}
    scores = {width: right(said, own) for width, said in nearest.items()}
    width = max(widths, key=lambda width: (scores[width], -width))

    trust = trusted(nearest[width], own, classes)

    def answer(curves: Curves) -> Answer:
        return trust(own[neighbours.warped(how(curves), learnt, width)])

    name = (
        f"the nearest sequence, time warped by up to {width / steps:.0%}{_scaled(how)}"
        f"{_sampled(len(taken), len(curves))}"
    )
    return Candidate("warped", name, scores[width], answer)


def _pairs(steps: int, channels: int) -> int:
    """How many pairs of sequences can be compared, warped, in seconds."""
    band = 2 * max(1, round(BANDS[-1] * steps)) + 1
    return int(CELLS * 7 / ((6 + channels) * steps * band))


def _linear(
    curves: Curves, targets: Ints, classes: int, steps: int, right: Callable[[Ints, Ints], float]
) -> Candidate:
    numbers = steps * curves[0].shape[1]
    taken = _evenly(len(curves), LINEAR_WORK // (numbers * classes))
    own = targets[taken]
    rows = neighbours.stretched([curves[k] for k in taken], steps)
    how = _prepared(rows, alone=False)
    features = _features((rows - how.mean) / how.scale)
    mean, scale = features.mean(0), features.std(0)
    scale = np.where(scale > 1e-6, scale, 1) * np.float32(features.shape[1]) ** 0.5

    def rows_of(features: Rows) -> DenseRows:
        return DenseRows(torch.from_numpy((features - mean) / scale))

    several = targets.ndim == 2
    digests = [row.tobytes() for row in rows]
    fold = folds.drawn(digests, FOLDS, None if several else own.tolist())
    held, kept = np.flatnonzero(fold == 0), np.flatnonzero(fold != 0)
    strength, score, threshold = STRENGTHS[0], 0.0, 0.5
    if len(held) and len(kept):
        strength, scores = linear.chosen(
            rows_of(features[kept]), own[kept], rows_of(features[held]), own[held],
            features.shape[1], classes, STRENGTHS,
        )  # fmt: skip
        if several:
            threshold = best_threshold(linear.logistic(scores), own[held])
        score = right(_told(scores, threshold, several=several), own[held])
    model = linear.fit(rows_of(features), own, features.shape[1], classes, strength)

    def answer(curves: Curves) -> Answer:
        scores = model(rows_of(_features(how(curves))))
        chances = linear.logistic(scores) if several else np.exp(linear.log_shares(scores))
        return Answer(_told(scores, threshold, several=several), chances)

    name = f"a linear model on the steps{_sampled(len(taken), len(curves))}"
    return Candidate("linear", name, score, answer)


def _told(scores: Floats, threshold: float, *, several: bool) -> Ints:
    told = linear.logistic(scores) >= threshold if several else scores.argmax(1)
    return told.astype(np.int64)


def _features(rows: Rows) -> Rows:
    """All steps, and of each channel its mean, spread, least, largest and how much it moves."""
    moved = np.abs(np.diff(rows, axis=1)).mean(1) if rows.shape[1] > 1 else rows[:, 0] * 0
    parts = [rows.mean(1), rows.std(1), rows.min(1), rows.max(1), moved]
    return np.concatenate([rows.reshape(len(rows), -1), *parts], 1)


def _evenly(count: int, most: int) -> Ints:
    """So many numbers below `count`, evenly spread; one at least."""
    return np.unique(np.linspace(0, count - 1, max(1, min(count, most))).astype(np.int64))


def _scaled(how: _Prepared) -> str:
    return ", each scaled by itself" if how.alone else ""


def _sampled(taken: int, count: int) -> str:
    return "" if taken == count else f", among {taken:,} of {count:,}"
