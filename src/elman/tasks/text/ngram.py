"""The baseline that a language model has to beat: an interpolated Kneser-Ney n-gram model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from elman.metrics import Loss

if TYPE_CHECKING:
    from elman.data.batching import Tokens

HIGHEST_ORDER = {"characters": 6, "bytes": 6, "words": 3, "bpe": 3}
"""Up to which order of n-grams it is worth looking, by what a token is."""

TRAIN_LIMIT = 3_000_000  # tokens; the counts of so many take up to about 140 MB
LIMIT = 1_000_000

Ids = NDArray[np.integer[Any]]
Rows = NDArray[np.int32]
Floats = NDArray[np.float64]


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
    """Interpolated Kneser-Ney n-grams (Kneser & Ney 1995) over token ids, of all orders up to one.

    With c(uw) the occurrences of context u and token w together, and c(u) = Σ_w c(uw):

        p_k(w | u) = max(c(uw) - D, 0) / c(u) + g(u) p_k-1(w | u without its first token)

    where g(u), what the discounts set free, is D / c(u) for each different w seen after u, and 1
    if none was; p_0 = 1 / V. Below the order asked for, c(uw) counts the different tokens before
    uw. D = n1 / (n1 + 2 n2) of each order (Chen & Goodman 1999), nj the grams with c(uw) = j.
    """

    def __init__(self, ids: Ids, vocabulary_size: int, order: int) -> None:
        """Counts the grams of 1 to `order` tokens in `ids` [T >= 1], each in [0, vocabulary_size).

        A text of fewer than `order` tokens lowers the order.
        """
        self.order = order = min(order, len(ids))
        self.vocabulary_size = vocabulary_size
        # Ranks and rows, unlike ids, are small enough for a pair of them to fit into 64 bits.
        self._symbols, ranks, _ = _distinct(ids.astype(np.int64))
        self._grams: list[_Grams] = []
        shorter = np.zeros(len(ids) + 1, np.int32)  # row of the (k-1)-gram that ends at each place
        keys, counts = np.zeros(1, np.int64), np.zeros(1, np.int32)
        for k in range(1, order + 1):
            previous, previous_counts = keys, counts
            keys, rows, counts = _distinct(self._keys(shorter[:-1], ranks[k - 1 :]))
            if k > 1:
                suffix = np.empty(len(keys), np.int32)
                suffix[rows] = shorter[1:]
                preceded = np.bincount(suffix, minlength=len(previous)).astype(np.int32)
                self._grams.append(_Grams(previous, previous_counts, preceded))
            shorter = rows
        self._grams.append(_Grams(keys, counts, np.zeros(0, np.int32)))

    def probabilities(self, ids: Ids, history: Ids) -> Iterator[Floats]:
        """For each order from 1: the probability [T] of each of `ids` [T] after all before it.

        `history` is what stands before `ids`; its last `order - 1` tokens matter.
        """
        history = history[max(len(history) - self.order + 1, 0) :]
        text = np.concatenate([history, ids]).astype(np.int64)
        ranks = _find(self._symbols, text)
        rows = np.zeros(len(text) + 1, np.int64)  # of the gram that ends before each place
        p = np.full(len(text), 1 / self.vocabulary_size)
        contexts_counted = 1
        for grams in self._grams:
            contexts = rows[:-1]
            known = (contexts >= 0) & (ranks >= 0)
            found = np.where(known, _find(grams.keys, self._keys(contexts, ranks)), -1)
            owner = grams.keys // len(self._symbols)
            yield _mix(grams.counts, owner, contexts_counted, found, contexts, p)[len(history) :]
            if len(grams.preceded):
                p = _mix(grams.preceded, owner, contexts_counted, found, contexts, p)
            contexts_counted = len(grams.keys)
            rows = np.concatenate([[-1], found])

    def score(self, ids: Ids, history: Ids) -> Loss:
        """The loss of the highest order on `ids`, which follow `history`."""
        (p,) = islice(self.probabilities(ids, history), self.order - 1, None)
        return Loss(-float(np.log(p).sum()), len(p))

    def _keys(self, contexts: Ids, ranks: Ids) -> NDArray[np.int64]:
        keys: NDArray[np.int64] = contexts.astype(np.int64) * len(self._symbols) + ranks
        return keys


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


def _mix(
    counts: Rows,
    owner: NDArray[np.int64],
    contexts_counted: int,
    found: NDArray[np.int64],
    contexts: NDArray[np.int64],
    lower: Floats,
) -> Floats:
    """p_k [T] from p_k-1 [T]: `owner` is the context of each counted gram, `found` and `contexts`
    are the rows of gram and context at each token, -1 where they were never seen."""
    discount = _discount(counts)
    total = np.bincount(owner, counts, contexts_counted)
    different = np.bincount(owner[counts > 0], minlength=contexts_counted)
    known = (contexts >= 0) & (total[contexts] > 0)
    share = np.maximum(counts[found] - discount, 0) * (found >= 0)
    scale = np.where(known, total[contexts], 1)
    return np.where(known, (share + discount * different[contexts] * lower) / scale, lower)


def _discount(counts: Rows) -> float:
    """n1 / (n1 + 2 n2), with half a gram more of once-counted ones, and a quarter of twice-counted.

    So D is inside (0, 1), however few were counted, and every token keeps a probability above 0.
    """
    once, twice = np.count_nonzero(counts == 1), np.count_nonzero(counts == 2)
    return (once + 0.5) / (once + 2 * twice + 1)


@dataclass(frozen=True)
class Baseline:
    """What an n-gram model reaches: its loss, its order, and on how much text.

    `trained` of `train_tokens` were counted, the last; `loss.count` of `tokens` scored, the first.
    """

    loss: Loss
    order: int
    trained: int
    train_tokens: int
    tokens: int

    def __str__(self) -> str:
        trained = _part("last", self.trained, self.train_tokens)
        scored = _part("first", self.loss.count, self.tokens)
        return f"Kneser-Ney {self.order}-gram, trained on {trained}, scored on {scored} tokens"


def baseline(
    train: Tokens,
    train_stop: int,
    text: Tokens,
    start: int,
    stop: int,
    vocabulary_size: int,
    *,
    highest_order: int,
    train_limit: int = TRAIN_LIMIT,
    limit: int = LIMIT,
) -> Baseline:
    """Trains on `train` up to `train_stop`, and scores `text` from `start` to `stop`.

    At most the last `train_limit` and the first `limit` tokens of these are used. The order, up to
    `highest_order`, is the one that, trained on 90 % of the training tokens, is best on the rest;
    it is then trained on all. What stands before `start` in `text` serves as context.
    """
    trained = min(train_stop, train_limit)
    ids = train.read(train_stop - trained, trained)
    held_out = trained // 10
    order = _best_order(
        ids[: trained - held_out], ids[trained - held_out :], vocabulary_size, highest_order
    )
    model = KneserNey(ids, vocabulary_size, order)
    reach = min(start, order - 1)
    scored = text.read(start - reach, reach + min(stop - start, limit))
    loss = model.score(scored[reach:], scored[:reach])
    return Baseline(loss, order, trained, train_stop, stop - start)


def _best_order(head: Ids, tail: Ids, vocabulary_size: int, highest: int) -> int:
    model = KneserNey(head, vocabulary_size, highest)
    losses = [-float(np.log(p).sum()) for p in model.probabilities(tail, head)]
    return 1 + int(np.argmin(losses))


def _part(which: str, used: int, of: int) -> str:
    return f"the {which} {used:,} of {of:,}" if used < of else f"{of:,}"
