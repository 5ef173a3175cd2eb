"""What a tagger has to beat: the most frequent label of each token, and a linear chain."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from elman.data.tags.sentence import Sentence
from elman.metrics import Loss
from elman.tasks.rivals import Rival, chosen_first
from elman.tasks.tag.baseline import MostFrequent
from elman.tasks.tag.chain import Chain, log_marginals
from elman.tasks.tag.data import Tagged
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.scores import scores_of, tally_of

FREQUENT: Final = "the most frequent label of each token"
CHAIN: Final = "a linear chain of tokens and their endings"
GUESS: Final = "a guess among all labels alike"
TOKENS: Final = 120_000  # that a chain learns from; of more, sentences evenly spread
WORK: Final = 2_000_000  # tokens times labels that it learns from
JUDGED: Final = 10_000  # of them, by which the first rival is chosen
HELD: Final = 0.2  # of those, at their end, by which it is judged
JUDGED_PASSES: Final = 2
LEAST: Final = -60.0  # nats; no probability is taken for less
SURENESS: Final = np.geomspace(0.5, 64, 15).tolist()  # by which a chain's scores are multiplied


class Tags(Protocol):
    """Something that labels sentences."""

    def answer(self, tokens: Sequence[str]) -> list[str]: ...


def rivals(dataset: Tagged, options: TagOptions, training: Tagged) -> list[Rival]:
    return learnt(training.train, dataset.check, dataset.labels)


def learnt(
    train: Sequence[Sentence], check: Sequence[Sentence], labels: Sequence[str]
) -> list[Rival]:
    """Both, learnt from `train` and scored on `check`; first the one that was better on a part of
    `train` when it had learnt from another part."""
    frequent = MostFrequent(train, tuple(labels))
    taken = sample(train, min(TOKENS, WORK // len(labels)))
    name = CHAIN
    if len(taken) < len(train):
        name += f", learnt from {len(taken):,} of {len(train):,} sentences"
    judged = _judged(taken, labels)
    chain = Chain(taken, labels)
    found = [
        _rival(name, chain, check, labels, chain_loss(chain, check, judged.sureness)),
        _rival(FREQUENT, frequent, check, labels, _loss(frequent, check)),
    ]
    ordered = chosen_first(found, name if judged.chain_first else FREQUENT)
    return [*ordered, _guess(check, labels)]


@dataclass(frozen=True)
class _Judged:
    """What a part of the training part says that was not learnt from: whether a chain is better
    than the most frequent labels, and how sure its scores are to be taken for."""

    chain_first: bool
    sureness: float


def _judged(taken: Sequence[Sentence], labels: Sequence[str]) -> _Judged:
    """By the end of what a chain learns from, or of a part of that."""
    part = sample(taken, JUDGED)
    count = len(part) - max(1, round(HELD * len(part)))
    if count < 1:
        return _Judged(False, 1.0)
    known, held = part[:count], part[count:]
    chain, frequent = Chain(known, labels, JUDGED_PASSES), MostFrequent(known, tuple(labels))
    first, second = (
        next(iter(scores_of(held, said(model, held), labels).values()))
        for model in (chain, frequent)
    )
    sureness = min(SURENESS, key=lambda tried: chain_loss(chain, held, tried).total)
    return _Judged(first > second, sureness)


def chain_loss(chain: Chain, sentences: Sequence[Sentence], sureness: float) -> Loss:
    """What the true labels cost, each by itself, where a chain's scores are taken for so sure."""
    index = {label: k for k, label in enumerate(chain.labels)}
    total, count = 0.0, 0
    for sentence in sentences:
        own, turns = chain.scores(sentence.tokens)
        logs = log_marginals(sureness * own, sureness * turns)
        # A label that costs more than the least probability is not told apart from another.
        total -= sum(
            max(float(logs[t, index[label]]), LEAST) for t, label in enumerate(sentence.labels)
        )
        count += len(sentence.labels)
    return Loss(total, count)


def _loss(frequent: MostFrequent, sentences: Sequence[Sentence]) -> Loss:
    nats = [
        frequent.nats(token, label)
        for s in sentences
        for token, label in zip(s.tokens, s.labels, strict=True)
    ]
    return Loss(sum(nats), len(nats))


def said(model: Tags, sentences: Sequence[Sentence]) -> list[list[str]]:
    """What it says of sentences."""
    return [model.answer(s.tokens) for s in sentences]


def sample(sentences: Sequence[Sentence], tokens: int) -> list[Sentence]:
    """Sentences, evenly spread, that hold about so many tokens together; one at least."""
    total = sum(len(s.tokens) for s in sentences)
    if total <= tokens:
        return list(sentences)
    count = max(1, int(len(sentences) * tokens / total))
    return [sentences[k] for k in np.unique(np.linspace(0, len(sentences) - 1, count).astype(int))]


def _rival(
    name: str, model: Tags, check: Sequence[Sentence], labels: Sequence[str], loss: Loss
) -> Rival:
    answers = said(model, check)
    return Rival(name, scores_of(check, answers, labels, loss), tally_of(check, answers, labels))


def _guess(check: Sequence[Sentence], labels: Sequence[str]) -> Rival:
    """A network that is worse has diverged. Its labels are drawn."""
    drawn = random.Random(0)
    answers = [drawn.choices(labels, k=len(s.tokens)) for s in check]
    loss = Loss(math.log(len(labels)) * sum(map(len, answers)), sum(map(len, answers)))
    return Rival(
        GUESS, scores_of(check, answers, labels, loss), tally_of(check, answers, labels), guess=True
    )
