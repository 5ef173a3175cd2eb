"""The data doctor: what was read, on one page, before any training; what matters first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elman.data.examples import Examples

SHOWN = 12  # classes listed by name
RARE = 10  # sequences below which a class is hardly learnt
SKEWED = 5  # times more of the most frequent class than of the rarest


@dataclass(frozen=True)
class Page:
    """`headline` is one line; `warnings` and `facts` are sentences."""

    headline: str
    warnings: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        return [self.headline, *(f"WARNING: {w}" for w in self.warnings), *self.facts]


def labelled(
    name: str, train: Examples, check: Examples, lengths: Sequence[int], longest: int,
    left_out: Sequence[str] = (), left_out_count: int = 0,
) -> Page:  # fmt: skip
    """A page on labelled sequences; `lengths` are those of all, in steps as the network counts."""
    counts = Counter(train.labels) + Counter(check.labels)
    classes = counts.most_common()
    warnings, facts = [], [*train.facts]
    if left_out_count:
        warnings.append(f"{left_out_count:,} rows left out, such as {'; '.join(left_out[:3])}")
    shared = set(train.contents()) & set(check.contents())
    if shared:
        held = sum(content in shared for content in check.contents())
        warnings.append(
            f"{held:,} of {len(check):,} sequences for validation stand in the training data too: "
            "the scores flatter"
        )
    contents = train.contents()
    kinds: dict[bytes, set[str]] = {}
    for content, label in zip(contents, train.labels, strict=True):
        kinds.setdefault(content, set()).add(label)
    if torn := sum(len(labels) > 1 for labels in kinds.values()):
        warnings.append(f"{torn:,} sequences come with different labels")
    if repeated := len(contents) - len(kinds):
        (warnings if repeated > 0.05 * len(contents) else facts).append(
            f"{repeated:,} of {len(contents):,} sequences for training are repeats of others"
        )
    rare = [f"{label} ({count})" for label, count in classes if count < RARE]
    if rare:
        warnings.append(f"classes with less than {RARE} sequences: {', '.join(rare[:SHOWN])}")
    if classes[0][1] > SKEWED * classes[-1][1]:
        warnings.append(
            f"{classes[0][0]} is {classes[0][1] / classes[-1][1]:.0f} times as frequent as "
            f"{classes[-1][0]}: look at macro F1, or try --class-weights"
        )
    if cut := sum(length > longest for length in lengths):
        warnings.append(f"{cut:,} sequences are longer than {longest:,} steps and are cut there")
    spread = np.quantile(lengths, [0, 0.5, 0.95, 1]).astype(int)
    facts.append(
        f"lengths in steps: {spread[0]:,} to {spread[3]:,}, half below {spread[1] + 1:,}, "
        f"95 % up to {spread[2]:,}"
    )
    total = sum(counts.values())
    told = ", ".join(f"{label} {count / total:.1%}" for label, count in classes[:SHOWN])
    facts.append(f"classes: {told}" + (", …" if len(classes) > SHOWN else ""))
    if train.vectors:
        constant = int((np.ptp(np.concatenate(train.vectors[:5000]), axis=0) == 0).sum())
        if constant:
            facts.append(f"{constant} of {train.vectors[0].shape[1]} inputs never change")
    headline = (
        f"{name}: {len(train):,} sequences for training, {len(check):,} for validation, "
        f"{len(classes):,} classes"
    )
    return Page(headline, tuple(warnings), tuple(facts))
