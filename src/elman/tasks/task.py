"""What a task is: a table of functions, all that the rest asks of a kind of sequence problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TextIO, TypeAlias, TypeVar

from torch import Tensor, nn

from elman import decode, metrics
from elman.chance import Tally
from elman.data.batching import WHOLE, Share
from elman.data.doctor import Page
from elman.data.tables.content import BadRows
from elman.export.program import Export
from elman.metrics import Loss
from elman.metrics import Scores as Scores
from elman.tasks.adapting import Adapting
from elman.tasks.looking import Look
from elman.tasks.rivals import Rival

if TYPE_CHECKING:
    from elman.tasks.music.composing.place import Composer


class Dataset(Protocol):
    """What `read` gives, whatever else it holds."""

    def preprocessing(self) -> dict[str, Any]:
        """What turns raw input into tensors and back, as plain values."""


Options = TypeVar("Options")
Data = TypeVar("Data", bound=Dataset)
Batch = TypeVar("Batch")
One = TypeVar("One", covariant=True)  # one batch

State: TypeAlias = list[tuple[Tensor, ...]]  # one entry a layer
Carry: TypeAlias = State | None  # handed from one batch to the next
Cursor: TypeAlias = decode.Cursor[State]  # a place in a text
Kept: TypeAlias = Mapping[str, Any]  # what `preprocessing` gave, read back


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
    share: Share = WHOLE  # of each batch, that one process reads


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


def no_warning(dataset: Any, training: Any) -> str:
    """Nothing that is scored was trained on."""
    return ""


def no_sample(
    model: nn.Module, dataset: Any, options: Any, length: int, seed: int, device: str
) -> str:
    """Nothing to look at."""
    return ""


def no_remarks(
    model: nn.Module, dataset: Any, options: Any, device: str, sample: str, folder: Path
) -> list[str]:
    """Nothing more to say."""
    return []


def no_start(model: nn.Module, kept: Kept, options: Any, dataset: Any) -> None:
    """Weights start at random."""


def nothing_held_out(dataset: Any) -> None:
    """The validation part is what final scores are of."""


def losses_alike(options: Any) -> str:
    """The losses of training and validation are of the same kind."""
    return ""


def nothing_kept(dataset: Any, options: Any, folder: Path) -> None:
    """The run folder holds weights alone."""


def nothing_restored(model: nn.Module, options: Any, folder: Path) -> None:
    """Weights are all that a model needs."""


@dataclass(frozen=True)
class Task(Generic[Options, Data, Batch]):
    """A kind of sequence problem, as a table of what it does: `TASK` in the task.py of its folder.

    What has a default is for some tasks only; None is what a task cannot do. Functions are given
    `kept`, the preprocessing of a trained model, and raise UserError for damage in it, and for
    whatever is wrong with the user's data.
    """

    name: str

    built_in: tuple[str, ...]
    """The data that is used where none is given."""

    # ---- The data

    read: Callable[[Sequence[str], Options, float], Data]
    """`(data, options, validation)`: the data set, read and checked; so much of it validates."""

    unseen: Callable[[Sequence[str], Kept, BadRows], Data]
    """`(data, kept, bad)`: other data for a trained model; all is validation, but for what `bad`
    leaves out."""

    examine: Callable[[Data], Page]
    """What the data doctor says of it, for the user."""

    # ---- The training

    plan: Callable[[Data, Options, Budget], Plan[Options]]
    """The options with every choice made that the user left open."""

    build: Callable[[Kept, Options], nn.Module]
    """A new model, initialised from PyTorch's global generator."""

    epoch: Callable[[Data, Options, int, int, int], Epoch[Batch]]
    """`(dataset, options, batch_size, seed, epoch)`: the training batches of one epoch, the same
    for the same arguments."""

    loss: Callable[[nn.Module, Batch, Carry, str], tuple[Tensor, int, Carry]]
    """`(model, batch, carry, device)`: the summed loss of a batch, how many predictions it sums,
    and the state to carry on."""

    # ---- The scores

    validate: Callable[[nn.Module, Data, Options, str], Validation]
    """`(model, dataset, options, device)`: loss and scores over the validation part."""

    rivals: Callable[[Data, Options, Data], list[Rival]]
    """`(dataset, options, training)`: the simple things to beat, scored on the same part, in
    seconds all together. They learn from the training part of `training`, which may be the same
    data set. The first is the one that the training part chose, without a look at what is scored.
    """

    overlap: Callable[[Data, Data], str] = no_warning
    """`(dataset, training)`: a warning where some of what is scored was trained on."""

    held_out: Callable[[Data], Data | None] = nothing_held_out
    """The data set with a part that is kept from every choice in place of its validation part."""

    losses_apart: Callable[[Options], str] = losses_alike
    """Why training and validation loss do not compare; empty where they do."""

    # ---- The report

    sample: Callable[[nn.Module, Data, Options, int, int, str], str] = no_sample
    """`(model, dataset, options, length, seed, device)`: some of what the model makes."""

    remarks: Callable[[nn.Module, Data, Options, str, str, Path], list[str]] = no_remarks
    """`(model, dataset, options, device, sample, folder)`: what else a report should say, lines of
    Markdown; pictures that they show are drawn into `folder`."""

    look: Callable[[Data, Options, int, int], Look[Batch]] | None = None
    """`(dataset, options, size, seed)`: so many sequences of the validation part, and what people
    see of them, by which the inside of a network is looked at."""

    # ---- A trained model at work

    predict: (
        Callable[[nn.Module, Kept, Options, str, Sequence[str], TextIO, BadRows], None] | None
    ) = None
    """`(model, kept, options, device, data, out, bad)`: one row written to `out` for each row of
    `data`, in its own form where it is a table; `-` is read as a stream."""

    transcribe: Callable[[nn.Module, Kept, Any, int | None], Any] | None = None
    """`(model, kept, sound, rate)`: what is heard in a recording: a path, or samples of so many a
    second."""

    writer: Callable[[nn.Module, Kept, Options, str], Writer] | None = None
    """`(model, kept, options, device)`: the model as one that writes."""

    compose: Callable[[nn.Module, Kept, Options, str], Composer] | None = None
    """`(model, kept, options, device)`: the model as one that composes, by `COMPOSING` of its
    options.py, those options of `elman generate`."""

    decoded: Callable[[Any], Task[Options, Data, Batch]] | None = None
    """`(how)`: the task, so that it validates and predicts by `DECODING` of its options.py, those
    options of `elman evaluate` and `elman predict` by which answers are searched for."""

    adapted: Callable[[nn.Module, Data, Options, Data, str, Adapting], Scores] | None = None
    """`(model, dataset, options, training, device, how)`: further scores, of a copy of the model
    that goes on learning while it is scored."""

    export: Callable[[nn.Module, Kept, Options], Export] | None = None
    """`(model, kept, options)`: the model as a program that other software runs, with all that
    stands around it. UserError: some part of it cannot leave."""

    # ---- What a run keeps beside trained weights

    start: Callable[[nn.Module, Kept, Options, Data], None] = no_start
    """`(model, kept, options, dataset)`: puts weights that are not trained into a new model, one
    that no checkpoint will be loaded into."""

    calibrate: Callable[[nn.Module, Data, Options, str], None] | None = None
    """`(model, dataset, options, device)`: sets in a trained model how sure it is, by the
    validation part where there is one."""

    calibration: tuple[str, ...] = ()
    """What the names of the tensors begin with that `calibrate` sets, and nothing else."""

    keep: Callable[[Data, Options, Path], None] = nothing_kept
    """`(dataset, options, folder)`: writes what is no weight into the run folder before training,
    unless it is there already."""

    files: Mapping[str, str] = field(default_factory=dict)
    """The files that `keep` writes, by name, and what of the user's data is in each."""

    restore: Callable[[nn.Module, Options, Path], None] = nothing_restored
    """`(model, options, folder)`: gives it to a model of the run."""

    teaches_in_bf16: bool = True
    """Whether networks learn as well from products in bf16. Where answers are numbers to many
    digits they do not."""

    def scored(self, dataset: Data) -> Data:
        """The data set whose validation part the final scores of a run are of."""
        found = self.held_out(dataset)
        return dataset if found is None else found
