"""A text to learn from: token ids, of which the end is kept to be scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman import metrics
from elman.data.batching import Tokens
from elman.data.texts.text import Corpus
from elman.data.texts.vocabulary import Vocabulary
from elman.tasks.task import Scores
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import SCORED


@dataclass(frozen=True)
class TextData:
    """A text as token ids: training in front of `cut`, validation from there on."""

    corpus: Corpus
    cut: int

    @property
    def vocabulary(self) -> Vocabulary:
        return self.corpus.vocabulary

    @property
    def tokens(self) -> int:
        return len(self.corpus.ids)


@dataclass(frozen=True)
class Start:
    """The first `limit` tokens of a text."""

    ids: Tokens
    limit: int

    def __len__(self) -> int:
        return min(len(self.ids), self.limit)

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        return self.ids.read(start, max(0, min(count, len(self) - start)))


def scored(dataset: TextData, options: TextOptions) -> tuple[int, int]:
    """The tokens of the validation part that are scored: those with enough text before them."""
    first = max(dataset.cut, options.sequence_length if options.windowed else 1)
    if dataset.cut == 0:  # not a training's validation part, but a text that the user asks about
        return first, dataset.tokens
    return first, min(dataset.tokens, first + (options.scored or SCORED))


def scores_of(dataset: TextData, nats: float) -> Scores:
    """Nats a token, perplexity, and bits a character, for comparing ways to cut a text.

    A token is taken for as many characters as it is on average in the whole text. Words leave
    whitespace and rare words unscored, so their bits are too low by what those would cost.
    """
    tokens_per_character = dataset.tokens / dataset.corpus.characters
    return {
        "nats": nats,
        "perplexity": metrics.perplexity(nats),
        "bits": metrics.bits(nats) * tokens_per_character,
    }
