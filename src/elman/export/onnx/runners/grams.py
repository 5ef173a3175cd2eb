"""A linear model on n-grams of words and of letters, hashed, which answers beside a network."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np

from elman.export.onnx.runners.network import Array
from elman.export.onnx.runners.vocabulary import CJK

LETTERS = 5  # in a row, at most
BUCKETS = 1 << 22  # of words, and as many of letters
LONGEST = 4_000  # letters read of a text
SPACE, LETTER, SIGN = 0, 1, 2  # between words, in a word, a word by itself
ALONE = re.compile(f"[{CJK}]")  # letters that are words
PRIME = np.uint64(0x9E3779B97F4A7C15)
INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))


class Grams:
    """Logistic regression on TF-IDF and, where it is of use, naive Bayes of words and pairs."""

    def __init__(self, record: dict[str, Any]) -> None:
        self._keys = np.array(record["keys"], np.int64)
        self._rarity = np.array(record["rarity"], np.float32)
        self._weights, self._bias = (np.array(record[name]) for name in ("weights", "bias"))
        self._words = int(np.searchsorted(self._keys, BUCKETS))
        self._naive: tuple[Array, Array] | None = None
        if record["naive"] is not None:
            shape = (self._words, len(self._bias))
            self._naive = np.reshape(record["naive"], shape), np.array(record["naive_bias"])

    def scores(self, text: str) -> Array:
        """Log probabilities or log odds of the classes [C], but for a constant."""
        keys, counts = np.unique(np.concatenate(list(grams(text))), return_counts=True)
        known = np.isin(keys, self._keys)
        keys, counts = keys[known], counts[known]
        columns = np.searchsorted(self._keys, keys)
        values = (1 + np.log(counts)) * self._rarity[columns]
        for part in (keys < BUCKETS, keys >= BUCKETS):  # each has length 1
            values[part] /= np.sqrt((values[part] ** 2).sum()) or 1
        found = values @ self._weights[columns] + self._bias
        if self._naive is not None:
            weights, bias = self._naive
            found = found + weights[columns[columns < self._words]].sum(0) + bias
        return np.asarray(found)


def grams(text: str) -> Iterator[Array]:
    """The keys of all n-grams of a text, in lower case: words, pairs of words, letters."""
    spaced = f" {text[:LONGEST].lower()} "
    codes = np.frombuffer(spaced.encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = np.array([part_of(letter) for letter in spaced], np.int8)
    codes = np.where(kinds == SPACE, np.uint32(ord(" ")), codes)
    # A hash is the sum of letter * prime ** place; what lies between two places is a difference.
    powers = np.cumprod(np.full(len(codes), PRIME, np.uint64))
    back = np.cumprod(np.full(len(codes), INVERSE, np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed(codes) * powers)])
    first, stop = ends(kinds)
    words = mixed((sums[stop] - sums[first]) * back[first])
    yield bucket(words, 0)
    yield bucket(mixed(words[:-1] * PRIME + words[1:]), 0)
    space = np.concatenate([[0], np.cumsum(kinds == SPACE)])
    for n in range(1, LETTERS + 1):
        at = np.arange(len(codes) - n + 1)
        within = space[at + max(1, n - 1)] - space[at + 1]  # between the first and the last letter
        at = at[(within == 0) & (space[at + n] - space[at] < n)]
        yield bucket(mixed((sums[at + n] - sums[at]) * back[at] + np.uint64(n)), 1)


def ends(kinds: Array) -> tuple[Array, Array]:
    """Where words begin and where each has ended: runs of letters, and each other sign."""
    run = kinds == LETTER
    before, after = np.concatenate([[False], run[:-1]]), np.concatenate([run[1:], [False]])
    first = (run & ~before) | (kinds == SIGN)
    last = (run & ~after) | (kinds == SIGN)
    return np.flatnonzero(first), np.flatnonzero(last) + 1


def part_of(letter: str) -> int:
    """Whether a letter is a space, part of a word, or a word by itself."""
    if letter.isspace():
        return SPACE
    inside = letter.isalnum() or letter == "_" or unicodedata.category(letter)[0] == "M"
    return LETTER if inside and not ALONE.match(letter) else SIGN


def mixed(values: Array) -> Array:
    """Other numbers for other ones, as if drawn (splitmix64, doi:10.1145/2660193.2660195)."""
    z = values.astype(np.uint64) + PRIME
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def bucket(hashes: Array, kind: int) -> Array:
    """The key of an n-gram: `kind` 0 of words, 1 of letters."""
    return (hashes % np.uint64(BUCKETS)).astype(np.int64) + kind * BUCKETS
