"""The data doctor: what was read, on one page, before any training; what matters first."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from elman.data.labelled.examples import Examples
from elman.data.pairs.pairs import Pairs
from elman.data.texts.scripts import main_script, scripts
from elman.wording import counted, listed

READ = 5_000_000  # characters of a text that the doctor reads, from its start
LINE = 20  # characters from which a line that comes again is no chance
REPEATED = 0.2  # share of such lines from which a warning is due
GARBLED = re.compile("Ã[\x80-\xbf]|â€|ï»¿|锟斤拷")  # UTF-8 that was read as something else
SHOWN = 12  # classes listed by name
RARE = 10  # sequences below which a class is hardly learnt
SKEWED = 5  # times more of the most frequent class than of the rarest
UNALIKE = 4  # times longer or shorter, beside its source, than most targets are
TELLING = 20  # characters of the longer side from which that tells something
MISTAKES = 0.05  # share of such pairs up to which they are mistakes, not what the data is like
SCRIPT = 0.01  # share of the letters from which a script is named


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
        warnings.append(
            f"{counted(lost, 'replacement character')}: letters were lost when it was converted"
        )
    if garbled := len(GARBLED.findall(text)):
        warnings.append(
            f"{counted(garbled, 'garbled letter')}: UTF-8 that was read as another encoding"
        )
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
    facts.append(
        f"{whole}{counted(len(lines), 'line')}, the longest of {counted(longest, 'character')}"
    )
    return Page(headline, tuple(warnings), tuple(facts))


def labelled(
    name: str, train: Examples, check: Examples, lengths: Sequence[int], longest: int,
    known: Sequence[str] = (), left_out: Sequence[str] = (),
) -> Page:  # fmt: skip
    """A page on labelled sequences; `lengths` are those of all, in steps as the network counts.

    `known` are the classes, of which some may never occur; `left_out` is what `BadRows.told` says.
    """
    each = [*train.each, *check.each]
    counts = Counter(label for labels in each for label in labels)
    classes = counts.most_common()
    several = train.roles.several is not None
    warnings, facts = [*left_out], [*train.facts]
    contents = train.contents()
    kinds: dict[bytes, set[str]] = {}
    for content, label in zip(contents, train.labels, strict=True):
        kinds.setdefault(content, set()).add(label)
    if shared := sum(content in kinds for content in check.contents()):
        warnings.append(flattered(shared, len(check), "sequences"))
    if torn := sum(len(labels) > 1 for labels in kinds.values()):
        warnings.append(
            f"{counted(torn, 'sequence comes', 'sequences come')} with different labels"
        )
    if repeated := len(contents) - len(kinds):
        (warnings if repeated > 0.05 * len(contents) else facts).append(
            f"{repeated:,} of {len(contents):,} sequences for training are repeats of others"
        )
    rare = [f"{label} ({count})" for label, count in classes if count < RARE]
    if rare:
        warnings.append(f"classes with fewer than {RARE} sequences: {', '.join(rare[:SHOWN])}")
    if never := [label for label in known if label not in counts]:
        warnings.append(f"labels that never occur: {listed(never, SHOWN)}")
    learnt = {label for labels in train.each for label in labels}
    if unlearnt := [label for label in counts if len(check) and label not in learnt]:
        warnings.append(
            f"labels for validation alone, none to learn from: {listed(unlearnt, SHOWN)}"
        )
    if several:
        sizes = [len(labels) for labels in each]
        facts.append(
            f"labels a sequence: {sum(sizes) / len(each):.2f} on average, at most {max(sizes)}; "
            f"{sizes.count(0) / len(each):.1%} have none"
        )
    elif classes[0][1] > SKEWED * classes[-1][1]:
        warnings.append(
            f"{classes[0][0]} is {classes[0][1] / classes[-1][1]:.0f} times as frequent as "
            f"{classes[-1][0]}: look at macro F1, or try --class-weights"
        )
    if cut := sum(length > longest for length in lengths):
        warnings.append(
            f"{counted(cut, 'sequence is', 'sequences are')} longer than "
            f"{counted(longest, 'step')}, cut there"
        )
    spread = np.quantile(lengths, [0, 0.5, 0.95, 1]).astype(int)
    facts.append(
        f"lengths in steps: {spread[0]:,} to {spread[3]:,}, half below {spread[1] + 1:,}, "
        f"95 % up to {spread[2]:,}"
        if spread[0] < spread[3]
        else f"every sequence has {counted(spread[0], 'step')}"
    )
    told = listed([f"{label} {count / len(each):.1%}" for label, count in classes], SHOWN)
    facts.append(f"{'labels' if several else 'classes'}: {told}")
    if train.vectors:
        constant = int((np.ptp(np.concatenate(train.vectors[:5000]), axis=0) == 0).sum())
        if constant:
            facts.append(f"{constant} of {train.vectors[0].shape[1]} inputs never change")
    headline = (
        f"{name}: {counted(len(train), 'sequence')} for training, {len(check):,} for validation, "
        + (
            f"{counted(len(known), 'label')}, several at once"
            if several
            else f"{len(classes):,} classes"
        )
    )
    return Page(headline, tuple(warnings), tuple(facts))


def flattered(shared: int, scored: int, what: str) -> str:
    """The warning that so many of what is scored were trained on."""
    return (
        f"{shared:,} of {scored:,} {what} for validation stand in the training data too: the "
        "scores flatter"
    )


def paired(
    name: str, train: Pairs, check: Pairs, source_lengths: Sequence[int],
    target_lengths: Sequence[int], unit: str = "tokens", left_out: Sequence[str] = (),
) -> Page:  # fmt: skip
    """A page on pairs of texts; lengths are those of all, in `unit`, and `left_out` as above."""
    warnings, facts = [*left_out], [*train.facts]
    sources, targets = [*train.sources, *check.sources], [*train.targets, *check.targets]
    known, known_sources = set(train.contents()), set(train.sources)
    if shared := sum(content in known for content in check.contents()):
        warnings.append(flattered(shared, len(check), "pairs"))
    if (again := sum(text in known_sources for text in check.sources)) > shared:
        facts.append(f"{again:,} of {len(check):,} sources for validation are sources in training")
    if repeated := len(train) - len(known):
        (warnings if repeated > 0.05 * len(train) else facts).append(
            f"{repeated:,} of {len(train):,} pairs for training are repeats of others"
        )
    if several := len(known) - len(known_sources):
        facts.append(
            f"{counted(several, 'pair gives', 'pairs give')} another target for a source that "
            "came before"
        )
    if same := sum(s == t for s, t in zip(sources, targets, strict=True)):
        (warnings if same > 0.05 * len(sources) else facts).append(
            f"in {same:,} of {len(sources):,} pairs the target is the source"
        )
    where = [*train.where, *check.where]
    odd = _misaligned(sources, targets)
    if 0 < len(odd) <= MISTAKES * len(sources):
        warnings.append(
            f"in {counted(len(odd), 'pair')} one side is {UNALIKE} times as long as the other "
            "lets expect, "
            f"so they may not belong together: {'; '.join(where[k] for k in odd[:3])}"
        )
    written = [[main_script(text) for text in side] for side in (sources, targets)]
    usual = [Counter(filter(None, side)).most_common(1) for side in written]
    if all(usual) and usual[0][0][0] != usual[1][0][0]:
        ours, theirs = usual[0][0][0], usual[1][0][0]
        turned = [k for k, both in enumerate(zip(*written, strict=True)) if both == (theirs, ours)]
        if 0 < len(turned) <= MISTAKES * len(sources):
            warnings.append(
                f"in {counted(len(turned), 'pair')} source and target have changed places, as "
                "their scripts "
                f"show: {'; '.join(where[k] for k in turned[:3])}"
            )
    for side, texts, lengths in (
        ("sources", sources, source_lengths), ("targets", targets, target_lengths)
    ):  # fmt: skip
        joined = "".join(texts)
        if lost := joined.count("\ufffd"):
            warnings.append(
                f"{counted(lost, 'replacement character')} in the {side}: letters were lost"
            )
        if garbled := len(GARBLED.findall(joined)):
            warnings.append(
                f"{counted(garbled, 'garbled letter')} in the {side}: UTF-8 that was read as "
                "another "
                "encoding"
            )
        spread = np.quantile(lengths, [0.5, 0.95, 1]).astype(int)
        facts.append(
            f"{side}: half of up to {spread[0]:,} {unit}, 95 % up to {spread[1]:,}, the longest "
            f"{spread[2]:,}; {_scripts(joined)}"
        )
    headline = f"{name}: {counted(len(train), 'pair')} for training, {len(check):,} for validation"
    return Page(headline, tuple(warnings), tuple(facts))


def _misaligned(sources: Sequence[str], targets: Sequence[str]) -> list[int]:
    """The pairs whose lengths in characters differ far more, or far otherwise, than most."""
    lengths = np.array([[len(s), len(t)] for s, t in zip(sources, targets, strict=True)])
    ratios = np.log(lengths[:, 1] / lengths[:, 0])
    unalike = np.abs(ratios - np.median(ratios)) > np.log(UNALIKE)
    return [int(k) for k in np.flatnonzero(unalike & (lengths.max(1) >= TELLING))]


def _scripts(text: str) -> str:
    """The scripts of a text by their share of its letters."""
    counts = scripts(text)
    total = counts.total()
    named = [f"{s} {n / total:.0%}" for s, n in counts.most_common(4) if n >= SCRIPT * total]
    return ", ".join(named) or "no letters"
