"""A linear model of a few features of a sequence, where one value for the whole of it is told.

Of each input the last value, mean, standard deviation, least, greatest and slope; of the sequence
its length, what is known at its start and, where that helps, its last steps as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

LAST = (0, 4, 16, 64)  # last steps that are tried beside the features
RIDGES = (1e-6, 1e-4, 1e-2, 1e-1, 1.0, 10.0)  # of the mean square of a feature
WIDEST = 400  # features at most
MOST = 20_000  # sequences that are learnt from
NEAR = 1.01  # the plainest of those whose error is at most so many times the least


class Form(NamedTuple):
    """What a linear model reads, and its ridge."""

    last: int
    ridge: float

    def told(self) -> str:
        own = "a linear model of simple features"
        return f"{own} and the last {self.last} steps" if self.last else own


@dataclass(frozen=True)
class Featured:
    """One that has been fitted; `mean` and `deviation` are those of its features."""

    form: Form
    mean: Values  # [F]
    deviation: Values  # [F]
    weights: Values  # [F, O]
    level: Values  # [O]

    def told(self, x: Sequence[Values], known: Values) -> Values:
        """[N, O] of sequences [T, I] and what is known of them [N, S]."""
        features = features_of(x, known, self.form.last)
        found: Values = (features - self.mean) / self.deviation @ self.weights + self.level
        return found

    def to_json(self) -> dict[str, Any]:
        parts = {k: getattr(self, k).tolist() for k in ("mean", "deviation", "weights", "level")}
        return {"form": list(self.form), **parts}


def featured_from_json(data: Mapping[str, Any]) -> Featured:
    """The model that gave this `to_json`. ValueError where it is damaged."""
    last, ridge = data["form"]
    parts = [np.array(data[k], dtype=np.float64) for k in ("mean", "deviation", "weights", "level")]
    mean, deviation, weights, level = parts
    fits = mean.ndim == 1 and mean.shape == deviation.shape and level.ndim == 1
    if not fits or weights.shape != (len(mean), len(level)) or int(last) < 0:
        raise ValueError("no weights of a linear model")
    if not all(np.isfinite(part).all() for part in parts) or (deviation <= 0).any():
        raise ValueError("no numbers of a linear model")
    return Featured(Form(int(last), float(ridge)), mean, deviation, weights, level)


def features_of(x: Sequence[Values], known: Values, last: int) -> Values:
    """[N, F]; of a sequence with fewer than `last` steps the first stands for those before it."""
    lengths = np.array([len(one) for one in x])
    found = np.empty((len(x), width_of(x[0].shape[1], known.shape[1], last)))
    for T in np.unique(lengths).tolist():
        numbers = np.flatnonzero(lengths == T)
        some = np.stack([x[n] for n in numbers.tolist()])  # [n, T, I]
        time = np.arange(T) - (T - 1) / 2
        slope = time @ some / max(float(time @ time), 1.0)
        parts = [some[:, -1], some.mean(1), some.std(1), some.min(1), some.max(1), slope]
        parts.append(np.full((len(some), 1), np.log(T)))
        if last:
            parts.append(some[:, np.maximum(np.arange(T - last, T), 0)].reshape(len(some), -1))
        found[numbers] = np.concatenate([*parts, known[numbers]], 1)
    return found


def width_of(inputs: int, known: int, last: int) -> int:
    """How many features that gives."""
    return (6 + last) * inputs + 1 + known


def fit(x: Sequence[Values], y: Values, known: Values, form: Form) -> Featured:
    """By least squares with a ridge, of y [N, O]."""
    features = features_of(x, known, form.last)
    mean, deviation, shares, level = _prepared(features, y)
    return Featured(form, mean, deviation, shares.weights(form.ridge), level)


class Judged(NamedTuple):
    """A form, and its mean squared error over folds beside that of the mean."""

    form: Form
    error: float
    mean: float


def choose(x: Sequence[Values], y: Values, known: Values, groups: NDArray[np.int64]) -> Judged:
    """The form that tells best what it was not fitted to; `groups` [N] are the folds."""
    inputs, judged = x[0].shape[1], []
    shortest = int(np.quantile([len(one) for one in x], 0.25))
    for last in LAST:
        if last and (last > shortest or width_of(inputs, known.shape[1], last) > WIDEST):
            continue
        features = features_of(x, known, last)
        gaps: dict[float, list[Values]] = {ridge: [] for ridge in RIDGES}
        means: list[Values] = []
        for group in sorted(set(groups.tolist())):
            inside, outside = groups == group, groups != group
            mean, deviation, shares, level = _prepared(features[outside], y[outside])
            scaled = (features[inside] - mean) / deviation
            means.append((y[inside] - level) ** 2)
            for ridge in RIDGES:
                told = scaled @ shares.weights(ridge) + level
                gaps[ridge].append((y[inside] - told) ** 2)
        base = float(np.concatenate(means).mean())
        judged += [
            Judged(Form(last, r), float(np.concatenate(g).mean()), base) for r, g in gaps.items()
        ]
    least = min(one.error for one in judged)
    enough = [one for one in judged if one.error <= NEAR * least + 1e-9]
    return min(enough, key=lambda one: (one.form.last, -one.form.ridge))


class _Shares(NamedTuple):
    """Scaled features by their singular values, which give the weights of any ridge."""

    left: Values  # of y, [R, O]
    singular: Values  # [R]
    right: Values  # [R, F]
    rows: int

    def weights(self, ridge: float) -> Values:
        found: Values = self.right.T @ (
            (self.singular / (self.singular**2 + ridge * self.rows))[:, None] * self.left
        )
        return found


def _prepared(features: Values, y: Values) -> tuple[Values, Values, _Shares, Values]:
    mean, deviation = features.mean(0), features.std(0)
    still = deviation <= 1e-9 * np.maximum(np.abs(features).max(0), 1)
    deviation = np.where(still, 1.0, deviation)
    level = y.mean(0)
    scaled = np.where(still, 0.0, (features - mean) / deviation)
    U, s, V = np.linalg.svd(scaled, full_matrices=False)
    return mean, deviation, _Shares(U.T @ (y - level), s, V, len(y)), level
