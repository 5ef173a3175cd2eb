"""Sums travel with counts and are divided once, at the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = dict[str, float]  # by name; the first decides which of two models is better

# Scores of which more is better; of every other score less is.
HIGHER = frozenset(
    {"accuracy", "micro_f1", "macro_f1", "span_f1", "r2", "one_step_r2", "bleu", "chrf", "exact"}
)


@dataclass(frozen=True)
class Loss:
    """The sum of the losses of `count` predictions: nats, or errors of values."""

    total: float
    count: int

    def __add__(self, other: Loss) -> Loss:
        return Loss(self.total + other.total, self.count + other.count)

    @property
    def mean(self) -> float:
        """The loss of a prediction. Raises ValueError where nothing was counted."""
        if self.count == 0:
            raise ValueError("no mean loss: nothing was counted")
        return self.total / self.count


def better(name: str, value: float, other: float) -> bool:
    """Whether the score `name` says that `value` is better than `other`."""
    return value > other if name in HIGHER else value < other


def bits(nats: float) -> float:
    """The same amount of information in bits."""
    return nats / math.log(2)


def perplexity(nats: float) -> float:
    """exp(nats per token): as unsure as a fair choice among so many tokens; inf where too large."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf


def bits_per_character(total_nats: float, characters: int) -> float:
    """Bits per character of a text of so many characters, however it was cut into tokens.

    Raises ValueError where there are none.
    """
    if characters <= 0:
        raise ValueError(f"no bits per character: {characters} characters were counted")
    return bits(total_nats) / characters


def from_confusion(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Accuracy and macro F1, of counts [C, C]: true classes by predicted ones.

    Macro F1 is the mean over the classes of 2 hits / (true + predicted); a class that is neither
    counts nothing.
    """
    hits, both = counts.diagonal(), counts.sum(0) + counts.sum(1)
    there = both > 0
    f1 = 2 * hits[there] / both[there]
    return float(hits.sum() / counts.sum()), float(f1.mean())


def calibration_error(confidence: NDArray[np.float64], hit: NDArray[np.bool_]) -> float:
    """How far confidence lies from accuracy, in [0, 1]: the mean over 15 equal bins, by count.

    The expected calibration error of Guo et al. 2017, arXiv:1706.04599.
    """
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [abs(float((confidence[bins == k] - hit[bins == k]).sum())) for k in range(15)]
    return sum(gaps) / len(confidence)
