"""From logits to the next token: greedy, temperature, top-k, top-p, repetition penalty."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

Floats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen; temperature 0 takes the likeliest, top_k 0 and top_p 1 all."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not (self.temperature >= 0 and self.top_k >= 0 and self.repetition_penalty > 0):
            raise ValueError("temperature and top_k must be 0 at least, the penalty above 0")
        if not 0 < self.top_p <= 1 or (self.seed is not None and not 0 <= self.seed < 2**63):
            raise ValueError("top_p must lie above 0, up to 1; a seed from 0, below 2^63")


def seed_of(sampling: Sampling) -> int:
    """The seed given, or a new one, below 2^63."""
    return secrets.randbits(63) if sampling.seed is None else sampling.seed


def distribution(
    logits: Any, seen: Collection[int], sampling: Sampling, forbidden: Collection[int] = ()
) -> Floats:
    """The probabilities [V] of the next token from `logits` [V].

    In this order: forbidden tokens go; tokens that were `seen` are penalised (arXiv:1909.05858);
    the temperature divides; the k likeliest stay; of these the fewest that reach top_p (the
    nucleus, arXiv:1904.09751). Of equal tokens the lower id comes first.
    """
    x = np.array(logits, np.float64)
    x[list(forbidden)] = -np.inf
    if seen and sampling.repetition_penalty != 1:
        ids, penalty = list(seen), sampling.repetition_penalty
        x[ids] = np.where(x[ids] > 0, x[ids] / penalty, x[ids] * penalty)
    likeliest = int(x.argmax())
    if sampling.temperature == 0:
        p = np.zeros(len(x))
        p[likeliest] = 1
        return p
    p = np.exp((x - x[likeliest]) / sampling.temperature)
    p = np.asarray(p / p.sum())
    if sampling.top_k > 0 or sampling.top_p < 1:
        order = np.argsort(-x, kind="stable")
        ranked = p[order]
        if sampling.top_k > 0:
            ranked[sampling.top_k :] = 0
        if sampling.top_p < 1:
            before = np.concatenate([[0.0], ranked.cumsum()[:-1]])
            ranked[before >= sampling.top_p * ranked.sum()] = 0
        p[order] = ranked / ranked.sum()
    return p


def choose(probabilities: Floats, uniform: float) -> int:
    """The token at `uniform`, in [0, 1), of the cumulated probabilities."""
    cumulated = probabilities.cumsum()
    return int((cumulated > uniform * cumulated[-1]).argmax())


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) that depends on the seed and the place in the text alone."""
    return float(np.random.Generator(np.random.Philox(key=seed, counter=position)).random())
