"""The most similar of many sentences, by an index of what stands in each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
BITS = 21  # of a token within a key; an n-gram has three at most
MOST_TOKENS = 1 << BITS


class Index:
    """Sentences by their n-grams of 1 to `order` tokens, at most 3; ids from 0 to 2^21 - 2.

    Similar is the cosine of tf-idf vectors: of an n-gram that comes c times in a sentence, and in
    d of all N known ones, (1 + log c) log((1 + N) / (1 + d)).
    """

    def __init__(self, known: Sequence[Ints], order: int) -> None:
        self.order, self.count = order, len(known)
        sentences, keys = _ngrams(known, order)
        self._keys, places = np.unique(keys, return_inverse=True)
        cells, counts = np.unique(places * self.count + sentences, return_counts=True)
        grams, self._sentences = cells // self.count, cells % self.count
        holds = np.bincount(grams, minlength=len(self._keys))
        self._idf = np.log((1 + self.count) / (1 + holds)).astype(np.float32)
        weights = (1 + np.log(counts)) * self._idf[grams]
        squares = np.bincount(self._sentences, weights**2, minlength=self.count)
        lengths = np.maximum(np.sqrt(squares), 1e-9)  # of what has no idf at all, 0
        self._weights = (weights / lengths[self._sentences]).astype(np.float32)
        self._bounds = np.concatenate([[0], np.cumsum(holds)])

    def nearest(self, asked: Sequence[Ints], without: Sequence[int] = ()) -> list[int]:
        """For each sentence asked for the number of the most similar known one, the first of
        equals, none of `without` as long as there are others."""
        sentences, keys = _ngrams(asked, self.order)
        places = np.searchsorted(self._keys, keys)
        there = self._keys[np.minimum(places, len(self._keys) - 1)] == keys
        sentences, places = sentences[there], places[there]
        order = np.argsort(sentences, kind="stable")
        cuts = np.searchsorted(sentences[order], np.arange(len(asked) + 1))
        hidden, found = np.array(without, dtype=np.int64), []
        for k in range(len(asked)):
            alike = np.zeros(self.count, dtype=np.float32)
            grams, counts = np.unique(places[order[cuts[k] : cuts[k + 1]]], return_counts=True)
            for gram, weight in zip(grams, (1 + np.log(counts)) * self._idf[grams], strict=True):
                at = slice(self._bounds[gram], self._bounds[gram + 1])
                alike[self._sentences[at]] += np.float32(weight) * self._weights[at]
            alike[hidden] = -1
            found.append(int(alike.argmax()))
        return found


def _ngrams(sentences: Sequence[Ints], order: int) -> tuple[Ints, Ints]:
    """The n-grams of 1 to `order` tokens: for each the number of its sentence, and a key."""
    lengths = np.array([len(ids) for ids in sentences])
    number = np.repeat(np.arange(len(sentences)), lengths)
    tokens = np.concatenate(sentences).astype(np.int64) + 1  # 0 is no token
    key, numbers, keys = tokens, [number], [tokens]
    for n in range(1, min(order, len(tokens))):
        key = (key[:-1] << BITS) | tokens[n:]
        inside = number[:-n] == number[n:]
        numbers.append(number[:-n][inside])
        keys.append(key[inside])
    return np.concatenate(numbers), np.concatenate(keys)
