"""Few sequences dealt into folds: each is scored by networks that have learnt from all others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from elman.data.labelled.examples import Examples
from elman.wording import counted

Ints = NDArray[np.int64]

FOLDS = 5
FEW = 30  # sequences held back below which they are too few to choose by
NEVER = -1  # the fold of what every network has to learn from


def wanted(count: int, share: float, asked: int | None) -> int:
    """Into how many folds so many sequences are dealt, of which otherwise `share` is held back; 0
    where that is done."""
    if not share:
        return 0
    if asked is None:
        return FOLDS if count * share < FEW else 0
    return asked


def deal(examples: Examples, count: int) -> Ints:
    """The fold of each sequence, [N], from 0 to at most `count` - 1: the same for the same data.

    Each label is spread as evenly as may be, and equal sequences are in one fold. Those that hold
    all there is of a label are in none, `NEVER`: some network would not have learnt it. Folds that
    nothing is left for are missing at the end.
    """
    each = examples.each
    often = Counter(label for labels in each for label in labels)
    alike: dict[bytes, list[int]] = defaultdict(list)
    for k, content in enumerate(examples.contents()):
        alike[content].append(k)
    groups = []
    fold = np.full(len(examples), NEVER, dtype=np.int64)
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


def _keep_labels(fold: Ints, each: Sequence[tuple[str, ...]], often: Counter[str]) -> None:
    """Takes one sequence out of a fold that has come to hold all there is of a label."""
    for label in sorted(often):
        bearing = [k for k, labels in enumerate(each) if label in labels]
        folds = {int(fold[k]) for k in bearing}
        if len(folds) == 1 and NEVER not in folds:
            fold[bearing] = NEVER


def told(examples: Examples, fold: Ints, asked: int | None, share: float) -> list[str]:
    """What a user is to know of the folds, in sentences."""
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
        each = [examples.each[k] for k in np.flatnonzero(fold == NEVER).tolist()]
        labels = sorted({label for labels in each for label in labels})
        shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
        lines.append(
            f"{counted(left, 'sequence')} never scored: nothing else is labelled {shown}, which "
            "every network has to learn"
        )
    return lines
