"""Minimal gated units: the gates see the input alone, so there is no recurrent product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from elman.cells.cell import Cell, Note, Recurrence, ignore

if TYPE_CHECKING:
    from torch import Tensor

    from elman.cells.cell import State

SOURCE = "Feng et al. 2024, arXiv:2410.01201, with g(a) = a + 0.5 if a >= 0 else sigmoid(a)"


@final
@dataclass(frozen=True)
class MinGRU(Cell):
    """z = sigmoid(W x + b),  n = g(W x + b),  h = (1 - z) * h + z * n

    `n` is the paper's h with a tilde; as there, `z` opens to what is new, unlike the GRU's.
    """

    name = "mingru"
    summary = "minimal GRU: an update gate that sees the input alone"
    source = SOURCE
    states = ("h",)
    gates = ("z", "n")
    recurrent = False
    equations = """\
z = sigmoid(W_z x + b_z)
n = g(W_n x + b_n)
h = (1 - z) * h + z * n"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        Wz, Wn = Wx.chunk(2, -1)
        z = Wz.sigmoid()
        n = g(Wn)
        h = (1 - z) * h + z * n
        note(z=z, n=n, h=h)
        return (h,)


@final
@dataclass(frozen=True)
class MinLSTM(Cell):
    """f, i = sigmoid(W x + b), scaled to the sum 1,  n = g(W x + b),  h = f * h + i * n

    `n` is the paper's h with a tilde, `F` and `I` its f and i with a prime.
    """

    name = "minlstm"
    summary = "minimal LSTM: forget and input gate see the input alone and sum to one"
    source = SOURCE
    states = ("h",)
    gates = ("f", "i", "n")
    recurrent = False
    equations = """\
f = sigmoid(W_f x + b_f)
i = sigmoid(W_i x + b_i)
n = g(W_n x + b_n)
F = f / (f + i)
I = i / (f + i)
h = F * h + I * n"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        Wf, Wi, Wn = Wx.chunk(3, -1)
        f, i, n = Wf.sigmoid(), Wi.sigmoid(), g(Wn)
        # f / (f + i) is 0 / 0 once both gates underflow; sigmoid(log f - log i) never is.
        zero = Wx.new_zeros(())
        log_ratio = (-Wi).logaddexp(zero) - (-Wf).logaddexp(zero)
        F, I = log_ratio.sigmoid(), (-log_ratio).sigmoid()  # noqa: E741  the paper's letters
        h = F * h + I * n
        note(f=f, i=i, n=n, F=F, I=I, h=h)
        return (h,)


def g(a: Tensor) -> Tensor:
    """A continuous activation that is always positive, as in the paper."""
    return (a + 0.5).where(a >= 0, a.sigmoid())


CELLS: tuple[Cell, ...] = (MinGRU(), MinLSTM())
