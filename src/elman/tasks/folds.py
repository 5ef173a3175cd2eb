"""Folds: which of several parts a sequence is in, where a tenth would be too few to choose by.

`drawn` is for what is fitted and judged inside a training part; `dealt` for networks, each of which
has to learn every label and is scored by the fold that it has not learnt from.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from elman.wording import counted, listed

Ints = NDArray[np.int64]
Labels = Sequence[tuple[str, ...]]  # of each sequence

FOLDS = 5
FEW = 30  # sequences held back below which they are too few to choose by
NEVER = -1  # the fold of what every network has to learn from


def drawn(digests: Sequence[bytes], folds: int, groups: Sequence[Hashable] | None = None) -> Ints:
    """The fold of each sequence, from 0 on: folds of about one size, with about as many of each
    group in each.

    Drawn by content: equal sequences are in one fold, and the same data gives the same folds in any
    order. Where there are fewer distinct sequences than folds, some folds are empty.
    """
    kinds = [None] * len(digests) if groups is None else list(groups)
    found = np.zeros(len(digests), dtype=np.int64)
    seen: dict[bytes, int] = {}
    at = 0
    for kind in sorted(set(kinds), key=repr):
        rows = [k for k, own in enumerate(kinds) if own == kind]
        for k in sorted(rows, key=lambda k: hashlib.blake2b(digests[k], digest_size=8).digest()):
            if digests[k] not in seen:
                seen[digests[k]] = at % folds
                at += 1
            found[k] = seen[digests[k]]
    return found


def wanted(count: int, share: float, asked: int | None) -> int:
    """Into how many folds so many sequences are dealt, of which otherwise `share` is held back; 0
    where that is done."""
    if not share:
        return 0
    if asked is None:
        return FOLDS if count * share < FEW else 0
    return asked


def dealt(each: Labels, contents: Sequence[bytes], count: int) -> Ints:
    """The fold of each sequence by its labels and content, [N], from 0 to at most `count` - 1: the
    same for the same data.

    Each label is spread as evenly as may be, and equal sequences are in one fold. Those that hold
    all there is of a label are in none, `NEVER`: some network would not have learnt it. Folds that
    nothing is left for are missing at the end.
    """
    often = Counter(label for labels in each for label in labels)
    alike: dict[bytes, list[int]] = defaultdict(list)
    for k, content in enumerate(contents):
        alike[content].append(k)
    groups = []
    fold = np.full(len(each), NEVER, dtype=np.int64)
    for content, group in sorted(alike.items()):
        inside = Counter(label for k in group for label in each[k])
        if any(inside[label] == often[label] for label in inside):
            continue
        rarest = min(inside, key=lambda label: (often[label], label), default="")
        groups.append((often[rarest], rarest, content, group, inside))
    had: list[Counter[str]] = [Counter() for _ in range(count)]
    size = [0] * count
    # Rare labels first, while there is a choice; of each the fold that has least of it, then least.
    for _, rarest, _, group, inside in sorted(groups, key=lambda g: g[:3]):
        at = min(range(count), key=lambda f: (had[f][rarest], size[f], f))
        had[at].update(inside)
        size[at] += len(group)
        fold[group] = at
    _keep_labels(fold, each, often)
    filled = [f for f in range(count) if (fold == f).any()]
    for new, old in enumerate(filled):
        fold[fold == old] = new
    if len(filled) < 2:  # one fold alone would leave nothing to learn from
        fold[:] = NEVER
    return fold


def _keep_labels(fold: Ints, each: Labels, often: Counter[str]) -> None:
    """Takes one sequence out of a fold that has come to hold all there is of a label."""
    for label in sorted(often):
        bearing = [k for k, labels in enumerate(each) if label in labels]
        folds = {int(fold[k]) for k in bearing}
        if len(folds) == 1 and NEVER not in folds:
            fold[bearing] = NEVER


def told(each: Labels, fold: Ints, asked: int | None, share: float) -> list[str]:
    """What a user is to know of dealt folds, in sentences."""
    count, left = int(fold.max()) + 1, int((fold == NEVER).sum())
    why = ""
    if asked is None:
        why = f", as {share:.0%} of {counted(len(fold), 'sequence')} would be too few to choose by"
    lines = [
        f"{count} folds{why}: each is scored by networks that have learnt from all others, and "
        "all of them answer together later"
    ]
    if asked is not None and count < asked:
        lines.append(f"{count} folds, not {asked}: there are no more sequences to be dealt")
    if left:
        alone = [each[k] for k in np.flatnonzero(fold == NEVER).tolist()]
        labels = sorted({label for labels in alone for label in labels})
        shown = listed(labels, 5)
        lines.append(
            f"{counted(left, 'sequence')} never scored: nothing else is labelled {shown}, which "
            "every network has to learn"
        )
    return lines
