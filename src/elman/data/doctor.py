"""The data doctor: what was read, on one page, before any training; what matters first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from elman.data.examples import Examples

READ = 5_000_000  # characters of a text that the doctor reads, from its start
LINE = 20  # characters from which a line that comes again is no chance
REPEATED = 0.2  # share of such lines from which a warning is due
GARBLED = re.compile("Ã[\x80-\xbf]|â€|ï»¿|锟斤拷")  # UTF-8 that was read as something else
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


def prose(headline: str, blocks: Iterable[str], validation: float) -> Page:
    """A page on a text, read from its start up to `READ` characters.

    `validation` is the share at its end that is kept for validation, if all of it is read.
    """
    parts, size = [], 0
    for block in blocks:
        parts.append(block)
        size += len(block)
        if size >= READ:
            break
    text = "".join(parts)
    warnings, facts = [], []
    if lost := text.count("\ufffd"):
        warnings.append(f"{lost:,} replacement characters: letters were lost when it was converted")
    if garbled := len(GARBLED.findall(text)):
        warnings.append(f"{garbled:,} garbled letters: UTF-8 that was read as another encoding")
    lines = text.splitlines()
    long = [line.strip() for line in lines if len(line.strip()) >= LINE]
    if long:
        repeats = 1 - len(set(long)) / len(long)
        told = f"{repeats:.0%} of its long lines are repeats of others"
        if repeats > REPEATED:
            warnings.append(f"{told}: the network will learn them by heart")
        elif repeats > 0.01:
            facts.append(told)
    if long and validation and size < READ:
        cut = int(len(long) * (1 - validation))
        before, after = set(long[:cut]), set(long[cut:])
        shared = len(before & after)
        if shared > REPEATED * len(after):
            warnings.append(
                f"{shared:,} of the long lines for validation stand in the training part too: "
                "the scores flatter"
            )
    if text.count("\r\n") > len(lines) / 2:
        facts.append("lines end in carriage return and newline: two symbols to be learnt")
    longest = max(map(len, lines), default=0)
    whole = "" if size < READ else f"in its first {READ:,} characters: "
    facts.append(f"{whole}{len(lines):,} lines, the longest of {longest:,} characters")
    return Page(headline, tuple(warnings), tuple(facts))


def labelled(
    name: str, train: Examples, check: Examples, lengths: Sequence[int], longest: int,
    left_out: Sequence[str] = (), left_out_count: int = 0,
) -> Page:  # fmt: skip
    """A page on labelled sequences; `lengths` are those of all, in steps as the network counts."""
    counts = Counter(train.labels) + Counter(check.labels)
    classes = counts.most_common()
    warnings, facts = [], [*train.facts]
    if train.reading.encoding != "utf-8":
        facts.append(f"read as {train.reading.encoding}")
    if left_out_count:
        warnings.append(f"{left_out_count:,} rows left out, such as {'; '.join(left_out[:3])}")
    contents = train.contents()
    kinds: dict[bytes, set[str]] = {}
    for content, label in zip(contents, train.labels, strict=True):
        kinds.setdefault(content, set()).add(label)
    if shared := sum(content in kinds for content in check.contents()):
        warnings.append(
            f"{shared:,} of {len(check):,} sequences for validation stand in the training data "
            "too: the scores flatter"
        )
    if torn := sum(len(labels) > 1 for labels in kinds.values()):
        warnings.append(f"{torn:,} sequences come with different labels")
    if repeated := len(contents) - len(kinds):
        (warnings if repeated > 0.05 * len(contents) else facts).append(
            f"{repeated:,} of {len(contents):,} sequences for training are repeats of others"
        )
    rare = [f"{label} ({count})" for label, count in classes if count < RARE]
    if rare:
        warnings.append(f"classes with fewer than {RARE} sequences: {', '.join(rare[:SHOWN])}")
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
        if spread[0] < spread[3]
        else f"every sequence has {spread[0]:,} steps"
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
