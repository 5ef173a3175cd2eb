"""A diagonal linear unit: each unit forgets at a rate that the input sets, but not too fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from elman.cells.cell import Cell, Note, Recurrence, ignore

if TYPE_CHECKING:
    from torch import Tensor

    from elman.cells.cell import State


@final
@dataclass(frozen=True)
class HGRN(Cell):
    """f = L + (1 - L) * sigmoid(W x + b),  c = silu(W x + b),  h = f * h + (1 - f) * c

    `L`, the least that is kept, makes some units forget fast and others remember: unit u keeps at
    least u / H. The paper learns it, growing from layer to layer; here it is a constant, spread
    over the units of each layer, as a cell has no parameters.
    """

    name = "hgrn"
    summary = "gated linear recurrence whose units keep at least 0, 1/H, 2/H and so on"
    source = (
        "Qin et al. 2023, arXiv:2311.04823, real-valued, with constant lower bounds, "
        "without output gate and norm"
    )
    states = ("h",)
    gates = ("f", "c")
    recurrent = False
    equations = """\
L = u / H for unit u = 0 … H - 1
f = L + (1 - L) * sigmoid(W_f x + b_f)
c = silu(W_c x + b_c)
h = f * h + (1 - f) * c"""

    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        (h,) = state
        Wf, Wc = Wx.chunk(2, -1)
        L = (Wf.new_ones(Wf.shape).cumsum(-1) - 1) / Wf.shape[-1]
        f = L + (1 - L) * Wf.sigmoid()
        c = Wc * Wc.sigmoid()
        h = f * h + (1 - f) * c
        note(L=L, f=f, c=c, h=h)
        return (h,)


CELLS: tuple[Cell, ...] = (HGRN(),)
