"""What keeps a recurrent layer from learning by heart: locked dropout, zoneout, weight drop.

Every random draw comes from PyTorch's global generator, so that a resumed run repeats it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.cells.cell import Cell, Note, Recurrence, ignore


def dropout_mask(like: Tensor, shape: tuple[int, ...], p: float) -> Tensor:
    """0 with probability `p`, else 1 / (1 - p): the expectation is 1."""
    return F.dropout(like.new_ones(shape), p)


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
    return F.dropout(weight_hh, p, training)


@final
@dataclass(frozen=True)
class Zoneout(Cell):
    """A cell whose units each keep their old state with probability `p`, in [0, 1].

    While `training` the choice is drawn anew for each unit, state and step; otherwise a unit moves
    by its expectation. Source: Krueger et al. 2017, arXiv:1606.01305, with one `p` for all states.
    """

    cell: Cell
    p: float
    training: bool

    @property
    def name(self) -> str:
        return f"zoneout({self.cell.name})"

    @property
    def summary(self) -> str:
        return f"{self.cell.summary}, with zoneout"

    @property
    def source(self) -> str:
        return f"{self.cell.source}; zoneout by Krueger et al. 2017, arXiv:1606.01305"

    @property
    def states(self) -> tuple[str, ...]:
        return self.cell.states

    @property
    def gates(self) -> tuple[str, ...]:
        return self.cell.gates

    @property
    def recurrent(self) -> bool:
        return self.cell.recurrent

    @property
    def equations(self) -> str:
        kept = [f"{s} = old {s} with probability {self.p}, else {s}" for s in self.states]
        return "\n".join([self.cell.equations, *kept])

    def step(
        self, Wx: Tensor, state: tuple[Tensor, ...], R: Recurrence, note: Note = ignore
    ) -> tuple[Tensor, ...]:
        moved = self.cell.step(Wx, state, R, note)
        kept = tuple(self._keep(old, new) for old, new in zip(state, moved, strict=True))
        note(**dict(zip(self.states, kept, strict=True)))
        return kept

    def _keep(self, old: Tensor, new: Tensor) -> Tensor:
        if not self.training:
            return new.lerp(old, self.p)
        return torch.where(torch.rand_like(new) < self.p, old, new)
