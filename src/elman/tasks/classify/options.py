"""What a classifier is made of: how its data is read, the network, and what makes one vector."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elman.data.tables.options import TableOptions
from elman.options import require, require_files, require_range
from elman.tasks.networks import NetworkOptions


@dataclass(frozen=True)
class ClassifyOptions(NetworkOptions, TableOptions):
    """Options of the task `classify`. Those left at None are chosen from the data and the time.

    Parameters
    ----------
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
        Naive Bayes that answers together with the network: by the tokens that a text holds, or by
        pairs of neighbours too (Wang and Manning 2012, "Baselines and Bigrams"); pairs for words.
    members
        Networks trained side by side, whose probabilities are averaged (arXiv:1612.01474).
    class_weights
        Let every class count alike in the loss, however rare; of several labels at once, let each
        count as much where it is as where it is not.
    label_smoothing
        Share of each label spread over all classes in training.
    """

    text_column: tuple[str, ...] | None = None
    label_column: tuple[str, ...] | None = None
    multi_label: bool | None = None
    scan: Literal["rows", "columns", "pixels"] = "rows"
    validation_data: Path | None = None
    level: Literal["characters", "bytes", "words", "bpe"] | None = None
    vocabulary: int | None = None
    lowercase: bool = False
    longest: int = 2_000
    embedding: int | None = None
    vectors: Path | None = None
    token_dropout: float | None = None
    pooling: Literal["last", "mean", "max", "attention"] | None = None
    bag: Literal["none", "tokens", "pairs"] | None = None
    members: int = 1
    class_weights: bool = False
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("vocabulary",), 2, 1_000_000)
        require_range(self, ("longest",), 1, 65_536)
        require_range(self, ("embedding",), 0, 16_384)
        require_range(self, ("members",), 1, 64)
        require_range(self, ("token_dropout", "label_smoothing"), 0, 1, open_end=True)
        require_files(self, ("validation_data", "vectors"))
        for name in ("text_column", "label_column"):
            require(self, name, getattr(self, name) != (), "at least one name")
        self.check()
