"""The n-gram model that a language model has to beat: what it learns from, and its scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from elman.tasks.kneser_ney import KneserNey, best_kind
from elman.tasks.text.passages import Passages

if TYPE_CHECKING:
    from elman.data.batching import Tokens

HIGHEST_ORDER = {"characters": 8, "bytes": 9, "words": 5, "bpe": 5}
"""Up to which order of n-grams it is worth looking, by what a token is."""

TRAIN_LIMIT = 3_000_000  # tokens; counting so many takes about 7 s and 200 MB
CHOSEN_BY = 500_000  # tokens, the last ones, by which order and discounts are chosen
READ = 1 << 18  # tokens scored in one go


@dataclass(frozen=True)
class NGram:
    """A Kneser-Ney model, learnt from the last `trained` of `train_tokens`."""

    model: KneserNey
    trained: int
    train_tokens: int

    def __str__(self) -> str:
        part = f" of the last {self.trained:,} of {self.train_tokens:,} tokens"
        return f"a Kneser-Ney {self.model.order}-gram" + part * (self.trained < self.train_tokens)


def learn(
    train: Tokens,
    stop: int,
    vocabulary_size: int,
    *,
    highest_order: int,
    limit: int = TRAIN_LIMIT,
    chosen_by: int = CHOSEN_BY,
) -> NGram:
    """The n-gram model of the last `limit` tokens of `train` before `stop`.

    Its order, up to `highest_order`, and whether it has one discount or three, are those that,
    learnt from 90 % of the last `chosen_by` tokens, are best on the rest.
    """
    trained = min(stop, limit)
    ids = train.read(stop - trained, trained)
    order, discounts = best_kind(ids[-chosen_by:], vocabulary_size, highest_order)
    model = KneserNey(ids, vocabulary_size, order, discounts=discounts)
    return NGram(model, trained, stop)


def score(model: KneserNey, text: Tokens, first: int, stop: int) -> Passages:
    """The nats of the tokens `first` to `stop` of a text, which is read in pieces."""
    made = Passages(first, stop)
    for start in range(first, stop, READ):
        end = min(start + READ, stop)
        made.add(np.arange(start, end), nats(model, text, start, end))
    return made


def nats(model: KneserNey, text: Tokens, first: int, stop: int) -> NDArray[np.float64]:
    """The nats [stop - first] of each of these tokens of a text, after those before it."""
    reach = min(first, model.order - 1)
    ids = text.read(first - reach, reach + stop - first)
    return -np.log(model.probabilities(ids[reach:], ids[:reach]))


def guess(vocabulary_size: int, first: int, stop: int) -> Passages:
    """The nats of the same tokens where every symbol is as likely as any other."""
    made = Passages(first, stop)
    for start in range(first, stop, READ):
        places = np.arange(start, min(start + READ, stop))
        made.add(places, np.full(len(places), math.log(vocabulary_size)))
    return made
