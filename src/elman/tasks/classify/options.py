"""What a classifier is made of: how its data is read, the network, and what makes one vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from elman.data.tables.options import TableOptions
from elman.options import require, require_files, require_range
from elman.tasks.networks import FrontOptions, NetworkOptions

Scaling: TypeAlias = Literal["channel", "sequence"]


@dataclass(frozen=True)
class ClassifyOptions(NetworkOptions, FrontOptions, TableOptions):
    """Options of the task `classify`. Those left at None are chosen from the data and the time.

    Parameters
    ----------
    bidirectional
        Which layers read both ways, one for all or a list; of sequences of numbers all if not
        given, of texts none.
    text_column
        Column of the sequences, in tables, or several that are joined; guessed and told if not
        given.
    label_column
        Column of the classes, in tables, or several of 0 and 1, a label each; guessed and told if
        not given.
    multi_label
        Whether a sequence may have several labels at once (--multi-label=false: it has one); seen
        from the data if not given.
    scan
        What a step of an image is: a row, a column or a pixel.
    validation_data
        Data to validate on, instead of a share of DATA.
    folds
        Into how many parts few sequences are dealt, each scored by networks that have learnt from
        all others, which answer together later; 0 holds a share back instead. 5 where the share
        would be fewer than 30 sequences.
    scaling
        What numbers are scaled by: the mean and spread of each channel over the training part, or
        over each sequence by itself, which takes its level and size away; by the nearest neighbours
        in the training part if not given.
    level
        What a token of a text is; words if most texts have spaces, else characters.
    vocabulary
        Keep at most so many symbols, the most frequent; the rest become <unk>.
    lowercase
        Turn texts into lower case.
    longest
        Read at most so many steps of a sequence, from its start.
    embedding
        Width of the token embedding; 0 for one-hot input.
    vectors
        Word vectors to start from: a text file, a word and its numbers in each line.
    token_dropout
        Share of the tokens read as <unk> in training.
    pooling
        What makes one vector of all steps.
    bag
        What answers together with the network by what a text holds, whatever its order: a linear
        model on n-grams of words and letters, or naive Bayes by tokens, or by pairs of neighbours
        too (Wang and Manning 2012, "Baselines and Bigrams"); ngrams if not given.
    kernels
        Features of fixed convolutions from which a linear model answers together with the network
        (MiniRocket, arXiv:2012.08791); 0 for none. 5000 of sequences of numbers, if not images.
    members
        Networks trained side by side, of each fold where there are folds, whose probabilities are
        averaged (arXiv:1612.01474); as many as the time allows for few sequences of numbers.
    class_weights
        Let every class count alike in the loss, however rare; of several labels at once, let each
        count as much where it is as where it is not.
    label_smoothing
        Share of each label spread over all classes in training.
    jitter
        Noise added to numbers in training, in units of what they are scaled by.
    resizing
        By which factor a sequence's numbers are made larger or smaller in training: the spread of
        its logarithm.
    warping
        How unevenly time is made to pass in training: the spread of the logarithm of its speed.
    slicing
        Share of a sequence's ends that is left out at most in training.
    """

    # None is chosen by the plan, before any layer is made.
    bidirectional: tuple[bool, ...] | None = None  # type: ignore[assignment]

    text_column: tuple[str, ...] | None = None
    label_column: tuple[str, ...] | None = None
    multi_label: bool | None = None
    scan: Literal["rows", "columns", "pixels"] = "rows"
    validation_data: Path | None = None
    folds: int | None = None
    scaling: Scaling | None = None
    level: Literal["characters", "bytes", "words", "bpe"] | None = None
    vocabulary: int | None = None
    lowercase: bool = False
    longest: int = 2_000
    embedding: int | None = None
    vectors: Path | None = None
    token_dropout: float | None = None
    pooling: Literal["last", "mean", "max", "attention"] | None = None
    bag: Literal["none", "tokens", "pairs", "ngrams"] | None = None
    kernels: int | None = None
    members: int | None = None
    class_weights: bool = False
    label_smoothing: float | None = None
    jitter: float | None = None
    resizing: float | None = None
    warping: float | None = None
    slicing: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("vocabulary",), 2, 1_000_000)
        require_range(self, ("longest",), 1, 65_536)
        require_range(self, ("embedding",), 0, 16_384)
        require_range(self, ("members",), 1, 64)
        require_range(self, ("folds",), 0, 64)
        require(self, "folds", self.folds != 1, "0, or a value from 2")
        require_range(self, ("kernels",), 0, 50_000)
        require_range(self, ("token_dropout", "label_smoothing", "slicing"), 0, 1, open_end=True)
        require_range(self, ("jitter", "resizing", "warping"), 0, 10)
        require_files(self, ("validation_data", "vectors"))
        both = self.validation_data is not None and bool(self.folds)
        require(self, "folds", not both, "0 with --validation-data, which is scored in their place")
        self.check_front()
        for name in ("text_column", "label_column"):
            require(self, name, getattr(self, name) != (), "at least one name")
        self.check()


# What a search for settings varies where nothing is said.
SEARCHED = (
    "learning_rate",
    "batch_size",
    "hidden_size",
    "dropout",
    "cell",
    "token_dropout",
    "jitter",
    "warping",
)
