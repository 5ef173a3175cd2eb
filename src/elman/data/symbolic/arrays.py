"""Notes as arrays, since pieces have many."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic.piece import Note

Ints = NDArray[np.int64]
FIELDS = len(Note._fields)


def table(notes: Iterable[Note]) -> Ints:
    """Start, length, pitch and velocity of every note [N, 4]."""
    return np.fromiter(chain.from_iterable(notes), np.int64).reshape(-1, FIELDS)


def notes(rows: Ints) -> tuple[Note, ...]:
    """The notes of a table [N, 4]."""
    return tuple(map(partial(tuple.__new__, Note), rows.tolist()))
