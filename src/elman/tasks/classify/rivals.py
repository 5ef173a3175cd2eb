"""What a classifier has to beat: the majority, a linear model, the nearest sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from elman import chance, metrics
from elman.tasks.classes import scores_of, scores_of_several, tally_of
from elman.tasks.classify.curves.rivals import Answer, candidates
from elman.tasks.classify.data import Labelled
from elman.tasks.classify.options import ClassifyOptions
from elman.tasks.classify.thresholds import best_set
from elman.tasks.classify.words import grams_bag
from elman.tasks.classify.words.grams_bag import GramsBag
from elman.tasks.rivals import Rival, chosen_first
from elman.tasks.task import Scores

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SHOWN: Final = 5  # labels that are named
GUESS: Final = "a guess among all classes alike"


@dataclass(frozen=True)
class Items:
    """Sequences, texts or vectors [T, I], and their class numbers [N], or 0 and 1 [N, C] of several
    labels at once."""

    sequences: Sequence[Any]
    targets: Ints

    def pick(self, numbers: Ints) -> Items:
        """Those of these numbers."""
        return Items([self.sequences[k] for k in numbers], self.targets[numbers])


@dataclass(frozen=True)
class Cut:
    """What is learnt from, and what is scored: numbers of sequences in either part. `bag` is what
    has been learnt already from their n-grams."""

    learnt: Ints
    scored: Ints
    bag: GramsBag | None = None


@dataclass(frozen=True)
class _Told:
    """A rival of one cut: how right it was on what it learnt from, and its answers."""

    kind: str
    name: str
    right: float
    answer: Answer


def rivals(dataset: Labelled, options: ClassifyOptions, training: Labelled) -> list[Rival]:
    trained = training.trained
    parts = [(np.arange(trained), np.arange(len(dataset.check)))]
    known = [bag for bag in training.bags if isinstance(bag, GramsBag)]
    if dataset is training:
        parts = dataset.cuts()
    else:
        known = known[-1:]
    cuts = [Cut(*part, known[k] if known else None) for k, part in enumerate(parts)]
    return learnt(
        Items(training.train.texts or training.train.vectors, training.targets[:trained]),
        Items(dataset.check.texts or dataset.check.vectors, dataset.targets[dataset.trained :]),
        cuts,
        dataset.classes,
    )


def learnt(
    training: Items, scored: Items, cuts: Sequence[Cut], classes: Sequence[str]
) -> list[Rival]:
    """All rivals, scored on `scored`, each part of it by what learnt from its own cut; first the
    one that was best at what it learnt from, each sequence being left out in turn, or a quarter.

    A rival that some cut lacks is left out. A uniform guess comes last.
    """
    each = [{told.kind: told for told in _of_cut(training, scored, cut, classes)} for cut in cuts]
    found, rightness = [], {}
    for kind in each[0] if each else ():
        parts = [told[kind] for told in each if kind in told]
        if len(parts) < len(each):
            continue
        answer = _joined([part.answer for part in parts], cuts, scored.targets)
        name = parts[0].name
        rightness[name] = float(np.mean([part.right for part in parts]))
        scores = answered_scores(answer, scored.targets)
        found.append(Rival(name, scores, tally_of(answer.said, scored.targets)))
    if not found:
        return []
    best = max(rightness, key=lambda name: rightness[name])
    guess = [] if scored.targets.ndim == 2 else [_guess(scored.targets, len(classes))]
    return [*chosen_first(found, best), *guess]


def _of_cut(training: Items, scored: Items, cut: Cut, classes: Sequence[str]) -> list[_Told]:
    own, asked = training.pick(cut.learnt), scored.pick(cut.scored)
    found = [_always(own.targets, len(asked.targets), classes, training.targets)]
    if not len(asked.targets):
        return found
    if isinstance(asked.sequences[0], str):
        bag = cut.bag or grams_bag.learn(own.sequences, own.targets, len(classes))
        return found if bag is None else [*found, _grams(bag, asked.sequences)]
    for c in candidates(own.sequences, own.targets, len(classes), len(asked.targets), first_score):
        found.append(_Told(c.kind, c.name, c.right, c.answer(asked.sequences)))
    return found


def _always(learnt: Ints, asked: int, classes: Sequence[str], whole: Ints) -> _Told:
    """The majority class; of several labels at once the set that is best told of every sequence.
    Named by the whole training part, of which a cut may differ."""
    if learnt.ndim == 2:
        chosen, named = best_set(learnt).astype(np.int64), best_set(whole)
        shares = (learnt.sum(0) + 0.5) / (len(learnt) + 1)
        labels = ", ".join(f'"{classes[k]}"' for k in np.flatnonzero(named)[:SHOWN])
        more = f" and {named.sum() - SHOWN} more" if named.sum() > SHOWN else ""
        said = np.tile(chosen, (asked, 1))
        right = first_score(np.tile(chosen, (len(learnt), 1)), learnt)
        name = f"always {labels}{more}, of all sets the best"
        return _Told("always", name, right, Answer(said, np.tile(shares, (asked, 1))))
    counts = np.bincount(learnt, minlength=len(classes)).astype(np.float64)
    most = int(counts.argmax())
    chances = np.tile(counts / counts.sum(), (asked, 1))
    right = float(counts.max() / counts.sum())
    often = int(np.bincount(whole, minlength=len(classes)).argmax())
    name = f'always "{classes[often]}", the majority class'
    return _Told("always", name, right, Answer(np.full(asked, most), chances))


def _grams(bag: GramsBag, texts: Sequence[str]) -> _Told:
    chances = bag.chances(texts)
    said = chances >= bag.threshold if bag.several else chances.argmax(1)
    sample = "" if bag.learnt == bag.of else f", learnt from {bag.learnt:,} of {bag.of:,}"
    name = f"a linear model on words and letters{sample}"
    return _Told(bag.kind, name, bag.right, Answer(said.astype(np.int64), chances))


def _guess(targets: Ints, classes: int) -> Rival:
    nats = float(np.log(classes))
    hits = np.full(len(targets), 1 / classes)
    return Rival(
        GUESS, {"accuracy": 1 / classes, "nats": nats},
        chance.shares("sequence", hits, np.ones(len(targets))), guess=True,
    )  # fmt: skip


def _joined(answers: Sequence[Answer], cuts: Sequence[Cut], targets: Ints) -> Answer:
    """The answers of all cuts, in the order of what is scored."""
    said = np.zeros_like(targets)
    chances = np.zeros((len(targets), answers[0].chances.shape[1]))
    for cut, answer in zip(cuts, answers, strict=True):
        said[cut.scored], chances[cut.scored] = answer.said, answer.chances
    return Answer(said, chances)


def first_score(said: Ints, targets: Ints) -> float:
    """Accuracy of classes [N], or micro F1 of labels [N, C]."""
    if targets.ndim == 1:
        return float((said == targets).mean())
    return float(2 * (said & targets).sum() / max(said.sum() + targets.sum(), 1))


def answered_scores(answer: Answer, targets: Ints) -> Scores:
    """All scores of answers, which need not be what is likeliest: of the nearest sequence's class
    another one may be said to come true more often."""
    scores = scores_of(answer.chances, targets) if targets.ndim == 1 else scores_of_several(
        answer.chances, answer.said > 0, targets
    )  # fmt: skip
    if targets.ndim == 1:
        rows, classes = np.arange(len(targets)), answer.chances.shape[1]
        confusion = np.bincount(targets * classes + answer.said, minlength=classes**2)
        accuracy, macro_f1 = metrics.from_confusion(confusion.reshape(classes, classes))
        error = metrics.calibration_error(answer.chances[rows, answer.said], answer.said == targets)
        scores |= {"accuracy": accuracy, "macro_f1": macro_f1, "calibration_error": error}
    return scores
