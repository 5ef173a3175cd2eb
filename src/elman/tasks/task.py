"""What a task is: everything about a kind of sequence problem that the training loop asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from torch import Tensor, nn

from elman.metrics import Loss

O = TypeVar("O")  # the task's options
D = TypeVar("D")  # what `read` gives
B = TypeVar("B")  # one batch

Carry = list[tuple[Tensor, ...]] | None  # state handed from one batch to the next
Scores = dict[str, float]


class Epoch(Protocol[B]):
    """The batches of one epoch, in order, each by its number."""

    def __len__(self) -> int: ...
    def __getitem__(self, k: int) -> B: ...


@dataclass(frozen=True)
class Budget:
    """What a plan may count on: either seconds or epochs, and the batch size if it is given."""

    seconds: float | None
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None


@dataclass(frozen=True)
class Plan(Generic[O]):
    """The options that a plan settled, and why, in a sentence for the user."""

    options: O
    batch_size: int
    learning_rate: float
    why: str


class Task(ABC, Generic[O, D, B]):
    """A kind of sequence problem. One subclass a folder of `tasks/`, named `TASK` in its task.py."""

    name: ClassVar[str]
    summary: ClassVar[str]
    built_in: ClassVar[tuple[str, ...]]  # data used where none is given

    @abstractmethod
    def read(self, data: Sequence[str], options: O, validation: float) -> D:
        """The data set, read and checked. Raises UserError for anything wrong with it."""

    @abstractmethod
    def unseen(self, data: Sequence[str], preprocessing: Mapping[str, Any]) -> D:
        """Other data for a trained model: all of it is validation."""

    @abstractmethod
    def stored(self, dataset: D, data: Sequence[str]) -> tuple[list[str], dict[str, Path]]:
        """The data items as a run remembers them: `name:…`, an absolute path, or, for what cannot
        be read again, the name of a copy in the run folder; and those copies' present places."""

    @abstractmethod
    def stem(self, data: Sequence[str]) -> str:
        """A name for a run on this data."""

    @abstractmethod
    def preprocessing(self, dataset: D) -> dict[str, Any]:
        """What turns raw input into tensors and back, as plain values."""

    @abstractmethod
    def describe(self, dataset: D) -> str:
        """The data set in one line, for the user."""

    @abstractmethod
    def plan(self, dataset: D, options: O, budget: Budget) -> Plan[O]:
        """The options with every choice made that the user left open."""

    @abstractmethod
    def build(self, preprocessing: Mapping[str, Any], options: O) -> nn.Module:
        """A new model, initialised from PyTorch's global generator."""

    @abstractmethod
    def epoch(self, dataset: D, options: O, batch_size: int, seed: int, epoch: int) -> Epoch[B]:
        """The training batches of one epoch; the same for the same arguments."""

    @abstractmethod
    def loss(
        self, model: nn.Module, batch: B, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        """The summed loss of a batch, how many predictions it sums, and the state to carry on."""

    @abstractmethod
    def validate(self, model: nn.Module, dataset: D, options: O, device: str) -> Loss:
        """The loss over the validation part of the data."""

    @abstractmethod
    def scores(self, dataset: D, loss: Loss) -> Scores:
        """A loss over the validation part in the units that users of this task know."""

    @abstractmethod
    def baseline(
        self, dataset: D, options: O, training: D | None = None
    ) -> tuple[str, Scores]:
        """What the compulsory baseline is, and its scores on the same validation part.

        `training` is what it learns from, where that is not the same data set.
        """

    @abstractmethod
    def sample(
        self, model: nn.Module, dataset: D, options: O, length: int, seed: int, device: str
    ) -> str:
        """A sample of what the model makes, for people to look at; empty where there is none."""

    @abstractmethod
    def remarks(self, dataset: D, sample: str) -> list[str]:
        """What else a report should say of the data and of the sample, each a line of Markdown."""

