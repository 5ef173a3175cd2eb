"""Texts as the n-grams of words and of letters that they hold, weighed by TF-IDF.

"Win a prize" has of words: win, a, prize, win a, a prize; of letters, a space on either side of a
word: w, i, n, ␣w, wi, in, n␣, ␣wi, …
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from elman.data.texts.vocabulary import CJK
from elman.tasks.classify.linear import Sparse

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Codes = NDArray[np.uint32]

LETTERS: Final = 5  # letters in a row, at most
BUCKETS: Final = 1 << 22  # of each kind of n-gram; several may share one (arXiv:0902.2206)
KINDS: Final = 2  # words and letters, each weighed to length 1 by itself
KEYS: Final = KINDS * BUCKETS
RARE: Final = 2  # an n-gram in fewer training texts is not kept
MOST: Final = 200_000  # n-grams kept, those in the most texts
LONGEST: Final = 4_000  # letters read of a text
TOGETHER: Final = 500_000  # letters hashed at once, so that memory is bounded

SPACE, LETTER, SIGN = 0, 1, 2  # between words, in a word, a word by itself
_ALONE: Final = re.compile(f"[{CJK}]")  # letters that are words
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers can be divided by
_INVERSE: Final = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))


@dataclass(frozen=True)
class Weighing:
    """Which n-grams are looked at, and how much each counts: ln((1 + N) / (1 + n)) + 1, for one
    that n of N training texts hold."""

    keys: Ints  # [F], ascending, of both kinds: kind * BUCKETS + bucket
    rarity: NDArray[np.float32]  # [F]


@dataclass(frozen=True)
class Counts:
    """How often each text holds an n-gram: of text `texts[k]`, `counts[k]` times `keys[k]`."""

    number: int  # of texts
    texts: Ints  # ascending
    keys: Ints  # ascending for each text
    counts: Ints

    def pick(self, texts: Ints) -> Counts:
        """Those of these texts, numbers that ascend."""
        place = np.full(self.number, -1)
        place[texts] = np.arange(len(texts))
        there = place[self.texts] >= 0
        return Counts(len(texts), place[self.texts[there]], self.keys[there], self.counts[there])


def weighing(counts: Counts, most: int = MOST) -> Weighing:
    """What to look at, by the training texts. Empty where no n-gram comes often enough."""
    often = np.bincount(counts.keys, minlength=KEYS)
    keys = np.flatnonzero(often >= min(RARE, counts.number))
    if len(keys) > most:
        keys = np.sort(keys[np.argsort(-often[keys], kind="stable")[:most]])
    rarity = np.log((1 + counts.number) / (1 + often[keys])) + 1
    return Weighing(keys, rarity.astype(np.float32))


def weighed(weighing: Weighing, counts: Counts) -> Sparse:
    """Of each text its n-grams, 1 + ln(how often) times the rarity; those of words have length 1
    together, and those of letters."""
    found = np.searchsorted(weighing.keys, counts.keys)
    known = found < len(weighing.keys)
    known[known] = weighing.keys[found[known]] == counts.keys[known]
    rows, columns = counts.texts[known], found[known]
    values = (1 + np.log(counts.counts[known])) * weighing.rarity[columns]
    part = rows * KINDS + counts.keys[known] // BUCKETS
    length = np.sqrt(np.bincount(part, values.astype(np.float64) ** 2))
    starts = np.searchsorted(rows, np.arange(counts.number + 1))
    scaled = (values / length[part]).astype(np.float32)
    return Sparse(starts, columns, scaled, len(weighing.keys))


def counted(texts: Sequence[str]) -> Counts:
    """The n-grams of texts, in lower case."""
    found = [_counted(texts, start, stop) for start, stop in _stretches(texts)]
    parts = zip(*found, strict=True) if found else [(np.empty(0, np.int64),)] * 3
    return Counts(len(texts), *(np.concatenate(part) for part in parts))


def _stretches(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Texts that are hashed at once, from one number up to another."""
    start = letters = 0
    for k, text in enumerate(texts):
        letters += min(len(text), LONGEST)
        if letters > TOGETHER:
            yield start, k + 1
            start, letters = k + 1, 0
    if start < len(texts):
        yield start, len(texts)


def _counted(texts: Sequence[str], start: int, stop: int) -> tuple[Ints, Ints, Ints]:
    """Numbers of texts, keys and counts."""
    spaced = [f" {text[:LONGEST].lower()} " for text in texts[start:stop]]
    owner = np.repeat(np.arange(start, stop), [len(text) for text in spaced])
    codes = np.frombuffer("".join(spaced).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    kinds = _kinds(codes)
    codes = np.where(kinds == SPACE, np.uint32(ord(" ")), codes)
    at, keys = zip(*_grams(codes, kinds, owner), strict=True)
    both = np.concatenate(at) * KEYS + np.concatenate(keys)
    both, counts = np.unique(both, return_counts=True)
    return both // KEYS, both % KEYS, counts


def _grams(codes: Codes, kinds: NDArray[np.int8], owner: Ints) -> Iterator[tuple[Ints, Ints]]:
    """The texts and keys of all n-grams, one length after the other."""
    # A hash is the sum of letter * prime ** place; what lies between two places is a difference.
    powers = np.cumprod(np.full(len(codes), _PRIME, dtype=np.uint64))
    back = np.cumprod(np.full(len(codes), _INVERSE, dtype=np.uint64))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mixed(codes) * powers)])
    first, stop = _words(kinds)
    words, its = _mixed((sums[stop] - sums[first]) * back[first]), owner[first]
    yield its, _keys(words, 0)
    same = its[1:] == its[:-1]
    yield its[1:][same], _keys(_mixed(words[:-1] * _PRIME + words[1:])[same], 0)
    space = np.concatenate([[0], np.cumsum(kinds == SPACE)])
    for n in range(1, LETTERS + 1):
        at = np.arange(len(codes) - n + 1)
        within = space[at + max(1, n - 1)] - space[at + 1]  # between the first and the last letter
        at = at[(within == 0) & (space[at + n] - space[at] < n)]
        yield owner[at], _keys(_mixed((sums[at + n] - sums[at]) * back[at] + np.uint64(n)), 1)


def _words(kinds: NDArray[np.int8]) -> tuple[Ints, Ints]:
    """Where words begin and where each has ended: runs of letters, and each other sign."""
    run = kinds == LETTER
    before = np.concatenate([[False], run[:-1]])
    after = np.concatenate([run[1:], [False]])
    first = (run & ~before) | (kinds == SIGN)
    last = (run & ~after) | (kinds == SIGN)
    return np.flatnonzero(first), np.flatnonzero(last) + 1


def _kinds(codes: Codes) -> NDArray[np.int8]:
    """Of each letter whether it is a space, part of a word, or a word by itself."""
    there = np.flatnonzero(np.bincount(codes))
    table = np.zeros(int(there[-1]) + 1, dtype=np.int8)
    for code in there.tolist():
        letter = chr(code)
        if letter.isspace():
            table[code] = SPACE
        elif _ALONE.match(letter) or not (
            letter.isalnum() or letter == "_" or unicodedata.category(letter)[0] == "M"
        ):
            table[code] = SIGN
        else:
            table[code] = LETTER
    kinds: NDArray[np.int8] = table[codes]
    return kinds


def _mixed(values: NDArray[Any]) -> Hashes:
    """Other numbers for other ones, as if drawn (splitmix64, doi:10.1145/2660193.2660195)."""
    z = values.astype(np.uint64) + _PRIME
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = z ^ (z >> np.uint64(31))
    return mixed


def _keys(hashes: Hashes, kind: int) -> Ints:
    keys: Ints = (hashes % np.uint64(BUCKETS)).astype(np.int64) + kind * BUCKETS
    return keys
