"""N-grams with modified interpolated Kneser-Ney smoothing, for whole texts and token by token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer[Any]]
Rows = NDArray[np.int32]
Floats = NDArray[np.float64]
Discounts: TypeAlias = Literal[1, 3]
Place: TypeAlias = tuple[int, ...]
"""In a text: the row of the gram of the last k tokens, for k = 0 … order - 1; -1 where unseen."""

CHUNK = 1 << 17  # tokens scored in one go: about 30 MB


@dataclass(frozen=True)
class _Grams:
    """What was counted of the different k-grams of one order k; each is known by its row.

    `keys` ascend: the row of the context, the first k - 1 tokens, times the number of symbols,
    plus the rank of the last token. `counts`: how often the gram occurs. `preceded`: how many
    different tokens come before it; not counted, and empty, for the highest order.
    """

    keys: NDArray[np.int64]
    counts: Rows
    preceded: Rows


class KneserNey:
    """Interpolated Kneser-Ney n-grams over token ids, of all orders up to one.

    With c(uw) the occurrences of context u and token w together, and c(u) = Σ_w c(uw):

        p_k(w | u) = max(c(uw) - D(c(uw)), 0) / c(u) + g(u) p_k-1(w | u without its first token)

    where g(u) = Σ_w min(c(uw), D(c(uw))) / c(u) is what the discounts set free, and 1 where nothing
    was seen after u; p_0 = 1 / V. Below the order asked for, c(uw) counts the different tokens
    before uw (Kneser & Ney 1995). D(c) is one of three, for c = 1, 2 and more, in each order (Chen
    & Goodman 1998, "modified"); or a single one, which is better where little was counted.
    """

    def __init__(
        self, ids: Ids, vocabulary_size: int, order: int, *, discounts: Discounts = 3
    ) -> None:
        """Counts the grams of 1 to `order` tokens in `ids` [T >= 1], each in [0, vocabulary_size).

        A text of fewer than `order` tokens lowers the order.
        """
        order = min(order, len(ids))
        # Ranks and rows, unlike ids, are small enough for a pair of them to fit into 64 bits.
        symbols, ranks, _ = _distinct(ids.astype(np.int64))
        grams: list[_Grams] = []
        shorter = np.zeros(len(ids) + 1, np.int32)  # row of the (k-1)-gram that ends at each place
        keys, counts = np.zeros(1, np.int64), np.zeros(1, np.int32)
        for k in range(1, order + 1):
            previous, previous_counts = keys, counts
            wanted = shorter[:-1].astype(np.int64) * len(symbols) + ranks[k - 1 :]
            keys, rows, counts = _distinct(wanted)
            if k > 1:
                suffix = np.empty(len(keys), np.int32)
                suffix[rows] = shorter[1:]
                preceded = np.bincount(suffix, minlength=len(previous)).astype(np.int32)
                grams.append(_Grams(previous, previous_counts, preceded))
            shorter = rows
        grams.append(_Grams(keys, counts, np.zeros(0, np.int32)))
        self._hold(symbols, tuple(grams), vocabulary_size, discounts)

    def _hold(
        self,
        symbols: NDArray[np.int64],
        grams: tuple[_Grams, ...],
        vocabulary_size: int,
        discounts: Discounts,
    ) -> None:
        self._symbols, self._grams = symbols, grams
        self.vocabulary_size, self.discounts = vocabulary_size, discounts

    def __deepcopy__(self, memo: dict[int, Any]) -> KneserNey:
        return self  # it never changes

    @property
    def order(self) -> int:
        return len(self._grams)

    @property
    def grams(self) -> int:
        """How many different grams were counted, of all orders."""
        return sum(len(grams.keys) for grams in self._grams)

    def by_order(
        self, ids: Ids, history: Ids, discounts: Discounts | None = None
    ) -> Iterator[Floats]:
        """For each order from 1: the probability [T] of each of `ids` [T] after all before it.

        `history` is what stands before `ids`; its last `order - 1` tokens matter. `discounts`, if
        given, take the place of those of the model.
        """
        discounts = discounts or self.discounts
        before = min(len(history), self.order - 1)
        found, contexts = self._found(ids, history[len(history) - before :])
        p = np.full(found.shape[1], 1 / self.vocabulary_size)
        for grams, level, rows, context in zip(
            self._grams, self._levels(discounts, lower=True), found, contexts, strict=True
        ):
            top = _Level.of(grams.counts, level.owner, len(level.total), discounts)
            yield top.mix(rows, context, p)[before:]
            if len(grams.preceded):
                p = level.mix(rows, context, p)

    def probabilities(self, ids: Ids, history: Ids) -> Floats:
        """The probability [T] of each of `ids` [T] after all before it, `history` included."""
        before = min(len(history), self.order - 1)
        text = np.concatenate([history[len(history) - before :], ids])
        made = np.empty(len(ids))
        for start in range(0, len(ids), CHUNK):
            at = start + before
            reach = min(at, self.order - 1)
            found, contexts = self._found(text[at : at + CHUNK], text[at - reach : at])
            p = np.full(found.shape[1], 1 / self.vocabulary_size)
            for level, rows, context in zip(self._mixed, found, contexts, strict=True):
                p = level.mix(rows, context, p)
            made[start : start + CHUNK] = p[reach:]
        return made

    def of_first_order(self) -> KneserNey:
        """The model of single tokens: how often each occurs, whatever stands before it."""
        (grams, *_), made = self._grams, KneserNey.__new__(KneserNey)
        alone = _Grams(grams.keys, grams.counts, np.zeros(0, np.int32))
        made._hold(self._symbols, (alone,), self.vocabulary_size, self.discounts)
        return made

    def start(self, history: Ids) -> Place:
        """The place after `history`, of which the last `order - 1` tokens matter."""
        place: Place = (0,) + (-1,) * (self.order - 1)
        for token in history[max(len(history) - self.order + 1, 0) :].tolist():
            place = self.advance(place, token)
        return place

    def advance(self, place: Place, token: int) -> Place:
        """The place after `place` once `token` has been read."""
        wanted = np.array([token], np.int64)
        (rank,) = _find(self._symbols, wanted).tolist()
        rows = [0]
        for context, grams in zip(place[:-1], self._grams, strict=False):
            row = -1
            if context >= 0 and rank >= 0:
                key = np.array([context * len(self._symbols) + rank], np.int64)
                (row,) = _find(grams.keys, key).tolist()
            rows.append(row)
        return tuple(rows)

    def distribution(self, place: Place) -> Floats:
        """The probability of every token [V] at a place; they sum to 1 and none is 0."""
        p = np.full(self.vocabulary_size, 1 / self.vocabulary_size)
        for context, level, grams in zip(place, self._mixed, self._grams, strict=True):
            if context < 0 or level.total[context] == 0:
                continue
            first = context * len(self._symbols)
            low, high = np.searchsorted(grams.keys, [first, first + len(self._symbols)])
            p *= level.freed[context] / level.total[context]
            tokens = self._symbols[grams.keys[low:high] - first]
            p[tokens] += level.kept(np.arange(low, high)) / level.total[context]
        return p

    def matched(self, place: Place) -> int:
        """How many of the last tokens form the longest context after which something was seen."""
        known = [k for k, context in enumerate(place) if context >= 0]
        return max((k for k in known if self._mixed[k].total[place[k]] > 0), default=0)

    def matches(self, ids: Ids, history: Ids) -> NDArray[np.int64]:
        """`matched` [T] at the place before each of `ids` [T]."""
        before = min(len(history), self.order - 1)
        text = np.concatenate([history[len(history) - before :], ids])
        made = np.zeros(len(ids), np.int64)
        for start in range(0, len(ids), CHUNK):
            at = start + before
            reach = min(at, self.order - 1)
            _, contexts = self._found(text[at : at + CHUNK], text[at - reach : at])
            for k, (level, context) in enumerate(zip(self._mixed, contexts, strict=True)):
                seen = (context >= 0) & (level.total[context] > 0)
                made[start : start + CHUNK][seen[reach:]] = k
        return made

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that was counted, by name, for a file."""
        made: dict[str, NDArray[Any]] = {
            "symbols": self._symbols,
            "sizes": np.array([self.vocabulary_size, self.discounts], np.int64),
        }
        for k, grams in enumerate(self._grams, 1):
            made |= {f"keys.{k}": grams.keys, f"counts.{k}": grams.counts}
            made[f"preceded.{k}"] = grams.preceded
        return made

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> KneserNey:
        """The model of which these are the `arrays`. ValueError where they cannot be of one."""
        try:
            vocabulary_size, discounts = (int(n) for n in arrays["sizes"])
            symbols = arrays["symbols"]
            order = sum(name.startswith("keys.") for name in arrays)
            grams = tuple(
                _Grams(arrays[f"keys.{k}"], arrays[f"counts.{k}"], arrays[f"preceded.{k}"])
                for k in range(1, order + 1)
            )
        except (KeyError, ValueError) as error:
            raise ValueError(f"something is missing or of another size: {error}") from error
        if not grams or discounts not in (1, 3):
            raise ValueError("it has no grams or no discounts")
        _check_ascending(symbols, vocabulary_size)
        contexts = 1
        for k, g in enumerate(grams, 1):
            _check_ascending(g.keys, contexts * len(symbols))
            contexts = len(g.keys)
            counted = (g.counts, 1), (g.preceded, 0)
            sizes = contexts, contexts if k < order else 0
            for (array, least), size in zip(counted, sizes, strict=True):
                whole = array.dtype == np.int32 and array.shape == (size,)
                if not whole or (len(array) and int(array.min()) < least):
                    raise ValueError("its counts are of other grams")
        made = cls.__new__(cls)
        made._hold(symbols, grams, vocabulary_size, 3 if discounts == 3 else 1)
        return made

    @cached_property
    def _mixed(self) -> tuple[_Level, ...]:
        """All levels of the highest order."""
        return tuple(self._levels(self.discounts, lower=False))

    def _levels(self, discounts: Discounts, *, lower: bool) -> Iterator[_Level]:
        """Each order's level below the highest; of the highest one its own, or, with `lower`, one
        of its counts all the same."""
        contexts = 1
        for grams in self._grams:
            owner = (grams.keys // len(self._symbols)).astype(np.int32)
            counts = grams.preceded if len(grams.preceded) else grams.counts
            yield _Level.of(counts, owner, contexts, discounts)
            contexts = len(grams.keys)

    def _found(self, ids: Ids, history: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows [order, T] of the grams that end in each token of history and ids, and those of
        their contexts; -1 where they were never seen."""
        text = np.concatenate([history, ids]).astype(np.int64)
        ranks = _find(self._symbols, text)
        rows = np.zeros(len(text) + 1, np.int64)  # of the gram that ends before each place
        found = np.empty((self.order, len(text)), np.int64)
        contexts = np.empty_like(found)
        for k, grams in enumerate(self._grams):
            contexts[k] = rows[:-1]
            known = (contexts[k] >= 0) & (ranks >= 0)
            wanted = contexts[k] * len(self._symbols) + ranks
            found[k] = np.where(known, _find(grams.keys, wanted), -1)
            rows = np.concatenate([[-1], found[k]])
        return found, contexts


@dataclass(frozen=True)
class _Level:
    """One order's part of the mixture. `owner` is the context of each gram; of each context,
    `total` is what was counted after it and `freed` what the discounts take of it."""

    counts: Rows
    owner: Rows
    total: Floats
    freed: Floats
    discounts: Floats  # [4] of what was counted 0, 1, 2, and more times

    @classmethod
    def of(cls, counts: Rows, owner: Rows, contexts: int, kind: Discounts) -> _Level:
        discounts = _discounts(counts, kind)
        total = np.bincount(owner, counts, contexts).astype(np.float64)
        taken = np.minimum(counts, discounts[np.minimum(counts, 3)])
        freed = np.bincount(owner, taken, contexts).astype(np.float64)
        return cls(counts, owner, total, freed, discounts)

    def kept(self, rows: NDArray[np.int64]) -> Floats:
        """The counts of these grams, less their discounts."""
        counts = self.counts[rows]
        return np.maximum(counts - self.discounts[np.minimum(counts, 3)], 0)

    def mix(self, found: NDArray[np.int64], contexts: NDArray[np.int64], lower: Floats) -> Floats:
        """p_k [T] from p_k-1 [T]: `found` and `contexts` are the rows of gram and context at each
        token, -1 where they were never seen."""
        known = (contexts >= 0) & (self.total[contexts] > 0)
        share = self.kept(found) * (found >= 0)
        scale = np.where(known, self.total[contexts], 1)
        return np.where(known, (share + self.freed[contexts] * lower) / scale, lower)


def _discounts(counts: Rows, kind: Discounts) -> Floats:
    """[4]: what is taken from grams counted 0, 1, 2, and more times (Chen & Goodman 1998, 26).

    With nj the grams counted j times and Y = n1 / (n1 + 2 n2), Dj = j - (j + 1) Y n(j+1) / nj; the
    single discount is Y. Each nj has 2^-j of a gram more, and each D is at least Y and at most j:
    so all lie above 0, however few were counted, and every token keeps a probability above 0.
    """
    n1, n2, n3, n4 = (np.count_nonzero(counts == j) + 0.5**j for j in (1, 2, 3, 4))
    y = n1 / (n1 + 2 * n2)
    if kind == 1:
        return np.array([0.0, y, y, y])
    return np.array(
        [0.0, y, np.clip(2 - 3 * y * n3 / n2, y, 2.0), np.clip(3 - 4 * y * n4 / n3, y, 3.0)]
    )


def _distinct(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], Rows, Rows]:
    """The different keys, ascending; the row of each key among them; how often each occurs."""
    order = keys.argsort()
    keys = keys[order]
    first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    rows = np.empty(len(keys), np.int32)
    rows[order] = np.cumsum(first, dtype=np.int32) - 1
    keys = keys[first]
    return keys, rows, np.bincount(rows, minlength=len(keys)).astype(np.int32)


def _find(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row of each wanted key, -1 where there is none."""
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[rows] == wanted, rows, -1)


def _check_ascending(array: NDArray[Any], stop: int) -> None:
    """ValueError where they are not whole numbers from 0, ascending, below `stop`."""
    whole = array.dtype == np.int64 and array.ndim == 1 and len(array) > 0
    if not whole or array[0] < 0 or array[-1] >= stop or not (array[1:] > array[:-1]).all():
        raise ValueError("its rows are not in order")


def best_kind(ids: Ids, vocabulary_size: int, highest: int) -> tuple[int, Discounts]:
    """Order and number of discounts that foretell the last tenth of `ids` best from the rest."""
    cut = len(ids) - len(ids) // 10
    head, tail = ids[:cut], ids[cut:]
    model = KneserNey(head, vocabulary_size, highest)
    kinds: tuple[Discounts, ...] = (3, 1)
    found = [
        (-float(np.log(p).sum()), order, kind)
        for kind in kinds
        for order, p in enumerate(model.by_order(tail, head, kind), 1)
    ]
    _, order, kind = min(found, key=lambda one: one[0])  # the first of equals
    return order, kind
