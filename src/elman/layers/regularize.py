"""What keeps a recurrent layer from learning by heart: locked dropout, zoneout, weight drop.

Every random draw comes from PyTorch's global generator, so that a resumed run repeats it exactly.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

LEVELS = 1 << 16  # numbers that 16 random bits may be


def bernoulli(like: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """1 with probability `p`, else 0, of the type of `like`.

    On a CPU four elements share a draw of 64 bits, so that the share of ones is `p` to within
    2^-17: `Tensor.bernoulli_` takes ten times as long, more than all else that is done with it.
    """
    level = round(p * LEVELS)
    if not like.is_cpu or level in (0, LEVELS):
        return like.new_empty(shape).bernoulli_(p)
    count = math.prod(shape)
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    ones = bits.view(torch.int16)[:count].view(shape) < level - LEVELS // 2
    return ones.to(like.dtype)


def dropout_mask(like: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """0 with probability `p`, else 1 / (1 - p): the expectation is 1."""
    if p >= 1:
        return like.new_zeros(shape)
    return bernoulli(like, shape, 1 - p).mul_(1 / (1 - p))


def dropout(x: Tensor, p: float, *, training: bool) -> Tensor:
    """`F.dropout` by faster draws: see `bernoulli`."""
    if not training or p == 0 or not x.is_cpu:
        return F.dropout(x, p, training)
    return x * dropout_mask(x, tuple(x.shape), p)


def locked_dropout(
    x: Tensor, p: float, *, training: bool, batch_sizes: Tensor | None = None
) -> Tensor:
    """Dropout with one mask for all time steps, drawn for each sequence and unit.

    `x` is [T, B, F], or packed rows [N, F] with their `batch_sizes` [T]; the result has its shape.
    `p` lies in [0, 1]. Source: Gal and Ghahramani 2016, arXiv:1512.05287; the name and the use
    between layers are those of Merity et al. 2018, arXiv:1708.02182.
    """
    if not training or p == 0:
        return x
    if batch_sizes is None:
        return x * dropout_mask(x, tuple(x.shape[1:]), p)
    sizes = batch_sizes.tolist()
    mask = dropout_mask(x, (sizes[0], x.shape[-1]), p)
    return x * torch.cat([mask[:n] for n in sizes])


def weight_drop(weight_hh: Tensor, p: float, *, training: bool) -> Tensor:
    """Dropout on the recurrent weights [G*H, H]: one draw for a whole pass over a sequence.

    Source: Merity et al. 2018, arXiv:1708.02182.
    """
    return dropout(weight_hh, p, training=training)


def zoneout_shares(
    like: Tensor, rows: int, hidden_size: int, states: int, p: float, *, training: bool
) -> tuple[Tensor, ...]:
    """For each state the share of its old value that a unit keeps: zoneout with `p` in [0, 1].

    While `training` each is 0 or 1, drawn for every row, [N, H]; otherwise their expectation,
    [1, H]. Source: Krueger et al. 2017, arXiv:1606.01305, with one `p` for all states.
    """
    if not training:
        return (like.new_full((1, hidden_size), p),) * states
    return tuple(bernoulli(like, (rows, hidden_size), p) for _ in range(states))
