"""Folds: which of several parts a sequence is in, where a tenth would be too few to choose by."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def drawn(
    digests: Sequence[bytes], folds: int, groups: Sequence[Hashable] | None = None
) -> NDArray[np.int64]:
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
