"""A linear model from few sequences and many features, solved at once, with probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PENALTIES = 10.0 ** np.arange(-4, 3.5, 0.5)  # tried, in units of the features' mean energy
SHARPNESS = 2.0 ** np.arange(-2, 5.25, 0.25)  # tried: what scores are multiplied by
LEAST = 1e-6  # spread below which a feature says nothing


@dataclass(frozen=True)
class Ridge:
    """Scores are features @ weights + shift; their softmax, or logistic function, probabilities."""

    weights: Floats  # [F, C]
    shift: Floats  # [C]


def solve(features: Floats, targets: Ints, classes: int, parts: Sequence[Ints]) -> list[Ridge]:
    """A ridge regression on -1 and 1 for each part of the sequences, numbers of rows.

    `features` are [N, F]; `targets` class numbers [N], or 0 and 1 [N, C] of several labels at once.
    Penalty and sharpness are those by which every sequence is best told by all others of the part,
    in squared error and in nats.
    """
    mean, factor = _scale(features)
    scaled = (features - mean) * factor
    signs = _signs(targets, classes)
    alike = scaled @ scaled.T  # [N, N]
    found = []
    for rows in parts:
        fit = _fit(alike[np.ix_(rows, rows)], signs[rows], several=targets.ndim == 2)
        weights = scaled[rows].T @ fit.dual  # [F, C]
        shift = fit.middle - scaled[rows].mean(0) @ weights
        weights = factor[:, None] * weights
        found.append(Ridge(weights, shift - mean @ weights))
    return found


def left_out(features: Floats, targets: Ints, classes: int) -> Floats:
    """What each sequence is scored by all others [N, C], with arguments as for `solve`."""
    mean, factor = _scale(features)
    scaled = (features - mean) * factor
    return _fit(scaled @ scaled.T, _signs(targets, classes), several=targets.ndim == 2).others


def _scale(features: Floats) -> tuple[Floats, Floats]:
    mean, spread = features.mean(0), features.std(0)
    return mean, np.where(spread > LEAST, 1 / np.maximum(spread, LEAST), 0.0)


def _signs(targets: Ints, classes: int) -> Floats:
    there = targets > 0 if targets.ndim == 2 else np.arange(classes) == targets[:, None]
    return np.where(there, 1.0, -1.0)


@dataclass(frozen=True)
class _Fit:
    """What each sequence has in the weights [N, C], the score that all start from [C], and what
    each is scored by all others [N, C]."""

    dual: Floats
    middle: Floats
    others: Floats


def _fit(alike: Floats, signs: Floats, *, several: bool) -> _Fit:
    """By the products of all sequences with all, [N, N]."""
    n = len(alike)
    middle = signs.mean(0)
    centred = alike - alike.mean(0) - alike.mean(1)[:, None] + alike.mean()
    values, vectors = np.linalg.eigh(centred)
    values = np.maximum(values, 0)
    unit = max(values.mean(), 1e-12)
    turned = vectors.T @ (signs - middle)  # [N, C]
    best: tuple[float, Floats, float] | None = None
    for penalty in PENALTIES * unit:
        kept = values / (values + penalty)
        told = vectors @ (kept[:, None] * turned) + middle
        own = 1 / n + (vectors**2) @ kept  # what each has in its own answer
        others = signs - (signs - told) / np.maximum(1 - own, 1e-9)[:, None]
        error = float(((signs - others) ** 2).mean())
        if best is None or error < best[0]:
            best = error, others, float(penalty)
    assert best is not None
    _, others, penalty = best
    sharp = min(SHARPNESS, key=lambda s: _nats(s * others, signs, several=several))
    dual = sharp * (vectors @ (turned / (values + penalty)[:, None]))
    return _Fit(dual - dual.mean(0), sharp * middle, sharp * others)


def _nats(scores: Floats, signs: Floats, *, several: bool) -> float:
    """What the truth costs, of which so much is doubted as one more sequence could have said."""
    doubt = 1 / (len(signs) + 1)
    if several:
        agreed = signs * scores
        sure, unsure = np.logaddexp(0, -agreed), np.logaddexp(0, agreed)
        return float(((1 - doubt) * sure + doubt * unsure).mean())
    logs = scores - np.logaddexp.reduce(scores, axis=1)[:, None]
    right = np.where(signs > 0, logs, 0).sum(1)
    return float(-((1 - doubt) * right + doubt * logs.mean(1)).mean())
