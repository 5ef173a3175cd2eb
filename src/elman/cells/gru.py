"""Gated recurrent units: the reset gate acts after the recurrent product, or before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from elman.cells.cell import Cell, Note, Recurrence, ignore

if TYPE_CHECKING:
    from torch import Tensor

    from elman.cells.cell import State


@final
@dataclass(frozen=True)
class GRU(Cell):
    """r, z = sigmoid(W x + b + R h),  n = tanh(W x + b + r * R h),  h = (1 - z) * n + z * h"""

    name = "gru"
    summary = "gated recurrent unit, reset after the product, as PyTorch and cuDNN"
    source = "Cho et al. 2014, arXiv:1406.1078, in the variant with the reset after the product"
    states = ("h",)
    gates = ("r", "z", "n")
    equations = """\
r = sigmoid(W_r x + b_r + R_r h)
z = sigmoid(W_z x + b_z + R_z h)
Rn = R_n h
n = tanh(W_n x + b_n + r * Rn)
h = (1 - z) * n + z * h"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        Wr, Wz, Wn = Wx.chunk(3, -1)
        Rr, Rz, Rn = R(h).chunk(3, -1)
        r = (Wr + Rr).sigmoid()
        z = (Wz + Rz).sigmoid()
        n = (Wn + r * Rn).tanh()
        h = (1 - z) * n + z * h
        note(r=r, z=z, Rn=Rn, n=n, h=h)
        return (h,)


@final
@dataclass(frozen=True)
class GRUResetBefore(Cell):
    """r, z = sigmoid(W x + b + R h),  n = tanh(W x + b + R (r * h)),  h = (1 - z) * n + z * h"""

    name = "gru-reset-before"
    summary = "gated recurrent unit, reset before the product, as in the paper"
    source = "Cho et al. 2014, arXiv:1406.1078, equations 5 to 8"
    states = ("h",)
    gates = ("r", "z", "n")
    equations = """\
r = sigmoid(W_r x + b_r + R_r h)
z = sigmoid(W_z x + b_z + R_z h)
rh = r * h
n = tanh(W_n x + b_n + R_n rh)
h = (1 - z) * n + z * h"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        Wr, Wz, Wn = Wx.chunk(3, -1)
        Rr, Rz = R(h, "r", "z").chunk(2, -1)
        r = (Wr + Rr).sigmoid()
        z = (Wz + Rz).sigmoid()
        rh = r * h
        n = (Wn + R(rh, "n")).tanh()
        h = (1 - z) * n + z * h
        note(r=r, z=z, rh=rh, n=n, h=h)
        return (h,)


CELLS: tuple[Cell, ...] = (GRU(), GRUResetBefore())
