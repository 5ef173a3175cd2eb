"""What the n-grams of words and letters in a text say of its class: a linear model.

Its score is the sum of two: logistic regression on TF-IDF, and naive Bayes of the words and pairs
that are there, each as far as texts that were left out bear it out (Wang and Manning 2012,
"Baselines and Bigrams": which of them is better depends on how short texts are). It is a rival of
every classifier of texts, and answers beside the network under `--bag ngrams`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from elman.tasks import folds
from elman.tasks.classify import linear
from elman.tasks.classify.linear import Linear, Sparse, SparseRows
from elman.tasks.classify.thresholds import best_threshold
from elman.tasks.classify.words import ngrams
from elman.tasks.classify.words.ngrams import Counts, Weighing

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LETTERS: Final = 4_000_000  # learnt from; of more, texts evenly spread
WORK: Final = 40_000_000  # letters times classes learnt from
JUDGED: Final = 0.25  # of that work, by which the strength is chosen
WEIGHTS: Final = 1_000_000  # kept at most, n-grams times classes
FOLDS: Final = 4
FEW: Final = 2_000  # texts up to which all folds are judged; of more only one
GAINS: Final = np.geomspace(0.25, 4, 17)  # tried on the texts that were left out
NAIVE_GAINS: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6)  # of naive Bayes, the same


@dataclass(frozen=True)
class GramsBag:
    """A linear model on TF-IDF of n-grams; what it scored on texts left out while it was chosen."""

    kind: ClassVar[Literal["ngrams"]] = "ngrams"

    weighing: Weighing
    model: Linear
    naive: Linear | None  # of words alone, the first of the n-grams, each counted once
    several: bool
    right: float  # of the texts left out: accuracy, or micro F1 of several labels at once
    threshold: float  # of several labels at once, the best for the texts left out
    learnt: int  # texts that it has learnt from
    of: int  # texts that there were

    def scores(self, texts: Sequence[str]) -> Floats:
        """Log probabilities of the classes [N, C]; or the log odds of each label."""
        rows = ngrams.weighed(self.weighing, ngrams.counted(texts))
        found = self.model(SparseRows(rows))
        if self.naive is not None:
            found = found + self.naive(SparseRows(_words(rows, self.weighing)))
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
            "naive": None if self.naive is None else _written(self.naive.weights),
            "naive_bias": None if self.naive is None else _written(self.naive.bias),
            "several": self.several,
            "right": self.right,
            "threshold": self.threshold,
            "learnt": self.learnt,
            "of": self.of,
        }


def from_json(data: Mapping[str, Any], classes: int, *, several: bool) -> GramsBag:
    """The one that gave this `to_json`. ValueError, TypeError or KeyError where it is damaged."""
    keys = np.array(data["keys"])
    rarity = np.array(data["rarity"], dtype=np.float32)
    model = _linear(data["weights"], data["bias"], len(keys), classes)
    words = int((keys < ngrams.BUCKETS).sum())
    naive = data["naive"]
    naive = None if naive is None else _linear(naive, data["naive_bias"], words, classes)
    if bool(data["several"]) != several:
        raise ValueError("n-grams of labels of another kind")
    if keys.dtype != np.int64 or keys.ndim != 1 or not len(keys):
        raise ValueError("n-grams without whole numbers")
    if not ((np.diff(keys) > 0).all() and keys[0] >= 0 and keys[-1] < ngrams.KEYS):
        raise ValueError("n-grams out of order")
    if rarity.shape != keys.shape or not (np.isfinite(rarity) & (rarity > 0)).all():
        raise ValueError("a rarity of n-grams that is none")
    right, threshold = float(data["right"]), float(data["threshold"])
    learnt, of = int(data["learnt"]), int(data["of"])
    if not (0 <= right <= 1 and 0 <= threshold <= 1 and 0 < learnt <= of):
        raise ValueError("shares of n-grams out of range")
    return GramsBag(Weighing(keys, rarity), model, naive, several, right, threshold, learnt, of)


def _linear(weights: Any, bias: Any, features: int, classes: int) -> Linear:
    made = Linear(np.array(weights, dtype=np.float32), np.array(bias, dtype=np.float32))
    if features == 0:
        made = Linear(made.weights.reshape(0, classes), made.bias)
    if made.weights.shape != (features, classes) or made.bias.shape != (classes,):
        raise ValueError("n-grams and weights of sizes that do not fit")
    if not (np.isfinite(made.weights).all() and np.isfinite(made.bias).all()):
        raise ValueError("weights of n-grams that are no numbers")
    return made


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
    rows = ngrams.weighed(weighing, counts)
    model = linear.fit(SparseRows(rows), own, len(weighing.keys), classes, judged.strength)
    naive = None
    if judged.naive_gain:
        naive = _times(judged.naive_gain, _naive(_words(rows, weighing), own, classes))
    return GramsBag(
        replace(weighing, rarity=_short(weighing.rarity)), _times(judged.gain, model), naive,
        several, judged.right, judged.threshold, len(taken), len(texts),
    )  # fmt: skip


def _words(rows: Sparse, weighing: Weighing) -> Sparse:
    """Of rows the words and pairs, each 1 where it is."""
    width = int(np.searchsorted(weighing.keys, ngrams.BUCKETS))
    there = rows.columns < width
    starts = np.concatenate([[0], np.cumsum(there)])[rows.starts]
    ones = np.ones(int(there.sum()), dtype=np.float32)
    return Sparse(starts, rows.columns[there], ones, width)


def _naive(words: Sparse, targets: Ints, classes: int) -> Linear:
    """The log count ratios of naive Bayes, with one text more of each class in every count, and
    centred over the classes; of several labels at once each is held against the texts without."""
    owner = np.repeat(np.arange(len(words)), np.diff(words.starts))
    if targets.ndim == 2:
        all_of = np.bincount(words.columns, minlength=words.width)[:, None]
        there = np.stack(
            [np.bincount(words.columns, y[owner], minlength=words.width) for y in targets.T], 1
        )
        ratios = _shares(there) - _shares(all_of - there)
        has = targets.sum(0) + 1.0
        return Linear(
            ratios.astype(np.float32), np.log(has / (len(targets) + 2 - has)).astype(np.float32)
        )
    places = words.columns * classes + targets[owner]
    counts = np.bincount(places, minlength=words.width * classes).reshape(words.width, classes)
    ratios = _shares(counts)
    ratios -= ratios.mean(1, keepdims=True)
    often = np.log(np.bincount(targets, minlength=classes) + 1.0)
    return Linear(ratios.astype(np.float32), (often - often.mean()).astype(np.float32))


def _shares(counts: NDArray[Any]) -> Floats:
    """ln of what part of its column each count is, with one more in each."""
    more = counts + 1.0
    logs: Floats = np.log(more / more.sum(0)) if len(more) else more
    return logs


def _times(gain: float, model: Linear) -> Linear:
    return Linear(_short(gain * model.weights), _short(gain * model.bias))


@dataclass(frozen=True)
class _Judged:
    """What texts left out say: the strength, and by what the scores of the regression and of naive
    Bayes are best multiplied."""

    strength: float
    gain: float
    naive_gain: float
    right: float
    threshold: float


def _judged(texts: Sequence[str], counts: Counts, targets: Ints, classes: int) -> _Judged:
    several = targets.ndim == 2
    digests = [blake2b(t.encode(errors="replace"), digest_size=16).digest() for t in texts]
    fold = folds.drawn(digests, FOLDS, None if several else targets.tolist())
    scores: dict[float, list[Floats]] = {s: [] for s in linear.STRENGTHS}
    naive: list[Floats] = []
    truth: list[Ints] = []
    for k in range(FOLDS if len(texts) <= FEW else 1):
        left_out, others = np.flatnonzero(fold == k), np.flatnonzero(fold != k)
        if not len(left_out) or not len(others):
            continue
        part = counts.pick(others)
        weighing = ngrams.weighing(part)
        if not len(weighing.keys):
            continue
        learnt = ngrams.weighed(weighing, part)
        asked = ngrams.weighed(weighing, counts.pick(left_out))
        rows, held = SparseRows(learnt), SparseRows(asked)
        counted = _naive(_words(learnt, weighing), targets[others], classes)
        naive.append(counted(SparseRows(_words(asked, weighing))))
        model: Linear | None = None
        for strength in linear.STRENGTHS:
            model = linear.fit(
                rows, targets[others], len(weighing.keys), classes, strength, model
            )  # fmt: skip
            scores[strength].append(model(held))
        truth.append(targets[left_out])
    if not truth:
        return _Judged(linear.STRENGTHS[0], 1.0, 0.0, 0.0, 0.5)
    own, beside = np.concatenate(truth), np.concatenate(naive)
    found: tuple[float, float, float, float] | None = None
    for strength, parts in scores.items():
        whole = np.concatenate(parts)
        for gain in GAINS.tolist():
            for naive_gain in NAIVE_GAINS:
                loss = linear.cross_entropy(gain * whole + naive_gain * beside, own)
                if found is None or loss < found[0]:
                    found = loss, strength, gain, naive_gain
    assert found is not None
    _, strength, gain, naive_gain = found
    best = gain * np.concatenate(scores[strength]) + naive_gain * beside
    if several:
        threshold = best_threshold(linear.logistic(best), own)
        said = linear.logistic(best) >= threshold
        right = 2 * (said & (own > 0)).sum() / max(said.sum() + own.sum(), 1)
        return _Judged(strength, gain, naive_gain, float(right), threshold)
    return _Judged(strength, gain, naive_gain, float((best.argmax(1) == own).mean()), 0.5)


def _evenly(texts: Sequence[str], letters: int) -> Ints:
    """The numbers of texts, evenly spread, that have about so many letters together; at least
    one of each hundred."""
    total = sum(min(len(text), ngrams.LONGEST) for text in texts)
    share = min(1.0, max(0.01, letters / max(total, 1)))
    return np.unique(np.linspace(0, len(texts) - 1, max(1, round(share * len(texts)))).astype(int))


def _short(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """As they are kept: to four digits, so that a model from a file answers like the one learnt."""
    size = np.abs(values.astype(np.float64))
    digits = 10.0 ** (3 - np.floor(np.log10(np.where(size > 0, size, 1))))
    return (np.round(values * digits) / digits).astype(np.float32)


def _written(values: NDArray[np.float32]) -> Any:
    """Lists of numbers that are as short as they can be."""
    flat = [float(f"{value:.4g}") for value in values.ravel().tolist()]
    return np.array(flat).reshape(values.shape).tolist()
