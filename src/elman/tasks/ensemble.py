"""Several networks that answer together: the average of what is likely to each (Lakshminarayanan et
al. 2016, arXiv:1612.01474)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elman.layers.recurrent import State

LEAST = 1e-30  # added to an average probability, so that it has a logarithm


def together(each: Sequence[Tensor]) -> Tensor:
    """The scores [..., C] by which a class is as likely as it is on average by each of these."""
    return torch.log(torch.stack([scores.softmax(-1) for scores in each]).mean(0) + LEAST)


def states(state: State | None, count: int) -> list[State | None]:
    """Of each of so many networks the states of its layers, which stand network after network; None
    of each where there are none."""
    if state is None:
        return [None] * count
    layers = len(state) // count
    return [state[k * layers : (k + 1) * layers] for k in range(count)]


def losses_apart(options: Any) -> str:
    """Why the losses of training and validation do not compare, where there are several."""
    if (options.members or 1) == 1:
        return ""
    return "in training each network answers alone, in validation all together"
