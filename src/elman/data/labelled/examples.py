"""Sequences with their labels, in memory, and how a part of them is held back."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.labelled.roles import UNKNOWN, LabelRoles
from elman.data.labelled.several import Labels
from elman.errors import UserError

Vectors = NDArray[np.float32]

STRATUM = 20  # sequences with a label from which a share of them is held back


@dataclass(frozen=True)
class Examples:
    """Sequences and their labels, in order; `where` says of each where it came from.

    `texts` are strings, or `vectors` arrays [T, I]; the other is empty. `labels` are empty where
    the data holds none, as data to be predicted need not. Where a sequence has several labels at
    once, or none, `sets` holds them, and `labels` what that looks like.
    """

    texts: list[str] = field(default_factory=list)
    vectors: list[Vectors] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sets: list[Labels] = field(default_factory=list)
    where: list[str] = field(default_factory=list)
    facts: tuple[str, ...] = ()  # what was understood, for the user
    roles: LabelRoles = UNKNOWN

    def __len__(self) -> int:
        return len(self.texts) or len(self.vectors)

    @property
    def each(self) -> Sequence[Labels]:
        """The labels of each sequence: one, or several at once."""
        return self.sets or [(label,) for label in self.labels]

    def pick(self, numbers: Sequence[int] | NDArray[np.int64]) -> Examples:
        """Those of these numbers."""

        def of(values: list[Any]) -> list[Any]:
            return [values[k] for k in numbers] if values else []

        return replace(
            self,
            texts=of(self.texts), vectors=of(self.vectors), labels=of(self.labels),
            sets=of(self.sets), where=of(self.where),
        )  # fmt: skip

    def contents(self) -> list[bytes]:
        """Of each sequence a digest, equal for equal ones."""
        if self.texts:
            parts = (text.encode(errors="replace") for text in self.texts)
        else:
            parts = (v.tobytes() + str(v.shape).encode() for v in self.vectors)
        return [hashlib.blake2b(part, digest_size=16).digest() for part in parts]

    def digest(self) -> str:
        """Of all sequences and labels together."""
        whole = hashlib.sha256()
        for part in self.contents():
            whole.update(part)
        whole.update("\0".join(self.labels).encode(errors="replace"))
        return whole.hexdigest()


def joined(parts: Sequence[Examples]) -> Examples:
    """All of them, in order. UserError: texts and vectors, or labels of different kinds."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if len({bool(part.texts) for part in parts}) > 1:
        raise UserError("the data holds texts and vectors; give one kind")
    if len({part.roles.several is None for part in parts}) > 1:
        raise UserError("the data holds single labels and several at once; give one kind")
    whole, several = all(part.labels for part in parts), any(part.sets for part in parts)
    return Examples(
        [t for p in parts for t in p.texts],
        [v for p in parts for v in p.vectors],
        [label for p in parts for label in p.labels if whole],
        [labels for p in parts for labels in p.each if whole and several],
        [w for p in parts for w in p.where],
        tuple(dict.fromkeys(fact for p in parts for fact in p.facts)),
        parts[-1].roles,
    )


def split(examples: Examples, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers for training and for validation: about `share` of each class, equal sequences
    on one side. Every class is there in training. Always the same for the same data.

    Of several labels at once the share is that of the rarest label of each sequence, among those
    that come often enough.
    """
    if share == 0:
        return np.arange(len(examples)), np.arange(0)
    each = examples.each
    often = Counter(label for labels in each for label in labels)

    def stratum(labels: Labels) -> str:
        if examples.roles.several is None:
            return labels[0]
        enough = [label for label in labels if often[label] >= STRATUM]
        return min(enough, key=lambda label: (often[label], label), default="")

    # In the order of their contents, so that it does not matter how the rows are sorted.
    kept: list[int] = []
    held: list[int] = []
    wanted, had, trained = defaultdict[str, float](float), Counter[str](), set[str]()
    for group in _alike(examples.contents()):
        strata = sorted(stratum(each[k]) for k in group)
        labels = {label for k in group for label in each[k]}
        for label in strata:
            wanted[label] += share
        if trained.issuperset(labels) and had[strata[0]] + 0.5 < wanted[strata[0]]:
            had.update(strata)
            held += group
        else:
            trained |= labels
            kept += group
    return np.sort(np.array(kept, dtype=np.int64)), np.sort(np.array(held, dtype=np.int64))


def _alike(contents: Sequence[bytes]) -> Iterator[list[int]]:
    """The numbers of equal digests, of 16 bytes each, in the order of these; in arrays, as of many
    millions lists would take more than the sequences do."""
    halves = np.frombuffer(b"".join(contents), dtype=">u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    fresh = np.any(halves[order][1:] != halves[order][:-1], axis=1)
    ends = np.append(np.flatnonzero(fresh) + 1, len(order)) if len(order) else order
    start = 0
    for end in ends.tolist():
        yield order[start:end].tolist()
        start = end
