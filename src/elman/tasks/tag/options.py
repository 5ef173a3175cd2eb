"""What a tagger is made of: how its data is read, what it sees of a token, the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elman.data.tables.options import TableOptions
from elman.options import require_files, require_range
from elman.tasks.networks import NetworkOptions


@dataclass(frozen=True)
class TagOptions(NetworkOptions, TableOptions):
    """Options of the task `tag`. Those left at None are chosen from the data and the time.

    Parameters
    ----------
    token_column
        Column of the tokens, by name or number; guessed and told if not given.
    label_column
        Column of the labels, by name or number; guessed and told if not given.
    sentence_column
        Column that tells sentences apart, in tables of a token a row; guessed and told if not
        given.
    validation_data
        Data to validate on, instead of a share of DATA.
    vocabulary
        Keep at most so many tokens, the most frequent; the rest become <unk>.
    lowercase
        Look tokens up in lower case; their letters are read as they are.
    longest
        Cut sentences of more tokens than this in parts.
    embedding
        Width of the token embedding.
    characters
        Width of a layer that reads the letters of each token, both ways; 0 for none.
    token_dropout
        Share of the tokens read as <unk> in training, but for their letters.
    members
        Networks trained side by side, whose probabilities are averaged (arXiv:1612.01474).
    """

    bidirectional: tuple[bool, ...] = (True,)
    token_column: str | None = None
    label_column: str | None = None
    sentence_column: str | None = None
    validation_data: Path | None = None
    vocabulary: int | None = None
    lowercase: bool = False
    longest: int = 500
    embedding: int | None = None
    characters: int | None = None
    token_dropout: float | None = None
    members: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("vocabulary",), 2, 1_000_000)
        require_range(self, ("longest",), 1, 65_536)
        require_range(self, ("embedding",), 1, 16_384)
        require_range(self, ("characters",), 0, 4_096)
        require_range(self, ("token_dropout",), 0, 1, open_end=True)
        require_range(self, ("members",), 1, 64)
        require_files(self, ("validation_data",))
        self.check()


# What a search for settings varies where nothing is said.
SEARCHED = ("learning_rate", "batch_size", "hidden_size", "dropout", "cell", "token_dropout")
