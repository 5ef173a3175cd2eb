"""Gated linear recurrences in PyTorch: a parallel scan in log space, over all steps at once.

Feng et al. 2024, arXiv:2410.01201, appendix B. It needs values above zero, which HGRN's are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.bench.peers.prepared import Prepared
from elman.bench.work import GATES, Work, numbers

START = 0.5  # the initial state of every unit: its logarithm is taken
EXACT = 512  # steps; sums of logarithms over more of them have too few digits left in float32


def scanning(work: Work, scan: Callable[[Tensor], Tensor]) -> Prepared:
    """`scan`, rows `Wx` [T*B, G*H] → y [T*B, H], forward and backward to Wx.

    With the variant "layer" from x [T*B, H] on, the products of W included.
    """
    given = numbers(work)
    x, dy = (torch.from_numpy(v).flatten(0, 1) for v in (given.x, given.dy))
    W = torch.from_numpy(given.weight_ih)
    inputs: list[Tensor]
    if work.variant == "layer":
        inputs = [x.requires_grad_(), W.requires_grad_()]
    else:
        inputs = [F.linear(x, W).requires_grad_()]

    def once() -> Sequence[Tensor]:
        y = scan(F.linear(x, W) if work.variant == "layer" else inputs[0])
        gradient, *_ = torch.autograd.grad(y, inputs, dy)
        return y.detach(), gradient

    return Prepared(once, comparable=work.T <= EXACT)


def in_log_space(cell: str, Wx: Tensor) -> Tensor:
    """h [T, B, H] for `Wx` [T, B, G*H], from `START`."""
    log_keep, log_enter, a = LOG_GATES[cell](Wx.chunk(GATES[cell], -1))
    log_next = torch.where(a >= 0, (a.relu() + 0.5).log(), F.logsigmoid(a))
    log_start = Wx.new_full((1, *a.shape[1:]), START).log()
    kept = F.pad(log_keep.cumsum(0), (0, 0, 0, 0, 1, 0))  # [1 + T, B, H]
    entered = torch.cat([log_start, log_enter + log_next])
    return (kept + (entered - kept).logcumsumexp(0)).exp()[1:]


def log_mingru(gates: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    Wz, Wn = gates
    return F.logsigmoid(-Wz), F.logsigmoid(Wz), Wn


def log_minlstm(gates: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    Wf, Wi, Wn = gates
    difference = F.softplus(-Wf) - F.softplus(-Wi)
    return -F.softplus(difference), -F.softplus(-difference), Wn


# log keep, log enter, and what g is taken of, each [T, B, H].
LOG_GATES = {"mingru": log_mingru, "minlstm": log_minlstm}

InLogSpace: TypeAlias = Callable[[str, Tensor], Tensor]


def prepare(work: Work, h: InLogSpace = in_log_space) -> Prepared | None:
    """By `in_log_space`, or what was compiled of it."""
    if work.cell not in LOG_GATES:
        return None

    def scan(Wx: Tensor) -> Tensor:
        return h(work.cell, Wx.view(work.T, work.B, -1)).flatten(0, 1)

    return scanning(work, scan)
