"""What a cell is: its equations, the names of its gates and states, and one step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:  # a cell only calls methods of the tensors that it is given
    from torch import Tensor

    State: TypeAlias = tuple[Tensor, ...]


class Recurrence(Protocol):
    """`R`: the recurrent product of a layer, its bias, masks and normalisation included."""

    def __call__(self, h: Tensor, *gates: str) -> Tensor:
        """`h` [B, H] → [B, G*H]: every gate, or those named, in the order named."""


class Note(Protocol):
    """Receives every intermediate of a step by the name that it bears in `equations`."""

    def __call__(self, **intermediates: Tensor) -> None: ...


def ignore(**intermediates: Tensor) -> None:
    """The note that nobody reads."""


class Cell(ABC):
    """One step of a recurrent network, without parameters and without sequences.

    `W x + b` is made by the layer for the whole sequence, before the first step; in `equations` it
    stands gate by gate: `W_i x + b_i`. There `R_i h` includes the recurrent bias, if there is one,
    and a state on the right of `=` is that of the step before.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The name by which commands and layers ask for the cell, as `"lstm"`."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """One line for the list of cells."""

    @property
    @abstractmethod
    def source(self) -> str:
        """Authors, year, arXiv number or DOI, and which variant this is."""

    @property
    @abstractmethod
    def states(self) -> tuple[str, ...]:
        """The names of the states [B, H]; the first is the output."""

    @property
    @abstractmethod
    def gates(self) -> tuple[str, ...]:
        """The names of the gates, in the order of their rows in the weights."""

    @property
    def recurrent(self) -> bool:
        """Whether there is a `weight_hh`. A cell without one must not call `R`."""
        return True

    @property
    @abstractmethod
    def equations(self) -> str:
        """One line `name = formula` for each intermediate, in order, in the letters of `step`."""

    @abstractmethod
    def step(self, Wx: Tensor, state: State, R: Recurrence, note: Note = ignore) -> State:
        """`Wx` [B, G*H] and one [B, H] for each state → the next states, each [B, H]."""
