"""What the n-grams of words and letters in a text say of its class: a linear model.

It is a rival of every classifier of texts, and answers beside the network under `--bag ngrams`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from elman.tasks import folds
from elman.tasks.classify import linear, ngrams
from elman.tasks.classify.linear import Linear, SparseRows
from elman.tasks.classify.ngrams import Counts, Weighing
from elman.tasks.classify.scoring import best_threshold

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LETTERS: Final = 4_000_000  # learnt from; of more, texts evenly spread
WORK: Final = 40_000_000  # letters times classes learnt from
JUDGED: Final = 0.25  # of that work, by which the strength is chosen
WEIGHTS: Final = 1_000_000  # kept at most, n-grams times classes
FOLDS: Final = 4
FEW: Final = 2_000  # texts up to which all folds are judged; of more only one
GAINS: Final = np.geomspace(0.25, 4, 33)  # tried on the texts that were left out
LEAST: Final = -60.0  # no log probability is taken for less


@dataclass(frozen=True)
class GramsBag:
    """A linear model on TF-IDF of n-grams; what it scored on texts left out while it was chosen."""

    kind: ClassVar[str] = "ngrams"

    weighing: Weighing
    model: Linear
    several: bool
    right: float  # of the texts left out: accuracy, or micro F1 of several labels at once
    threshold: float  # of several labels at once, the best for the texts left out
    learnt: int  # texts that it has learnt from
    of: int  # texts that there were

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log probabilities of the classes [N, C]; or the log odds of each label."""
        return self._scores(ngrams.counted(texts))

    def _scores(self, counts: Counts) -> Floats:
        found = self.model(SparseRows(ngrams.weighed(self.weighing, counts)))
        return found if self.several else linear.log_shares(found)

    def chances(self, texts: Sequence[str]) -> Floats:
        """The probability of each class, or of each label, [N, C]."""
        scores = self.scores(texts)
        return linear.logistic(scores) if self.several else np.exp(scores)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "keys": self.weighing.keys.tolist(),
            "rarity": _written(self.weighing.rarity),
            "weights": _written(self.model.weights),
            "bias": _written(self.model.bias),
            "several": self.several,
            "right": self.right,
            "threshold": self.threshold,
            "learnt": self.learnt,
            "of": self.of,
        }


def from_json(data: Mapping[str, Any], classes: int, *, several: bool) -> GramsBag:
    """The one that gave this `to_json`. ValueError, TypeError or KeyError where it is damaged."""
    keys = np.array(data["keys"])
    rarity, weights, bias = (
        np.array(data[name], dtype=np.float32) for name in ("rarity", "weights", "bias")
    )
    if bool(data["several"]) != several:
        raise ValueError("n-grams of labels of another kind")
    if keys.dtype != np.int64 or keys.ndim != 1 or not len(keys):
        raise ValueError("n-grams without whole numbers")
    if not ((np.diff(keys) > 0).all() and keys[0] >= 0 and keys[-1] < ngrams.KEYS):
        raise ValueError("n-grams out of order")
    if rarity.shape != keys.shape or weights.shape != (len(keys), classes):
        raise ValueError("n-grams and weights of sizes that do not fit")
    if bias.shape != (classes,) or not all(np.isfinite(x).all() for x in (rarity, weights, bias)):
        raise ValueError("weights of n-grams that are no numbers")
    right, threshold = float(data["right"]), float(data["threshold"])
    if not (0 <= right <= 1 and 0 <= threshold <= 1 and (rarity > 0).all()):
        raise ValueError("shares of n-grams out of range")
    weighing, model = Weighing(keys, rarity), Linear(weights, bias)
    return GramsBag(
        weighing, model, several, right, threshold, int(data["learnt"]), int(data["of"])
    )


def learn(texts: Sequence[str], targets: Ints, classes: int) -> GramsBag | None:
    """From texts and their classes [N], or 0 and 1 [N, C] of several labels at once, the strength
    chosen by texts left out. None where no n-gram comes in two texts.
    """
    several = targets.ndim == 2
    taken = _evenly(texts, min(LETTERS, WORK // classes))
    counts = ngrams.counted([texts[k] for k in taken])
    weighing = ngrams.weighing(counts, min(ngrams.MOST, max(1, WEIGHTS // classes)))
    if not len(weighing.keys):
        return None
    own = targets[taken]
    tried = _evenly([texts[k] for k in taken], int(JUDGED * WORK) // classes)
    judged = _judged(
        [texts[taken[k]] for k in tried], counts.pick(tried), own[tried], classes
    )  # fmt: skip
    rows = SparseRows(ngrams.weighed(weighing, counts))
    made = linear.fit(rows, own, len(weighing.keys), classes, judged.strength)
    scaled = Linear(_short(judged.gain * made.weights), _short(judged.gain * made.bias))
    return GramsBag(
        replace(weighing, rarity=_short(weighing.rarity)), scaled, several, judged.right,
        judged.threshold, len(taken), len(texts),
    )  # fmt: skip


@dataclass(frozen=True)
class _Judged:
    """What texts left out say: the strength, and by what the scores are best multiplied."""

    strength: float
    gain: float
    right: float
    threshold: float


def _judged(texts: Sequence[str], counts: Counts, targets: Ints, classes: int) -> _Judged:
    several = targets.ndim == 2
    digests = [blake2b(t.encode(errors="replace"), digest_size=16).digest() for t in texts]
    fold = folds.drawn(digests, FOLDS, None if several else targets.tolist())
    scores: dict[float, list[Floats]] = {s: [] for s in linear.STRENGTHS}
    truth: list[Ints] = []
    for k in range(FOLDS if len(texts) <= FEW else 1):
        left_out, others = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if not len(left_out) or not len(others):
            continue
        part = counts.pick(others)
        weighing = ngrams.weighing(part)
        if not len(weighing.keys):
            continue
        rows = SparseRows(ngrams.weighed(weighing, part))
        held = SparseRows(ngrams.weighed(weighing, counts.pick(left_out)))
        model: Linear | None = None
        for strength in linear.STRENGTHS:
            model = linear.fit(
                rows, targets[others], len(weighing.keys), classes, strength, model
            )  # fmt: skip
            scores[strength].append(model(held))
        truth.append(targets[left_out])
    if not truth:
        return _Judged(linear.STRENGTHS[0], 1.0, 0.0, 0.5)
    own = np.concatenate(truth)
    whole = {strength: np.concatenate(parts) for strength, parts in scores.items()}
    losses = {
        (strength, float(gain)): linear.cross_entropy(gain * whole[strength], own)
        for strength in linear.STRENGTHS
        for gain in GAINS
    }
    strength, gain = min(losses, key=lambda tried: losses[tried])
    best = gain * whole[strength]
    if several:
        threshold = best_threshold(linear.logistic(best), own)
        said = linear.logistic(best) >= threshold
        right = 2 * (said & (own > 0)).sum() / max(said.sum() + own.sum(), 1)
        return _Judged(strength, gain, float(right), threshold)
    return _Judged(strength, gain, float((best.argmax(1) == own).mean()), 0.5)


def _evenly(texts: Sequence[str], letters: int) -> Ints:
    """The numbers of texts, evenly spread, that have about so many letters together; at least
    one of each hundred."""
    total = sum(min(len(text), ngrams.LONGEST) for text in texts)
    share = min(1.0, max(0.01, letters / max(total, 1)))
    return np.unique(np.linspace(0, len(texts) - 1, max(1, round(share * len(texts)))).astype(int))


def _short(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """As they are kept: to four digits, so that a model from a file answers like the one learnt."""
    with np.errstate(divide="ignore"):
        digits = 10.0 ** (3 - np.floor(np.log10(np.abs(values.astype(np.float64)))))
    kept = np.where(np.isfinite(digits), np.round(values * digits) / digits, 0.0)
    return kept.astype(np.float32)


def _written(values: NDArray[np.float32]) -> Any:
    """Lists of numbers that are as short as they can be."""
    flat = [float(f"{value:.4g}") for value in values.ravel().tolist()]
    return np.array(flat).reshape(values.shape).tolist()
