"""What a tagger has to beat: the most frequent label of each token, and a linear chain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from elman.chance import shares
from elman.data.tags.sentence import Sentence
from elman.metrics import Loss
from elman.tasks.rivals import Rival, chosen_first
from elman.tasks.tag.baseline import MostFrequent
from elman.tasks.tag.chain import Chain
from elman.tasks.tag.scoring import scores_of, tally_of

FREQUENT: Final = "the most frequent label of each token"
CHAIN: Final = "a linear chain of tokens and their endings"
GUESS: Final = "a guess among all labels alike"
TOKENS: Final = 120_000  # that a chain learns from; of more, sentences evenly spread
WORK: Final = 2_000_000  # tokens times labels that it learns from
JUDGED: Final = 10_000  # of them, by which the first rival is chosen
HELD: Final = 0.2  # of those, at their end, by which it is judged
JUDGED_PASSES: Final = 2


class Tags(Protocol):
    """Something that labels sentences."""

    def answer(self, tokens: Sequence[str]) -> list[str]: ...


def rivals(
    train: Sequence[Sentence], check: Sequence[Sentence], labels: Sequence[str]
) -> list[Rival]:
    """Both, learnt from `train` and scored on `check`; first the one that was better on a part of
    `train` when it had learnt from another part."""
    frequent = MostFrequent(train, tuple(labels))
    taken = sample(train, min(TOKENS, WORK // len(labels)))
    name = CHAIN
    if len(taken) < len(train):
        name += f", learnt from {len(taken):,} of {len(train):,} sentences"
    found = [_rival(name, Chain(taken, labels), check, labels)]
    nats = [
        frequent.nats(token, label)
        for s in check
        for token, label in zip(s.tokens, s.labels, strict=True)
    ]
    loss = Loss(sum(nats), len(nats))
    found.append(_rival(FREQUENT, frequent, check, labels, loss))
    ordered = chosen_first(found, name if _chain_first(taken, labels) else FREQUENT)
    return [*ordered, _guess(check, len(labels))]


def _chain_first(taken: Sequence[Sentence], labels: Sequence[str]) -> bool:
    """Whether a chain is better than the most frequent labels, on the end of what it learns from,
    or of a part of that."""
    part = sample(taken, JUDGED)
    count = len(part) - max(1, round(HELD * len(part)))
    if count < 1:
        return False
    learnt, held = part[:count], part[count:]
    both: tuple[Tags, Tags] = (
        Chain(learnt, labels, JUDGED_PASSES),
        MostFrequent(learnt, tuple(labels)),
    )
    chain, frequent = (
        next(iter(scores_of(held, said(model, held), labels).values())) for model in both
    )
    return chain > frequent


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
    name: str, model: Tags, check: Sequence[Sentence], labels: Sequence[str],
    loss: Loss | None = None,
) -> Rival:  # fmt: skip
    answers = said(model, check)
    return Rival(
        name, scores_of(check, answers, labels, loss), tally_of(check, answers, labels)
    )  # fmt: skip


def _guess(check: Sequence[Sentence], labels: int) -> Rival:
    """A network that is worse has diverged."""
    tokens = np.array([len(s.tokens) for s in check], dtype=np.float64)
    scores = {"accuracy": 1 / labels, "nats": math.log(labels)}
    return Rival(GUESS, scores, shares("sentence", tokens / labels, tokens), guess=True)
