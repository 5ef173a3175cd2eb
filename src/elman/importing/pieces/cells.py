"""Cells with activations of one's own, which Keras allows; those with the usual ones are Elman's.

`of` chooses. The equations are those of `elman.cells`, with f for tanh and s for sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from elman import cells
from elman.cells.cell import Cell, Note, Recurrence, ignore
from elman.importing.pieces.activations import FUNCTIONS

if TYPE_CHECKING:
    from torch import Tensor

    from elman.cells.cell import State

SOURCE = "Keras, https://keras.io/api/layers/recurrent_layers/"


def of(kind: str, f: str, s: str) -> Cell:
    """The cell `kind` of `elman.cells` with these activations, which `FUNCTIONS` names."""
    if kind == "rnn" and f in ("tanh", "relu"):
        return cells.get("rnn" if f == "tanh" else "rnn-relu")
    if kind != "rnn" and (f, s) == ("tanh", "sigmoid"):
        return cells.get(kind)
    return OWN[kind](f, s)


@dataclass(frozen=True)
class Activated(Cell):
    """What these cells share: the names of their activations."""

    f: str
    s: str

    @property
    def summary(self) -> str:
        return f"{self.name} with the activations {self.f} and {self.s}"

    @property
    def source(self) -> str:
        return SOURCE

    def of_input(self, a: Tensor) -> Tensor:
        return FUNCTIONS[self.f](a)

    def of_gate(self, a: Tensor) -> Tensor:
        return FUNCTIONS[self.s](a)


@final
class ActivatedRNN(Activated):
    """h = f(W x + b + R h)"""

    name = "rnn"
    states = ("h",)
    gates = ("a",)
    equations = "h = f(W x + b + R h)"

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        return (self.of_input(Wx + R(h)),)


@final
class ActivatedLSTM(Activated):
    """i, f, o = s(W x + b + R h),  g = f(…),  c = f * c + i * g,  h = o * f(c)"""

    name = "lstm"
    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    equations = "c = s(a_f) * c + s(a_i) * f(a_g)\nh = s(a_o) * f(c)"

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        h, c = state
        i, f, g, o = (Wx + R(h)).chunk(4, -1)
        c = self.of_gate(f) * c + self.of_gate(i) * self.of_input(g)
        return self.of_gate(o) * self.of_input(c), c


@final
class ActivatedGRU(Activated):
    """r, z = s(W x + b + R h),  n = f(W x + b + r * R h),  h = (1 - z) * n + z * h"""

    name = "gru"
    states = ("h",)
    gates = ("r", "z", "n")
    equations = "n = f(W_n x + b_n + s(a_r) * R_n h)\nh = (1 - s(a_z)) * n + s(a_z) * h"

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        Wr, Wz, Wn = Wx.chunk(3, -1)
        Rr, Rz, Rn = R(h).chunk(3, -1)
        r, z = self.of_gate(Wr + Rr), self.of_gate(Wz + Rz)
        n = self.of_input(Wn + r * Rn)
        return ((1 - z) * n + z * h,)


@final
class ActivatedGRUResetBefore(Activated):
    """r, z = s(W x + b + R h),  n = f(W x + b + R (r * h)),  h = (1 - z) * n + z * h"""

    name = "gru-reset-before"
    states = ("h",)
    gates = ("r", "z", "n")
    equations = "n = f(W_n x + b_n + R_n (s(a_r) * h))\nh = (1 - s(a_z)) * n + s(a_z) * h"

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        Wr, Wz, Wn = Wx.chunk(3, -1)
        Rr, Rz = R(h, "r", "z").chunk(2, -1)
        r, z = self.of_gate(Wr + Rr), self.of_gate(Wz + Rz)
        n = self.of_input(Wn + R(r * h, "n"))
        return ((1 - z) * n + z * h,)


OWN: dict[str, type[Activated]] = {
    "rnn": ActivatedRNN,
    "lstm": ActivatedLSTM,
    "gru": ActivatedGRU,
    "gru-reset-before": ActivatedGRUResetBefore,
}
