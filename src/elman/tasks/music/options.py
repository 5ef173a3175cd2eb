"""What a model of music is made of: how pieces are read, the network, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from elman.options import require, require_files, require_range
from elman.tasks.music.composing.options import Composing
from elman.tasks.networks import NetworkOptions

FormName: TypeAlias = Literal["frames", "events"]
HeadName: TypeAlias = Literal["independent", "chain", "voices"]
GRIDS = (1, 2, 3, 4, 6, 8, 12, 24)  # steps of a quarter that a grid may have
OCTAVE = 12
MOST_BACK = 32  # bars
FRAMES_ALONE = ("head", "head_size", "lookback")  # options that events do not have


@dataclass(frozen=True)
class MusicOptions(NetworkOptions):
    """Options of the task `music`. Those left at None are chosen from the data and the time given.

    Parameters
    ----------
    form
        Read which notes sound in each step of a grid, or notes as events with their own times and
        loudness; by the data if not given.
    steps_per_quarter
        Steps of a quarter: 1, 2, 3, 4, 6, 8, 12 or 24. If not given, of frames as few as keep the
        notes' times, of events 12.
    head
        What tells the notes of a step: each note by itself; one after the other from below, each
        given those before it; or one voice after the other, of pieces that are written in voices.
    head_size
        Units by which the notes of a step tell of one another.
    transpose
        Move each piece by up to so many semitones in each epoch; 0 for none. Into all keys if not
        given, or not at all where the pieces stand in one key.
    lookback
        Of frames, read also those that stood so many bars before each step, a list, as 0.5,1,8; 0
        for none. By the pieces' lengths if not given, and none where their bars are not known.
    sequence_length
        Steps, or tokens, of one truncated back-propagation through time.
    members
        Networks trained side by side, whose probabilities are averaged (arXiv:1612.01474). If not
        given, of frames as many as the minutes have all passes for, of events as of a text.
    embedding
        Width of the embedding of tokens; 0 for one-hot input.
    tokens
        What events are written as: remi with bars and places in them, midi-like with shifts of
        time.
    velocities
        How many velocities of notes are told apart, of events; 0 for none, 16 where they vary if
        not given.
    skip_bad_rows
        Leave out files and pieces that cannot be read, and count them.
    validation_data
        Data to validate on, instead of a share of DATA.
    test_data
        Data that is kept from every choice: the final scores of the run are of it.
    test_share
        Share of the pieces that is kept from every choice, where the data gives no test part.
    scored
        Score at most so many steps, or tokens, of the validation part.
    counted
        Let n-grams learn from at most so many steps, or tokens.
    """

    form: FormName | None = None
    steps_per_quarter: int | None = None
    head: HeadName | None = None
    head_size: int | None = None
    transpose: int | None = None
    lookback: tuple[float, ...] | None = None
    sequence_length: int | None = None
    members: int | None = None
    embedding: int | None = None
    tokens: Literal["remi", "midi-like"] = "remi"
    velocities: int | None = None
    skip_bad_rows: bool = False
    validation_data: Path | None = None
    test_data: Path | None = None
    test_share: float = 0.0
    scored: int | None = None
    counted: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = self.steps_per_quarter
        known = steps is None or steps in GRIDS
        require(self, "steps_per_quarter", known, ", ".join(map(str, GRIDS)))
        require_range(self, ("head_size",), 1, 16_384)
        require_range(self, ("transpose",), 0, OCTAVE)
        require_range(self, ("lookback",), 0, MOST_BACK)
        some = self.lookback is None or self.lookback == (0,) or 0 not in self.lookback
        require(self, "lookback", some and self.lookback != (), "bars, or 0 for none")
        require_range(self, ("sequence_length",), 1, 65_536)
        require_range(self, ("members",), 1, 64)
        require_range(self, ("embedding",), 0, 16_384)
        require_range(self, ("velocities",), 0, 127)
        require_range(self, ("scored", "counted"), 1, 1_000_000_000)
        require_range(self, ("test_share",), 0, 1, open_end=True)
        require_files(self, ("validation_data", "test_data"))
        require(self, "bidirectional", not any(self.bidirectional), "false: music is read onwards")
        if self.form == "events":
            for name in FRAMES_ALONE:
                require(self, name, getattr(self, name) is None, "--form frames")
        asked = any(getattr(self, name) is not None for name in FRAMES_ALONE)
        if self.form == "frames" or asked:
            require(self, "velocities", self.velocities is None, "--form events")

    @property
    def looks_back(self) -> tuple[float, ...]:
        """How many bars before each step stood what is read, once that is settled."""
        return () if self.lookback in (None, (0,)) else self.lookback


COMPOSING = Composing  # how `elman generate` has its models compose


# What a search for settings varies where nothing is said.
SEARCHED = ("learning_rate", "batch_size", "hidden_size", "num_layers", "dropout")
