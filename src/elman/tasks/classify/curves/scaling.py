"""What sequences of numbers are scaled by, found by what tells the training sequences apart.

Recordings of one thing by several devices differ in level and size, which then say nothing; where
these tell the classes apart, scaling each sequence by itself would take away what is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from elman.tasks.classify.curves.kernels import Kernels, features_of, shape_of
from elman.tasks.classify.curves.ridge import left_out
from elman.tasks.classify.options import Scaling

Vectors = NDArray[np.float32]
Ints = NDArray[np.int64]

LOOKED_AT = 300  # sequences, evenly spread
STEPS = 300_000  # of them together
FEATURES = 1_000
ALIKE = 0.05  # largest difference of values that both scalings make alike
FLAT = 1e-6  # spread below which values are all alike


@dataclass(frozen=True)
class Found:
    """A scaling and, where there was something to choose, which share of the training sequences is
    told from all others under each."""

    scaling: Scaling
    channel: float | None = None
    sequence: float | None = None

    @property
    def told(self) -> str:
        """In words; empty where nothing was to be chosen."""
        if self.channel is None or self.sequence is None:
            return ""
        alone, kept = f"{self.sequence:.0%}", f"{self.channel:.0%}"
        if alone == kept:
            what = "level and size are kept"
            if self.scaling == "sequence":
                what = "each sequence is scaled by itself"
            return (
                f"{what}: of fixed convolutions a linear model tells {kept} from the other "
                "sequences either way, and so more surely"
            )
        if self.scaling == "sequence":
            return (
                f"each sequence is scaled by itself: of fixed convolutions a linear model then "
                f"tells {alone} from the other sequences, and {kept} where level and size are kept"
            )
        return (
            f"level and size are kept: of fixed convolutions a linear model then tells {kept} from "
            f"the other sequences, and {alone} where each sequence is scaled by itself"
        )


def by_itself(sequence: Vectors) -> Vectors:
    """A sequence [T, I], each channel less its mean, over its standard deviation unless flat."""
    whole = sequence.astype(np.float64)
    spread = whole.std(0)
    scaled: Vectors = ((whole - whole.mean(0)) / np.where(spread < FLAT, 1.0, spread)).astype(
        np.float32
    )
    return scaled


def find(
    sequences: Sequence[Vectors], targets: Ints, classes: int, longest: int | None = None
) -> Found:
    """The scaling under which more sequences, cut to the `longest` steps that are read, are told
    from all others, by a linear model on fixed convolutions; if as many, that of the smaller error;
    by channel where every sequence is scaled by itself already. `targets` are class numbers [N], or
    0 and 1 [N, C] of several labels at once."""
    steps = sum(min(len(s), longest or len(s)) for s in sequences)
    length = max(1, steps // len(sequences))
    most = max(3, min(LOOKED_AT, STEPS // length))
    chosen = np.unique(np.linspace(0, len(sequences) - 1, most).astype(int))
    taken, own = [sequences[k][:longest] for k in chosen], targets[chosen]
    alone = [by_itself(s) for s in taken]
    rows = np.concatenate(taken).astype(np.float64)
    mean, spread = rows.mean(0), rows.std(0)
    spread[spread < FLAT] = 1.0
    kept = [((s - mean) / spread).astype(np.float32) for s in taken]
    apart = max(float(np.abs(a - k).max()) for a, k in zip(alone, kept, strict=True))
    if apart < ALIKE or len(taken) < 3 or (own == own[0]).all():
        return Found("channel")
    (channel, error), (sequence, other) = (_told(s, own, classes) for s in (kept, alone))
    better = (sequence, -other) > (channel, -error)
    return Found("sequence" if better else "channel", channel, sequence)


def _told(sequences: Sequence[Vectors], targets: Ints, classes: int) -> tuple[float, float]:
    """The share of sequences that are told from all others, and the mean squared error."""
    steps = int(np.median([len(s) for s in sequences]))
    made = Kernels(shape_of(sequences[0].shape[1], steps, FEATURES))
    made.fit(sequences, np.random.default_rng(0))
    scores = left_out(features_of(made, sequences), targets, classes)
    if targets.ndim == 2:
        truth, right = targets > 0, ((scores > 0) == (targets > 0)).all(1)
    else:
        truth, right = np.eye(classes)[targets] > 0, scores.argmax(1) == targets
    return float(right.mean()), float(((np.tanh(scores) - np.where(truth, 1, -1)) ** 2).mean())
