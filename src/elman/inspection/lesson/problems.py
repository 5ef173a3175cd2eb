"""Two problems that ask for memory over as many steps as one likes.

The adding problem (Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735): numbers in
[0, 1], two of them marked; the sum of these two is asked at the end.

The copy task (Arjovsky, Shah and Bengio 2016, arXiv:1511.06464): a few symbols, then blanks, then
as many signs to go on, at each of which one of the symbols is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

COPIED, SYMBOLS = 5, 8  # symbols to copy, and how many different ones there are
BLANK, GO = SYMBOLS, SYMBOLS + 1
FEWEST_STEPS = 2 * COPIED + 2


@dataclass(frozen=True)
class Problem:
    """`draw(batch, steps, generator)` gives inputs [T, B, I] and what is asked; `loss(outputs,
    asked)` is the summed loss of outputs [T, B, O], `count(asked)` over how many answers."""

    name: str
    inputs: int
    outputs: int
    unit: str  # of the loss
    guess: float  # the loss of an answer that knows nothing
    draw: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    loss: Callable[[Tensor, Tensor], Tensor]
    count: Callable[[Tensor], int]


def _adding(batch: int, steps: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    values = torch.rand(steps, batch, generator=draw)
    half = steps // 2
    marks = torch.zeros(steps, batch)
    rows = torch.arange(batch)
    marks[torch.randint(0, half, (batch,), generator=draw), rows] = 1
    marks[torch.randint(half, steps, (batch,), generator=draw), rows] = 1
    return torch.stack([values, marks], -1), (values * marks).sum(0)


def _adding_loss(outputs: Tensor, asked: Tensor) -> Tensor:
    return ((outputs[-1, :, 0] - asked) ** 2).sum()


def _copy(batch: int, steps: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    symbols = torch.randint(0, SYMBOLS, (COPIED, batch), generator=draw)
    read = torch.full((steps, batch), BLANK)
    read[:COPIED], read[-COPIED:] = symbols, GO
    return F.one_hot(read, SYMBOLS + 2).float(), symbols


def _copy_loss(outputs: Tensor, asked: Tensor) -> Tensor:
    told = outputs[-COPIED:].flatten(0, 1)
    return F.cross_entropy(told, asked.flatten(), reduction="sum")


# Two numbers that are even on [0, 1] have a variance of 1/12 each.
ADDING = Problem("adding", 2, 1, "squared error", 1 / 6, _adding, _adding_loss, len)
COPYING = Problem(
    "copy", SYMBOLS + 2, SYMBOLS, "nats", math.log(SYMBOLS), _copy, _copy_loss, torch.Tensor.numel
)
PROBLEMS = (ADDING, COPYING)
