"""Logistic regression on rows of numbers, sparse or not: the linear model that others are held to.

Its strength is chosen by folds inside the rows that it learns from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

STRENGTHS: Final = (1.0, 4.0, 16.0)  # tried: what the losses count, against half the squared norm
STEPS: Final = 60  # of L-BFGS


class Rows(Protocol):
    """N rows of F numbers, which can be multiplied from both sides."""

    def times(self, weights: Tensor) -> Tensor:
        """[F, C] → [N, C]"""

    def turned_times(self, errors: Tensor) -> Tensor:
        """[N, C] → [F, C]"""


@dataclass(frozen=True)
class Sparse:
    """N rows of numbers, most of them zero: row n has `values[starts[n]:starts[n + 1]]` in
    `columns` of the same places."""

    starts: Ints  # [N + 1]
    columns: Ints  # [Z]
    values: NDArray[np.float32]  # [Z]
    width: int

    def __len__(self) -> int:
        return len(self.starts) - 1


class SparseRows:
    """Rows most of whose numbers are zero."""

    def __init__(self, rows: Sparse) -> None:
        self._sparse = rows
        self._columns, self._starts = torch.from_numpy(rows.columns), torch.from_numpy(rows.starts)
        self._values = torch.from_numpy(rows.values)

    def times(self, weights: Tensor) -> Tensor:
        return _summed(self._columns, self._starts, self._values, weights)

    def turned_times(self, errors: Tensor) -> Tensor:
        rows, starts, values = self._turned
        return _summed(rows, starts, values, errors)

    @cached_property
    def _turned(self) -> tuple[Tensor, Tensor, Tensor]:
        """The same by columns."""
        rows = self._sparse
        order = np.argsort(rows.columns, kind="stable")
        owner = np.repeat(np.arange(len(rows)), np.diff(rows.starts))
        counts = np.bincount(rows.columns, minlength=rows.width)
        starts = np.concatenate([[0], np.cumsum(counts)])
        found = owner[order], starts, rows.values[order]
        first, second, third = map(torch.from_numpy, found)
        return first, second, third


@dataclass(frozen=True)
class DenseRows:
    """Rows as they are, float32 [N, F]."""

    values: Tensor

    def times(self, weights: Tensor) -> Tensor:
        return self.values @ weights

    def turned_times(self, errors: Tensor) -> Tensor:
        return self.values.T @ errors


def _summed(places: Tensor, starts: Tensor, values: Tensor, of: Tensor) -> Tensor:
    summed: Tensor = F.embedding_bag(
        places, of, starts, mode="sum", per_sample_weights=values, include_last_offset=True
    )
    return summed


@dataclass(frozen=True)
class Linear:
    """score = row · weights + bias, a column for each class, or for each of several labels."""

    weights: NDArray[np.float32]  # [F, C]
    bias: NDArray[np.float32]  # [C]

    def __call__(self, rows: Rows) -> Floats:
        """Scores [N, C]: log probabilities but for a constant, or log odds of several labels."""
        scores = rows.times(torch.from_numpy(self.weights)) + torch.from_numpy(self.bias)
        return scores.double().numpy()


def fit(
    rows: Rows, targets: Ints, features: int, classes: int, strength: float,
    start: Linear | None = None,
) -> Linear:  # fmt: skip
    """The weights W that make strength * (sum of -ln P(class)) + |W|² / 2 the least, the bias
    being free, by L-BFGS (Liu and Nocedal 1989, doi:10.1007/BF01589116).

    `targets` [N] are classes; or [N, C] 0 and 1, of several labels at once.
    """
    several = targets.ndim == 2
    truth = torch.from_numpy(targets).float() if several else torch.from_numpy(targets)
    W, b = torch.zeros(features, classes), torch.zeros(classes)
    if start is not None:
        W, b = torch.from_numpy(start.weights).clone(), torch.from_numpy(start.bias).clone()
    steps = torch.optim.LBFGS(
        [W, b], max_iter=STEPS, history_size=8, line_search_fn="strong_wolfe",
        tolerance_grad=1e-3 * strength, tolerance_change=1e-6,
    )  # fmt: skip

    def loss() -> Tensor:
        scores = rows.times(W) + b
        if several:
            total = F.binary_cross_entropy_with_logits(scores, truth, reduction="sum")
            errors = torch.sigmoid(scores) - truth
        else:
            total = F.cross_entropy(scores, truth, reduction="sum")
            errors = torch.softmax(scores, -1)
            errors[torch.arange(len(truth)), truth] -= 1
        W.grad = strength * rows.turned_times(errors) + W
        b.grad = strength * errors.sum(0)
        return strength * total + W.square().sum() / 2

    steps.step(loss)  # type: ignore[no-untyped-call]
    return Linear(W.numpy(), b.numpy())


def chosen(
    rows: Rows, targets: Ints, held: Rows, truth: Ints, features: int, classes: int,
    strengths: Sequence[float] = STRENGTHS,
) -> tuple[float, Floats]:  # fmt: skip
    """The strength that costs the fewest nats on rows that were held back, and their scores."""
    model, best = None, (np.inf, strengths[0], np.empty(0))
    for strength in strengths:
        model = fit(rows, targets, features, classes, strength, model)
        scores = model(held)
        best = min(best, (cross_entropy(scores, truth), strength, scores), key=lambda b: b[0])
    return best[1], best[2]


def log_shares(scores: Floats) -> Floats:
    """ln of softmax, [N, C]."""
    logs: Floats = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    return logs


def logistic(odds: Floats) -> Floats:
    """Probabilities of log odds."""
    chances: Floats = np.exp(-np.logaddexp(0, -odds))
    return chances


def cross_entropy(scores: Floats, targets: Ints) -> float:
    """The mean of -ln P: of classes [N], or of sets of labels [N, C] of 0 and 1."""
    if targets.ndim == 2:
        return float(np.logaddexp(0, (1 - 2 * targets) * scores).sum(1).mean())
    return float(-log_shares(scores)[np.arange(len(targets)), targets].mean())
