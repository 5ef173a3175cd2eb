"""The most frequent label of each token, whatever stands beside it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from elman.data.tags.sentence import Sentence


class MostFrequent:
    """Of a known token the label it has most often; of others, what tokens that come once have.

    P(label | token) = (n(token, label) + Q(label)) / (n(token) + 1), where Q is the share of the
    label, one added to each count, among the tokens that come once.
    """

    def __init__(self, sentences: Iterable[Sentence], labels: tuple[str, ...]) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        for sentence in sentences:
            for token, label in zip(sentence.tokens, sentence.labels, strict=True):
                self._counts[token][label] += 1
        once = Counter(labels)
        once.update(next(iter(counts)) for counts in self._counts.values() if counts.total() == 1)
        self._rare = {label: once[label] / once.total() for label in labels}
        self._of_rare = max(labels, key=lambda label: self._rare[label])
        self._best = {
            token: max(counts, key=lambda label: (counts[label], self._rare[label]))
            for token, counts in self._counts.items()
        }

    def answer(self, tokens: Sequence[str]) -> list[str]:
        """The label of each token of a sentence."""
        return [self._best.get(token, self._of_rare) for token in tokens]

    def nats(self, token: str, label: str) -> float:
        """-ln P(label | token)."""
        counts = self._counts.get(token, Counter())
        return -math.log((counts[label] + self._rare[label]) / (counts.total() + 1))
