"""What a regression is made of: how its data is read, the network, its start and its loss."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elman.data.tables.options import TableOptions
from elman.data.trajectories.roles import Columns
from elman.options import require, require_files, require_range
from elman.tasks.networks import StackOptions


@dataclass(frozen=True)
class RegressOptions(StackOptions, Columns, TableOptions):
    """Options of the task `regress`. Those left at None are chosen from the data and the time.

    Parameters
    ----------
    cell
        Cell of each layer, one for all or a list: gru, or rnn,rnn,gru. See elman cells.
    skip_bad_rows
        Leave out sequences with rows that cannot be read, and count them.
    validation_data
        Data to validate on, instead of a share of the sequences.
    cut
        Cut sequences into parts of so many steps, each begun anew. Of a single sequence, the last
        parts are for validation.
    initial_state
        Start sequences from zeros, from a learned state, from one given in the data (as it is,
        where it is as wide as all states together, else by a linear map), or from one encoded from
        static columns. Given or encoded where there are such columns, else zero.
    loss
        What training makes small: squared, absolute or Huber's error of the scaled targets.
    feedback
        Read the targets of the step before, too: the true ones in training, in use its own.
    feedback_noise
        Noise on the targets fed back in training, in standard deviations: so the network learns to
        mend its own errors.
    pooling
        What makes one vector of all steps, where one value a sequence is told.
    linear
        Begin from the best linear answer, of which the layers learn what is left. Where folds of
        the training part say that it leaves little over or nothing but noise, if not said.
    members
        Networks trained side by side, whose answers are averaged.
    folds
        Validate on all sequences, each told by the networks that have not seen it: so many parts,
        a network for each at least; 0 to hold a share back. 5 where there are few sequences, if
        not said.
    """

    cell: tuple[str, ...] = ("gru",)
    validation_data: Path | None = None
    cut: int | None = None
    initial_state: Literal["zero", "given", "learned", "encoded"] | None = None
    loss: Literal["mse", "mae", "huber"] = "mse"
    feedback: bool = False
    feedback_noise: float = 0.0
    pooling: Literal["last", "mean", "max", "attention"] = "last"
    linear: bool | None = None
    members: int = 1
    folds: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("cut",), 1, 65_536)
        require_range(self, ("feedback_noise",), 0, 1_000)
        require_range(self, ("members",), 1, 64)
        require_range(self, ("folds",), 0, 64)
        require(self, "folds", self.folds != 1, "0, or 2 at least")
        apart = not self.folds or self.validation_data is None
        require(self, "folds", apart, "no --validation-data beside it")
        noisy = self.feedback_noise > 0
        require(self, "feedback_noise", self.feedback or not noisy, "--feedback beside it")
        both_ways = self.feedback and any(self.bidirectional)
        require(self, "bidirectional", not both_ways, "layers of one direction with --feedback")
        require_files(self, ("validation_data",))
        self.check()


# What a search for settings varies where nothing is said.
SEARCHED = ("learning_rate", "batch_size", "hidden_size", "num_layers", "dropout", "cell")
