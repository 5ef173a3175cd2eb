"""How right the labels of sentences are: accuracy over tokens, F1 over spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from torch import nn

from elman.chance import Tally, shares
from elman.data.tags.sentence import Sentence
from elman.metrics import Loss, Scores
from elman.tasks.tag import spans
from elman.tasks.tag.answering import answered
from elman.tasks.tag.data import Tagged
from elman.tasks.tag.options import TagOptions
from elman.tasks.task import Validation

Labels = Sequence[Sequence[str]]  # of each sentence


def validate(model: nn.Module, dataset: Tagged, options: TagOptions, device: str) -> Validation:
    held = range(dataset.trained, len(dataset.targets))
    answers = answered(model, dataset.encoded, held, device, dataset.targets)
    nats = sum(float(a.nats.sum()) for a in answers)
    tokens = sum(len(a.nats) for a in answers)
    said = [[dataset.labels[k] for k in a.best] for a in answers]
    loss = Loss(nats, tokens)
    scores = scores_of(dataset.check, said, dataset.labels, loss)
    tally = tally_of(dataset.check, said, dataset.labels)
    return Validation(loss, scores, by_score=True, tally=tally)


def scores_of(
    sentences: Sequence[Sentence], said: Labels, labels: Sequence[str], loss: Loss | None = None
) -> Scores:
    """Accuracy over tokens, F1 over spans and, with a loss, nats; spans first where labels have
    prefixes."""
    true = [s.labels for s in sentences]
    by_prefix = spans.prefixed(labels)
    accuracy = sum(map(_hits, true, said)) / sum(map(len, true))
    f1 = spans.count(true, said, by_prefix=by_prefix).f1()
    scores = {"accuracy": accuracy, "span_f1": f1}
    if by_prefix:
        scores = {"span_f1": f1, "accuracy": accuracy}
    return scores if loss is None else scores | {"nats": loss.mean}


def tally_of(sentences: Sequence[Sentence], said: Labels, labels: Sequence[str]) -> Tally:
    """What the first score is counted from, by sentences."""
    true = [s.labels for s in sentences]
    if not spans.prefixed(labels):
        hits = np.array(list(map(_hits, true, said)), dtype=np.float64)
        return shares("sentence", hits, np.array(list(map(len, true)), dtype=np.float64))
    found = [spans.count([a], [b], by_prefix=True) for a, b in zip(true, said, strict=True)]
    both = [2.0 * one.hit.total() for one in found]
    there = [float(one.there.total() + one.said.total()) for one in found]
    return shares("sentence", np.array(both), np.array(there))


def tokens_by_label(true: Labels, said: Labels) -> spans.Found:
    """Tokens by their labels, counted as spans are."""
    pairs = [p for a, b in zip(true, said, strict=True) for p in zip(a, b, strict=True)]
    return spans.Found(
        Counter(a for a, _ in pairs), Counter(b for _, b in pairs),
        Counter(a for a, b in pairs if a == b),
    )  # fmt: skip


def _hits(true: Sequence[str], said: Sequence[str]) -> int:
    return sum(a == b for a, b in zip(true, said, strict=True))
