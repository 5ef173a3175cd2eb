"""The simple recurrent network of Elman."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from elman.cells.cell import Cell, Note, Recurrence, ignore

if TYPE_CHECKING:
    from torch import Tensor

    from elman.cells.cell import State


@final
@dataclass(frozen=True)
class RNN(Cell):
    """a = W x + b + R h,  h = tanh(a)"""

    name = "rnn"
    summary = "Elman's simple recurrent network, with tanh"
    source = "Elman 1990, doi:10.1207/s15516709cog1402_1"
    states = ("h",)
    gates = ("a",)
    equations = """\
a = W x + b + R h
h = tanh(a)"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        a = Wx + R(h)
        h = a.tanh()
        note(a=a, h=h)
        return (h,)


@final
@dataclass(frozen=True)
class ReluRNN(Cell):
    """a = W x + b + R h,  h = max(0, a)"""

    name = "rnn-relu"
    summary = "simple recurrent network with rectified units"
    source = "Le, Jaitly and Hinton 2015, arXiv:1504.00941, without their identity initialisation"
    states = ("h",)
    gates = ("a",)
    equations = """\
a = W x + b + R h
h = relu(a)"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        a = Wx + R(h)
        h = a.relu()
        note(a=a, h=h)
        return (h,)


CELLS: tuple[Cell, ...] = (RNN(), ReluRNN())
