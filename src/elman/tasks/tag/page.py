"""What people read of a tagger: the data doctor's page, and what it got wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import nn

from elman.data.doctor import Page, flattered
from elman.data.tags.sentence import Sentence
from elman.tasks import labelling
from elman.tasks.tag import spans
from elman.tasks.tag.answering import answered
from elman.tasks.tag.data import Tagged
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.scores import tokens_by_label
from elman.wording import counted, listed

LISTED = 12  # labels in a line
PAIRS = 8  # labels taken for one another
RARE = 10  # tokens below which a label is hardly learnt
AROUND = 6  # tokens shown on either side of a mistake
WORST = 8  # confident mistakes shown


def examine(data: Tagged) -> Page:
    """What was read, on one page; what matters first."""
    counts = Counter(label for s in (*data.train, *data.check) for label in s.labels)
    warnings = data.bad.told("sentence or line", "sentences or lines")
    facts = [*data.facts]
    known: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for s in data.train:
        known.setdefault(tuple(s.tokens), set()).add(tuple(s.labels))
    if shared := sum(tuple(s.tokens) in known for s in data.check):
        (warnings if shared > 0.05 * len(data.check) else facts).append(
            flattered(shared, len(data.check), "sentences")
        )
    if torn := sum(len(labels) > 1 for labels in known.values()):
        facts.append(f"{counted(torn, 'sentence comes', 'sentences come')} with different labels")
    if repeated := len(data.train) - len(known):
        facts.append(f"{repeated:,} of {len(data.train):,} sentences for training are repeats")
    labels = counts.most_common()
    if rare := [f"{label} ({count})" for label, count in labels if count < RARE]:
        warnings.append(f"labels of less than {RARE} tokens: {listed(rare, LISTED)}")
    if data.cut:
        warnings.append(
            f"{counted(data.cut, 'sentence with', 'sentences with')} more than "
            f"{counted(data.encoder.longest, 'token')} cut "
            "in parts"
        )
    spread = np.quantile(data.lengths, [0, 0.5, 0.95, 1]).astype(int)
    facts.append(
        f"lengths in tokens: {spread[0]:,} to {spread[3]:,}, half below {spread[1] + 1:,}, "
        f"95 % up to {spread[2]:,}"
    )
    total = counts.total()
    facts.append(f"labels: {listed([f'{x} {n / total:.1%}' for x, n in labels], LISTED)}")
    words = data.encoder.words.symbols
    unknown = [not data.encoded.ids[n] for s in data.encoded.tokens[data.trained :] for n in s]
    fact = f"tokens: {len(words) - 1:,} different ones known"
    facts.append(fact + (f", {np.mean(unknown):.1%} of validation is not" if unknown else ""))
    facts.append(f"span_f1 counts {spans_told(data.labels)}")
    headline = (
        f"{data.name}: {counted(len(data.train), 'sentence')} for training, {len(data.check):,} "
        "for "
        f"validation, {counted(total, 'token')}, {counted(len(counts), 'label')}"
    )
    return Page(headline, tuple(warnings), tuple(facts))


def spans_told(labels: Sequence[str]) -> str:
    """What a span is with these labels."""
    if spans.prefixed(labels):
        return "exact spans by the prefixes of the labels (B-, I-, …)"
    return "exact runs of one label other than O, as the labels have no prefixes (B-, I-, …)"


def remarks(
    model: nn.Module, dataset: Tagged, options: TagOptions, device: str, sample: str, folder: Path
) -> list[str]:
    """Each label's scores, and what was got wrong."""
    if not dataset.check:
        return []
    held = range(dataset.trained, len(dataset.targets))
    answers = answered(model, dataset.encoded, held, device)
    said = [[dataset.labels[k] for k in a.best] for a in answers]
    true = [s.labels for s in dataset.check]
    if spans.prefixed(dataset.labels):
        lines = labelling.table(spans.count(true, said, by_prefix=True).each(), "label", "spans")
    else:
        lines = labelling.table(tokens_by_label(true, said).each(), "label", "tokens")
    lines += ["", *confused(true, said)]
    known = np.concatenate([dataset.encoded.ids[dataset.encoded.tokens[k]] > 0 for k in held])
    hit = np.concatenate([answers[k - held.start].best == dataset.targets[k] for k in held])
    if not known.all():
        right = f"{hit[~known].mean():.1%} of {(~known).sum():,} unknown tokens"
        if known.any():
            right += f" and {hit[known].mean():.1%} of the others"
        lines += [f"Right are the labels of {right}.", ""]
    worst = sorted(mistakes(dataset.check, said, [a.confidence for a in answers]))
    if worst:
        lines += ["Mistakes made with most confidence, one of a sentence:", ""]
    return lines + [mistake.told() for mistake in reversed(worst[-WORST:])]


def confused(true: Sequence[Sequence[str]], said: Sequence[Sequence[str]]) -> list[str]:
    """The labels most often taken for one another, as a line of Markdown."""
    pairs = Counter(
        pair for a, b in zip(true, said, strict=True) for pair in zip(a, b, strict=True)
    )
    wrong = [(pair, n) for pair, n in pairs.most_common() if pair[0] != pair[1]][:PAIRS]
    told = ", ".join(f"{a} for {b} ({n:,})" for (b, a), n in wrong)
    return [f"Most often said: {told}.", ""] if wrong else []


class Mistake(NamedTuple):
    """A wrong label, and how sure the model was of it."""

    confidence: float
    sentence: Sentence
    place: int
    said: str

    def told(self) -> str:
        """A line of Markdown that shows the tokens around it."""
        tokens, k = self.sentence.tokens, self.place
        before = " ".join(tokens[max(0, k - AROUND) : k])
        after = " ".join(tokens[k + 1 : k + 1 + AROUND])
        shown = f"{before} [{tokens[k]}] {after}".strip()[:200].replace("`", "'")
        return (
            f"- {self.sentence.where}: {self.sentence.labels[k]}, read as {self.said} "
            f"({self.confidence:.0%}): `{shown}`"
        )


def mistakes(
    sentences: Sequence[Sentence], said: Sequence[Sequence[str]], confidence: Sequence[np.ndarray]
) -> Iterator[Mistake]:
    """Of each sentence with mistakes the one made with most confidence."""
    for sentence, answers, sure in zip(sentences, said, confidence, strict=True):
        wrong = [k for k, label in enumerate(sentence.labels) if answers[k] != label]
        if wrong:
            k = max(wrong, key=lambda k: float(sure[k]))
            yield Mistake(float(sure[k]), sentence, k, answers[k])
