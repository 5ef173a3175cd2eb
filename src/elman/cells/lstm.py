"""Long short-term memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from elman.cells.cell import Cell, Note, Recurrence, ignore

if TYPE_CHECKING:
    from torch import Tensor

    from elman.cells.cell import State


@final
@dataclass(frozen=True)
class LSTM(Cell):
    """i, f, o = sigmoid(W x + b + R h),  g = tanh(…),  c = f * c + i * g,  h = o * tanh(c)"""

    name = "lstm"
    summary = "long short-term memory, with forget gate and without peepholes"
    source = (
        "Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate by Gers, "
        "Schmidhuber and Cummins 2000, doi:10.1162/089976600300015015"
    )
    states = ("h", "c")
    gates = ("i", "f", "g", "o")
    equations = """\
i = sigmoid(W_i x + b_i + R_i h)
f = sigmoid(W_f x + b_f + R_f h)
g = tanh(W_g x + b_g + R_g h)
o = sigmoid(W_o x + b_o + R_o h)
c = f * c + i * g
h = o * tanh(c)"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        h, c = state
        i, f, g, o = (Wx + R(h)).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        c = f * c + i * g
        h = o * c.tanh()
        note(i=i, f=f, g=g, o=o, c=c, h=h)
        return h, c


CELLS: tuple[Cell, ...] = (LSTM(),)
