"""What the tokens that a text holds say of its class, whatever their order: naive Bayes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Kind: TypeAlias = Literal["tokens", "pairs"]

COUNTS = 4_000_000  # at most so many are kept, of the features in the most texts
RARE = 2  # a pair in fewer texts is not kept
GAINS = np.arange(1, 101) / 100  # tried on the training texts


@dataclass(frozen=True)
class Bag:
    """How many training texts of each class hold a feature, and how far that is to be trusted.

    A feature is a token a, its key a itself, or a pair of neighbours (a, b), its key a * S + b, S
    being the size of the vocabulary. Token 0 is in none: it is padding, and what is unknown; of
    bytes and BPE, which know everything, the first symbol is so left out.

    Of `several` labels at once the last column counts all texts: each label is held against the
    texts without it.
    """

    kind: Kind
    symbols: int  # S
    keys: Ints  # [F], ascending
    counts: Ints  # [F, C], or [F, C + 1]
    texts: Ints  # [C] or [C + 1], of each class
    gain: float  # what log count ratios are multiplied by, above 0 and at most 1
    several: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "keys": self.keys.tolist(),
            "counts": self.counts.tolist(),
            "texts": self.texts.tolist(),
            "gain": self.gain,
            "several": self.several,
        }

    def places(self, ids: Ints) -> Ints:
        """Where in `keys` the features of a text are, each once."""
        found = features(ids, self.symbols, self.kind)
        at = np.minimum(np.searchsorted(self.keys, found), len(self.keys) - 1)
        known: Ints = at[self.keys[at] == found]
        return known

    def ratios(self) -> tuple[Floats, Floats]:
        """The log count ratios of the features [F, C] and of the classes themselves [C].

        With one text more of each class in every count, and centred over the classes, which
        leaves their differences: between two classes, log((p / |p|) / (q / |q|)) (Wang and
        Manning 2012, "Baselines and Bigrams"). Of several labels at once these, for each label.
        """
        if self.several:
            there, absent = self.counts[:, :-1] + 1.0, self.counts[:, -1:] - self.counts[:, :-1] + 1
            ratios = np.log(there / there.sum(0)) - np.log(absent / absent.sum(0))
            return ratios, _odds(self.texts)
        more = self.counts + 1.0
        return _centred(np.log(more / more.sum(0))), _centred(np.log(self.texts / self.texts.sum()))


def from_json(data: Mapping[str, Any], symbols: int, classes: int, *, several: bool = False) -> Bag:
    """The bag that gave this `to_json`. ValueError, TypeError or KeyError where it is damaged."""
    keys, counts = np.array(data["keys"]), np.array(data["counts"])
    texts, gain, kind = np.array(data["texts"]), float(data["gain"]), data["kind"]
    if bool(data.get("several", False)) != several:
        raise ValueError("a bag of labels of another kind")
    columns = classes + several
    if kind not in ("tokens", "pairs"):
        raise ValueError("a bag of a kind that is none")
    if any(array.dtype != np.int64 for array in (keys, counts, texts)):
        raise ValueError("a bag without whole numbers")
    if (
        keys.ndim != 1
        or not len(keys)
        or counts.shape != (len(keys), columns)
        or texts.shape != (columns,)
    ):
        raise ValueError("a bag of sizes that do not fit")
    ascending = bool((np.diff(keys) > 0).all() and keys[0] > 0 and keys[-1] < symbols**2)
    least = 0 if several else 1
    if not ascending or counts.min() < 0 or texts.min() < least or not 0 < gain <= 1:
        raise ValueError("a bag of values that do not fit")
    if several and ((counts > counts[:, -1:]).any() or (texts > texts[-1]).any()):
        raise ValueError("a bag that counts more texts than there are")
    return Bag(kind, symbols, keys, counts, texts, gain, several)


def features(ids: Ints, symbols: int, kind: Kind) -> Ints:
    """The keys of what a text of tokens holds, ascending, each once."""
    ids = ids.astype(np.int64)  # they may come in a byte each, in which no pair has room
    keys = ids[ids > 0]
    if kind == "pairs":
        pairs = ids[:-1] * symbols + ids[1:]
        keys = np.concatenate([keys, pairs[(ids[:-1] > 0) & (ids[1:] > 0)]])
    return np.unique(keys)


def count(
    texts: Sequence[Ints], targets: Ints, classes: int, symbols: int, kind: Kind
) -> Bag | None:
    """The bag of the training texts; None where they hold no token that is known.

    `targets` [N] are class numbers; or [N, C] 0 and 1, of several labels at once.
    """
    found = [features(ids, symbols, kind) for ids in texts]
    owner = np.repeat(np.arange(len(found)), [len(keys) for keys in found])
    keys, place, often = np.unique(
        np.concatenate(found), return_inverse=True, return_counts=True
    )  # fmt: skip
    order = np.argsort(-often, kind="stable")[: COUNTS // classes]
    kept = np.zeros(len(keys), dtype=bool)
    kept[order] = True
    kept &= (keys < symbols) | (often >= RARE)
    if not kept.any():
        return None
    there = kept[place]
    place, owner = (np.cumsum(kept) - 1)[place[there]], owner[there]
    size = int(kept.sum())
    if targets.ndim == 2:
        each = np.concatenate([targets, np.ones_like(targets[:, :1])], 1)
        columns = [
            np.bincount(place[each[owner, c] > 0], minlength=size) for c in range(classes + 1)
        ]
        several = Bag(kind, symbols, keys[kept], np.stack(columns, 1), each.sum(0), 1.0, True)
        return replace(several, gain=_gain_of_several(several, texts, targets))
    counts = np.bincount(place * classes + targets[owner], minlength=size * classes)
    bag = Bag(
        kind, symbols, keys[kept], counts.reshape(size, classes),
        np.bincount(targets, minlength=classes), 1.0,
    )  # fmt: skip
    return replace(bag, gain=_gain(bag, texts, targets))


def _gain(bag: Bag, texts: Sequence[Ints], targets: Ints) -> float:
    """The factor under which the ratios are best believed: that of the least cross entropy.

    Naive Bayes takes words that come together as if they did not, and so is too sure. Each
    training text is scored by the counts of all others.
    """
    total = (bag.counts + 1.0).sum(0)
    logs = np.log(bag.counts + 1.0)
    found = np.empty((len(texts), len(total)))
    for k, (ids, y) in enumerate(zip(texts, targets, strict=True)):
        at = bag.places(ids)
        own, others = logs[at], total.copy()
        own[:, y] = np.log(bag.counts[at, y])  # its own count is left out
        others[y] -= len(at)
        found[k] = (own - np.log(others)).sum(0)
    prior = np.log(bag.texts / bag.texts.sum())
    losses = [_cross_entropy(g * found + prior, targets) for g in GAINS]
    return float(GAINS[int(np.argmin(losses))])


def _gain_of_several(bag: Bag, texts: Sequence[Ints], targets: Ints) -> float:
    """The same of several labels at once."""
    all_of, there = bag.counts[:, -1:], bag.counts[:, :-1]
    totals = (there + 1.0).sum(0), (all_of - there + 1.0).sum(0)
    found = np.empty(targets.shape)
    for k, (ids, y) in enumerate(zip(texts, targets, strict=True)):
        at = bag.places(ids)
        with_it = np.log(there[at] + 1.0 - y) - np.log(totals[0] - len(at) * y)
        without = np.log(all_of[at] - there[at] + y) - np.log(totals[1] - len(at) * (1 - y))
        found[k] = (with_it - without).sum(0)
    prior, signs = _odds(bag.texts), 1 - 2 * targets
    losses = [np.logaddexp(0, signs * (g * found + prior)).sum() for g in GAINS]
    return float(GAINS[int(np.argmin(losses))])


def _odds(texts: Ints) -> Floats:
    """The log odds of each label, with one text more on both sides."""
    odds: Floats = np.log((texts[:-1] + 1.0) / (texts[-1] - texts[:-1] + 1.0))
    return odds


def _cross_entropy(scores: Floats, targets: Ints) -> float:
    right = scores[np.arange(len(targets)), targets]
    return float((np.logaddexp.reduce(scores, axis=1) - right).mean())


def _centred(scores: Floats) -> Floats:
    centred: Floats = scores - scores.mean(-1, keepdims=True)
    return centred


class BagScores(nn.Module):
    """Token ids → the scores of naive Bayes. Nothing in it is trained, so no checkpoint holds it.

    s_c = log P(c) + gain * sum of the log count ratios of the features that the text holds.
    """

    keys: Tensor  # [F]
    ratios: Tensor  # [F + 1, C], the last zero
    prior: Tensor  # [C]

    def __init__(self, bag: Bag) -> None:
        super().__init__()
        ratios, prior = bag.ratios()
        ratios = bag.gain * np.concatenate([ratios, np.zeros_like(ratios[:1])])
        self.pairs, self.symbols = bag.kind == "pairs", bag.symbols
        self.register_buffer("keys", torch.from_numpy(bag.keys), persistent=False)
        self.register_buffer("ratios", torch.from_numpy(ratios).float(), persistent=False)
        self.register_buffer("prior", torch.from_numpy(prior).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """`x` int64 [B, T], 0 where a text has ended → scores [B, C]."""
        found = x
        if self.pairs:
            before, after = x[:, :-1], x[:, 1:]
            pairs = torch.where((before > 0) & (after > 0), before * self.symbols + after, 0)
            found = torch.cat([x, pairs], 1)
        found = found.sort(1).values
        last = len(self.keys)
        places = torch.searchsorted(self.keys, found).clamp_max(last - 1)
        known = self.keys[places] == found
        known[:, 1:] &= found[:, 1:] != found[:, :-1]  # each feature counts once
        scores: Tensor = F.embedding_bag(places.where(known, last), self.ratios, mode="sum")
        return scores + self.prior
