"""What a recogniser has to beat: what is said most often; a linear model of the mean spectrum."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from elman.tasks.classes import scores_of, tally_of
from elman.tasks.rivals import Rival, chosen_first
from elman.tasks.speech.data import Part, SpeechData, moments
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.scores import by_words, errors, references, truth

SPECTRUM = "a linear model of the mean and spread of each clip's spectrum"
NOTHING = "nothing written"
GUESS = "a guess among all classes alike"
LEARNT = 5_000  # clips that the linear model learns from at most, evenly spread
HELD = 5  # every so many clips judge which rival comes first, and how strict the model is
STRICT = np.geomspace(1e-3, 1e3, 13)  # penalties tried
SURE = np.geomspace(0.5, 32, 13)  # by which its scores are multiplied, tried

Floats = NDArray[np.float64]


def rivals(dataset: SpeechData, options: SpeechOptions, training: SpeechData) -> list[Rival]:
    """Learnt from the training part of `training`, scored on the validation part of `dataset`."""
    if dataset.encoder.mode == "classify":
        return _of_classes(dataset, training)
    true = references(dataset.check, dataset.encoder)
    known = references(training.train, dataset.encoder)
    frequent = Counter(known).most_common(1)[0][0]
    shown = frequent if len(frequent) <= 40 else f"{frequent[:37]}…"
    first, found = by_words(true), []
    for name, answer, guess in (
        (f'always "{shown}", the most frequent transcript', frequent, False),
        (NOTHING, "", True),
    ):
        counts = errors(true, [answer] * len(true))
        scores = counts.scores(by_words=first)
        found.append(Rival(name, scores, counts.tally(by_words=first), guess=guess))
    return found


def _of_classes(dataset: SpeechData, training: SpeechData) -> list[Rival]:
    targets, classes = truth(dataset.check), len(dataset.encoder.labels)
    own = truth(training.train)
    counts = np.bincount(own, minlength=classes)
    frequent = int(counts.argmax())
    chances = np.tile((counts + 1) / (counts.sum() + classes), (len(targets), 1))
    name = f'always "{dataset.encoder.labels[frequent]}", the majority class'
    found = [Rival(name, scores_of(chances, targets), tally_of(chances.argmax(1), targets))]
    chosen = np.unique(np.linspace(0, len(own) - 1, min(LEARNT, len(own))).astype(int))
    told = SPECTRUM if len(chosen) == len(own) else f"{SPECTRUM}, of {len(chosen):,} of them"
    x, y = spectra(training, training.train.pick(chosen.tolist())), own[chosen]
    if len(x) >= HELD:
        model = _learnt(x, y, classes)
        chances = model(spectra(dataset, dataset.check))
        linear = Rival(told, scores_of(chances, targets), tally_of(chances.argmax(1), targets))
        found.append(linear)
        if model.right > float((y[_held(x)] == frequent).mean()):
            found = chosen_first(found, told)
    drawn = np.random.default_rng(0).integers(classes, size=len(targets))
    guess = {"accuracy": float((drawn == targets).mean()), "nats": math.log(classes)}
    return [*found, Rival(GUESS, guess, tally_of(drawn, targets), guess=True)]


@dataclass(frozen=True)
class _Linear:
    """Ridge regression on what was scaled to mean 0 and spread 1, and how sure it is.

    `right` is its accuracy where that was chosen.
    """

    mean: Floats
    spread: Floats
    weights: Floats
    bias: Floats
    sure: float = 1.0
    right: float = 0.0

    def __call__(self, x: Floats) -> Floats:
        """The probability of each class [N, C]."""
        scores = self.sure * (((x - self.mean) / self.spread) @ self.weights + self.bias)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        found: Floats = shares / shares.sum(1, keepdims=True)
        return found


def _held(x: Floats) -> NDArray[np.bool_]:
    held: NDArray[np.bool_] = np.arange(len(x)) % HELD == HELD - 1
    return held


def _learnt(x: Floats, y: NDArray[np.int64], classes: int) -> _Linear:
    """How strict and how sure it is, a part says that it has not learnt from."""
    ones, held = np.eye(classes)[y], _held(x)
    fits = [_solved(x[~held], ones[~held], strict) for strict in STRICT]
    right = [float((fit(x[held]).argmax(1) == y[held]).mean()) for fit in fits]
    best = int(np.argmax(right))
    costs = [scores_of(replace(fits[best], sure=sure)(x[held]), y[held])["nats"] for sure in SURE]
    whole = _solved(x, ones, STRICT[best])
    return replace(whole, sure=float(SURE[int(np.argmin(costs))]), right=right[best])


def _solved(x: Floats, y: Floats, strict: float) -> _Linear:
    mean, spread = x.mean(0), x.std(0) + 1e-6
    z, bias = (x - mean) / spread, y.mean(0)
    weights = np.linalg.solve(z.T @ z + strict * np.eye(x.shape[1]), z.T @ (y - bias))
    return _Linear(mean, spread, weights, bias)


def spectra(dataset: SpeechData, part: Part) -> Floats:
    """Mean and spread of each band of each clip of a part [N, 2 * mels]."""
    each = moments(dataset, part, range(len(part)))
    rows = [torch.cat([one.mean, one.spread]).numpy() for one in each]
    return np.stack(rows) if rows else np.empty((0, 0))
