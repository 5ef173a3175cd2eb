"""Sums travel with counts and are divided once, at the report."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Scores of which more is better; of every other score less is.
HIGHER = frozenset({"accuracy", "macro_f1", "span_f1", "r2"})


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
