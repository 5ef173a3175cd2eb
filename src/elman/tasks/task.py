"""What a task is: everything about a kind of sequence problem that the training loop asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    ClassVar,
    Generic,
    Protocol,
    TextIO,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

from torch import Tensor, nn

from elman import decode, metrics
from elman.chance import Tally
from elman.data.doctor import Page
from elman.data.tables.content import BadRows
from elman.metrics import Loss
from elman.metrics import Scores as Scores
from elman.tasks.adapting import Adapting
from elman.tasks.decoding import Decoding
from elman.tasks.rivals import Rival

Options = TypeVar("Options")
Data = TypeVar("Data")  # what `read` gives
Batch = TypeVar("Batch")
One = TypeVar("One", covariant=True)  # one batch

State: TypeAlias = list[tuple[Tensor, ...]]  # one entry a layer
Carry: TypeAlias = State | None  # handed from one batch to the next
Cursor: TypeAlias = decode.Cursor[State]  # a place in a text


class Epoch(Protocol[One]):
    """The batches of one epoch, in order, each by its number."""

    def __len__(self) -> int: ...
    def __getitem__(self, k: int) -> One: ...


@dataclass(frozen=True)
class Validation:
    """How a model did on the validation part: its loss, and what users of the task know it by.

    Of two models the one with the smaller loss is better or, `by_score`, the one with the better
    first score, and of equally good ones the one with the smaller loss. A classifier's accuracy may
    go on rising while its loss rises too, as it grows too sure of its mistakes.
    """

    loss: Loss
    scores: Scores
    by_score: bool = False
    counted: str = ""  # how scores were counted, where there are several ways
    tally: Tally | None = field(default=None, compare=False)  # of the first score

    def rank(self) -> tuple[float, ...]:
        """The smaller the better."""
        if not self.by_score:
            return (self.loss.mean,)
        name, value = next(iter(self.scores.items()))
        return (-value if name in metrics.HIGHER else value, self.loss.mean)


@dataclass(frozen=True)
class Budget:
    """What a plan may count on: either seconds or epochs, what the user has fixed, the device."""

    seconds: float | None
    epochs: int | None
    batch_size: int | None
    learning_rate: float | None
    device: str


@dataclass(frozen=True)
class Plan(Generic[Options]):
    """The options that a plan settled, and why, in a sentence for the user.

    `passes`, of a training counted in minutes, are those after which the learning rate has fallen
    for the first time: as many as data of this size wants. With None it falls once, with the time.
    `dataset` is the data as the settled options read it, where that is not how it was planned on.
    """

    options: Options
    batch_size: int
    learning_rate: float
    why: str
    passes: int | None = None
    dataset: Any = None


class Task(ABC, Generic[Options, Data, Batch]):
    """A kind of sequence problem. One subclass a folder of `tasks/`: `TASK` in task.py."""

    name: ClassVar[str]
    built_in: ClassVar[tuple[str, ...]]  # data used where none is given

    @abstractmethod
    def read(self, data: Sequence[str], options: Options, validation: float) -> Data:
        """The data set, read and checked. Raises UserError for anything wrong with it."""

    @abstractmethod
    def unseen(self, data: Sequence[str], preprocessing: Mapping[str, Any], bad: BadRows) -> Data:
        """Other data for a trained model: all is validation, but for what `bad` leaves out."""

    @abstractmethod
    def preprocessing(self, dataset: Data) -> dict[str, Any]:
        """What turns raw input into tensors and back, as plain values."""

    @abstractmethod
    def examine(self, dataset: Data) -> Page:
        """What the data doctor says of the data set, for the user."""

    @abstractmethod
    def plan(self, dataset: Data, options: Options, budget: Budget) -> Plan[Options]:
        """The options with every choice made that the user left open."""

    @abstractmethod
    def build(self, preprocessing: Mapping[str, Any], options: Options) -> nn.Module:
        """A new model, initialised from PyTorch's global generator."""

    @abstractmethod
    def epoch(
        self, dataset: Data, options: Options, batch_size: int, seed: int, epoch: int
    ) -> Epoch[Batch]:
        """The training batches of one epoch; the same for the same arguments."""

    @abstractmethod
    def loss(
        self, model: nn.Module, batch: Batch, carry: Carry, device: str
    ) -> tuple[Tensor, int, Carry]:
        """The summed loss of a batch, how many predictions it sums, and the state to carry on."""

    @abstractmethod
    def validate(
        self, model: nn.Module, dataset: Data, options: Options, device: str
    ) -> Validation:
        """Loss and scores over the validation part of the data."""

    @abstractmethod
    def rivals(self, dataset: Data, options: Options, training: Data) -> list[Rival]:
        """The simple things to beat, scored on the same validation part, in seconds all together.

        They learn from the training part of `training`, which may be the same data set. The first
        is the one that the training part chose, without a look at what is scored.
        """

    def overlap(self, dataset: Data, training: Data) -> str:
        """A warning where some of what is scored was trained on; empty where nothing was."""
        return ""

    @abstractmethod
    def sample(
        self, model: nn.Module, dataset: Data, options: Options, length: int, seed: int, device: str
    ) -> str:
        """A sample of what the model makes, for people to look at; empty where there is none."""

    @abstractmethod
    def remarks(
        self, model: nn.Module, dataset: Data, options: Options, device: str, sample: str,
        folder: Path,
    ) -> list[str]:  # fmt: skip
        """What else a report should say of the model, the data and the last sample.

        Each is a line of Markdown; pictures that they show are drawn into `folder`.
        """


class Writer(Protocol):
    """A trained model that writes."""

    def read(self, prompt: str, after: Cursor | None = None) -> Cursor:
        """The place after `prompt`, going on from `after`."""

    def write(
        self, cursor: Cursor, length: int, sampling: decode.Sampling, weights: decode.Weights
    ) -> Iterator[tuple[str, Cursor]]:
        """`length` tokens from `cursor`, piece by piece, each with the place after it.

        `weights` is how the model's weights are stored meanwhile.
        """

    def unknown(self, text: str) -> list[str]:
        """The symbols of a text that the model does not know."""


@runtime_checkable
class Writes(Protocol):
    """What a task has, beyond `Task`, whose models write."""

    def writer(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: Any, device: str
    ) -> Writer: ...


@runtime_checkable
class Predicts(Protocol):
    """What a task has, beyond `Task`, whose models answer row by row."""

    def predict(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: Any, device: str,
        data: Sequence[str], out: TextIO, bad: BadRows,
    ) -> None:  # fmt: skip
        """One row written to `out` for each row of `data`, in its own form where it is a table.

        `-` is read as a stream. UserError as in `read`, for what is not left out by `bad`.
        """


@runtime_checkable
class Starts(Protocol):
    """What a task has, beyond `Task`, whose models may start from weights that are not trained."""

    def start(
        self, model: nn.Module, preprocessing: Mapping[str, Any], options: Any, dataset: Any
    ) -> None:
        """Puts them into a new model, one that no checkpoint will be loaded into."""


@runtime_checkable
class HoldsOut(Protocol):
    """What a task has, beyond `Task`, that can keep a part of the data from every choice."""

    def held_out(self, dataset: Any) -> Any | None:
        """The data set with the part held out in place of its validation part; None without one."""


@runtime_checkable
class Decodes(Protocol):
    """What a task has, beyond `Task`, whose models answer with sentences that are searched for."""

    def decoded(self, how: Decoding) -> Task[Any, Any, Any]:
        """The task, so that it validates and predicts by this decoding."""


@runtime_checkable
class Adapts(Protocol):
    """What a task has, beyond `Task`, whose models can go on learning while they are scored."""

    def adapted(
        self, model: nn.Module, dataset: Any, options: Any, training: Any, device: str,
        how: Adapting,
    ) -> Scores:  # fmt: skip
        """The further scores of a copy of the model that adapts; the model stays as it is."""


@runtime_checkable
class Keeps(Protocol):
    """What a task has, beyond `Task`, whose runs keep more than weights."""

    def keep(self, dataset: Any, options: Any, folder: Path) -> None:
        """Writes it into the run folder before training, unless it is there already."""

    def restore(self, model: nn.Module, options: Any, folder: Path) -> None:
        """Gives it to a model of the run. UserError where it is missing or damaged."""


@runtime_checkable
class Calibrates(Protocol):
    """What a task has, beyond `Task`, whose models say how sure they are."""

    calibration: ClassVar[str]
    """What the names of the tensors begin with that are set by it, and by nothing else."""

    def calibrate(self, model: nn.Module, dataset: Any, options: Any, device: str) -> None:
        """Sets them in a trained model, by the validation part where there is one."""


@runtime_checkable
class TrainsOtherwise(Protocol):
    """What a task has, beyond `Task`, whose training loss may not be of what is validated."""

    def losses_apart(self, options: Any) -> str:
        """Why training and validation loss do not compare; empty where they do."""


def losses_apart(task: Task[Any, Any, Any], options: Any) -> str:
    """Why the losses of training and validation do not compare; empty where they do."""
    return task.losses_apart(options) if isinstance(task, TrainsOtherwise) else ""


def scored(task: Task[Any, Data, Any], dataset: Data) -> Data:
    """The data set whose validation part the final scores of a run are of."""
    found: Data | None = task.held_out(dataset) if isinstance(task, HoldsOut) else None
    return dataset if found is None else found
