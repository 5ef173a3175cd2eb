"""One thing to be measured, as every peer gets it: sizes, and the same numbers for all.

Work("train", "lstm", H=256, B=64, T=64)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

GATES = {"lstm": 4, "gru": 3, "rnn": 1, "mingru": 2, "minlstm": 3, "hgrn": 2}
VOCABULARY = 65  # the characters of Tiny Shakespeare
PEAK_OPERATIONS = 1e9  # of one call of the kind "fma"
READ_BYTES = 1 << 28  # of one call of the kind "read", in as many passes as it takes


@dataclass(frozen=True)
class Work:
    """`kind` names what an adapter makes of it; the rest are sizes, 0 where they mean nothing."""

    kind: str
    cell: str = ""
    H: int = 0  # hidden size; the input is as wide
    B: int = 0  # rows of a batch
    T: int = 0  # time steps
    variant: str = ""

    @property
    def operations(self) -> float:
        """Floating point operations of a forward pass: two products of [B*T, H] with [H, G*H]."""
        return 2.0 * self.B * self.T * GATES[self.cell] * self.H * 2 * self.H


class Numbers(NamedTuple):
    """Weights in PyTorch's layout and order of gates; input and gradient of the output."""

    weight_ih: Array  # [G*H, H]
    weight_hh: Array  # [G*H, H]
    bias_ih: Array  # [G*H]
    bias_hh: Array  # [G*H]
    x: Array  # [T, B, H]
    dy: Array  # [T, B, H]


def numbers(work: Work) -> Numbers:
    """The same in every process."""
    draw, rows, bound = np.random.default_rng(0), GATES[work.cell] * work.H, work.H**-0.5

    def uniform(*shape: int) -> Array:
        return draw.uniform(-bound, bound, shape).astype(np.float32)

    def normal() -> Array:
        return draw.standard_normal((work.T, work.B, work.H), np.float32)

    weights = uniform(rows, work.H), uniform(rows, work.H), uniform(rows), uniform(rows)
    return Numbers(*weights, normal(), normal())


def lengths(work: Work) -> list[int]:
    """Steps of each sequence, uniform in 1..T, the longest first."""
    drawn = np.random.default_rng(1).integers(1, work.T, work.B, endpoint=True)
    return sorted(drawn.tolist(), reverse=True)


def tokens(work: Work) -> npt.NDArray[np.int64]:
    """[T, B] below `VOCABULARY`."""
    return np.random.default_rng(2).integers(0, VOCABULARY, (work.T, work.B))
