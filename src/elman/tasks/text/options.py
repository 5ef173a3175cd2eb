"""What a language model is made of: how the text is cut into tokens, and the network over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from elman.options import require, require_encoding, require_range
from elman.tasks.networks import NetworkOptions


@dataclass(frozen=True)
class TextOptions(NetworkOptions):
    """Options of the task `text`. Those left at None are chosen from the data and the time given.

    Parameters
    ----------
    level
        What a token is.
    vocabulary
        Keep at most so many symbols, the most frequent; the rest become <unk>.
    encoding
        Encoding of the text, such as utf-8, gb18030, windows-1252; found from all its bytes if not
        given.
    column
        Column of a table that holds the text (CSV, JSON lines and other forms); its cells are read
        one after another, a line each.
    lowercase
        Turn the text into lower case.
    strip_digits
        Leave digits out of the text.
    embedding
        Width of the token embedding; 0 for one-hot input.
    tie_weights
        Use the embedding as output weights too; needs an embedding as wide as the last layer. Done
        unasked where there are many symbols, and nothing is said of the embedding.
    members
        Networks trained side by side, whose probabilities are averaged (arXiv:1612.01474). If
        neither this nor a size is given: more than one where minutes are enough for many passes.
    sequence_length
        Tokens of one truncated back-propagation through time, or of one window.
    windows
        Read each window by itself and predict only the token after it, as a model that reads both
        ways has to.
    scored
        Score at most so many tokens of the validation part, from its start.
    counted
        Let the n-gram model learn from at most so many tokens, before the validation part.
    mix_ngram
        Answer by network and n-gram model together, each weighed by what it foretold so far; the
        counts are kept in the run folder (16 bytes a gram: 14 MB for a million characters).
    """

    level: Literal["characters", "bytes", "words", "bpe"] = "characters"
    vocabulary: int | None = None
    encoding: str | None = None
    column: str | None = None
    lowercase: bool = False
    strip_digits: bool = False
    embedding: int | None = None
    tie_weights: bool | None = None
    members: int | None = None
    sequence_length: int = 64
    windows: bool = False
    scored: int | None = None
    counted: int | None = None
    mix_ngram: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("vocabulary",), 2, 1_000_000)
        if self.level == "bytes":
            require(
                self,
                "vocabulary",
                self.vocabulary is None,
                "another --level: bytes are 256 symbols",
            )
            bare = self.encoding is None or self.column is not None
            require(self, "encoding", bare, "another --level: bytes are read as they are")
        if self.encoding is not None:
            require_encoding(self, "encoding")
        require_range(self, ("embedding",), 0, 16_384)
        require_range(self, ("scored", "counted"), 1, 1_000_000_000)
        require_range(self, ("sequence_length",), 1, 65_536)
        require_range(self, ("members",), 1, 64)

    @property
    def windowed(self) -> bool:
        """Whether the model predicts only the token after its window, which it reads anew."""
        return self.windows or any(self.bidirectional)


# What a search for settings varies where nothing is said.
SEARCHED = ("learning_rate", "hidden_size", "num_layers", "dropout", "cell")
