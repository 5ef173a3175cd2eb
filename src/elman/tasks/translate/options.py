"""What a translator is made of: how pairs are read, encoder, decoder, what passes between them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from elman import cells
from elman.data.tables.options import TableOptions
from elman.options import require, require_files, require_range
from elman.tasks.networks import NetworkOptions
from elman.tasks.translate.decoding import Decoding

Level: TypeAlias = Literal["words", "characters", "bytes", "bpe"]
Context: TypeAlias = Literal["first", "each", "attention"]
Scoring: TypeAlias = Literal["additive", "multiplicative"]


@dataclass(frozen=True)
class TranslateOptions(NetworkOptions, TableOptions):
    """Options of the task `translate`. Those left at None are chosen from the data and the time.

    The options of the stack of layers are those of the encoder; the decoder has them too, in one
    direction, but for what is given for it alone.

    Parameters
    ----------
    source_column
        Column of the source, of a table, by name or number; guessed and told if not given.
    target_column
        Column of the target, by name or number; guessed and told if not given.
    validation_data
        Data to validate on, instead of a share of DATA; two files with a comma between.
    test
        Share of the pairs kept from every choice; the final scores are of these.
    level
        What a token is, on both sides; guessed and told if not given.
    source_level
        What a token of the source is, where the sides differ.
    target_level
        What a token of the target is, where the sides differ.
    vocabulary
        Keep at most so many tokens of each side, 30,000 words or as many pieces as the data can
        teach if not given; of words those that come once are dropped anyhow.
    shared_vocabulary
        One vocabulary and one embedding for both sides.
    lowercase
        Turn everything into lower case.
    longest
        Refuse pairs of which a side has more tokens than this.
    cut
        Cut sides that are too long instead.
    context
        What the decoder is given of the source: the encoder's last state as its own first state,
        the same at every step as well, or attention to all of the encoder's steps.
    attention
        How attention scores a step: additive, which learns from fewer pairs, or multiplicative,
        which is faster. By what a token is if not given.
    input_feeding
        Give each step what attention found at the step before.
    decoder_cell
        Cell of each layer of the decoder, where it differs.
    decoder_hidden_size
        Units of each layer of the decoder, where they differ.
    embedding
        Width of the embeddings of both sides, and of what the output is made from.
    tied
        Take the embedding of the target as the weights of the output (--tied=false: do not).
    token_dropout
        Share of the tokens read as <unk> in training, on both sides.
    shortlist
        Score tokens in training among the most frequent ones and, of the others, those of the
        batch and so many drawn at random, which stand for the rest; 0 for all tokens. By the size
        of the vocabulary if not given.
    label_smoothing
        Share of the probability that training gives to all tokens alike.
    scheduled_sampling
        Share of the decoder's inputs that are its own guesses in training.
    members
        Networks trained side by side, whose probabilities are averaged (arXiv:1612.01474); by the
        time that there is if not given.
    """

    bidirectional: tuple[bool, ...] = (True,)
    source_column: str | None = None
    target_column: str | None = None
    validation_data: tuple[Path, ...] | None = None
    test: float = 0.0
    level: Level | None = None
    source_level: Level | None = None
    target_level: Level | None = None
    vocabulary: int | None = None
    shared_vocabulary: bool = False
    lowercase: bool = False
    longest: int = 200
    cut: bool = False
    context: Context = "attention"
    attention: Scoring | None = None
    input_feeding: bool = False
    decoder_cell: tuple[str, ...] | None = None
    decoder_hidden_size: tuple[int, ...] | None = None
    embedding: int | None = None
    tied: bool = True
    token_dropout: float | None = None
    shortlist: int | None = None
    label_smoothing: float | None = None
    scheduled_sampling: float = 0.0
    members: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("vocabulary",), 2, 1_000_000)
        require_range(self, ("shortlist",), 0, 1_000_000)
        require_range(self, ("longest",), 1, 65_536)
        require_range(self, ("embedding",), 1, 16_384)
        require_range(self, ("members",), 1, 64)
        require_range(self, ("decoder_hidden_size",), 1, 16_384)
        shares = ("test", "token_dropout", "label_smoothing", "scheduled_sampling")
        require_range(self, shares, 0, 1, open_end=True)
        for name in self.decoder_cell or ():
            cells.get(name)
        for name in ("decoder_cell", "decoder_hidden_size"):
            value = getattr(self, name)
            require(self, name, value is None or len(value) > 0, "at least one value")
        hidden = self.decoder_hidden_size or self.hidden_size or ()
        depths = {len(self.decoder_cell or self.cell), len(hidden)} - {0, 1}
        name = "decoder_cell" if self.decoder_cell else "decoder_hidden_size"
        require(self, name, len(depths) < 2, "one for all layers, or one for each of the decoder's")
        apart = self.level is None or (self.source_level is None and self.target_level is None)
        require(self, "level", apart, "no --source-level and no --target-level beside it")
        alike = self.source_level == self.target_level
        require(self, "shared_vocabulary", alike or not self.shared_vocabulary, "one level")
        fits = "--context attention"
        alone = self.attention is None or self.context == "attention"
        require(self, "attention", alone, fits)
        require(self, "input_feeding", self.context == "attention" or not self.input_feeding, fits)
        masks = self.locked_dropout or self.recurrent_dropout or self.weight_drop
        fits = (
            "no --locked-dropout, --recurrent-dropout or --weight-drop, whose masks last all steps"
        )
        require(self, "input_feeding", not (self.input_feeding and masks), fits)
        require_files(self, ("validation_data",))
        self.check()


DECODING = Decoding


# What a search for settings varies where nothing is said.
SEARCHED = (
    "learning_rate",
    "batch_size",
    "hidden_size",
    "dropout",
    "token_dropout",
    "label_smoothing",
)
