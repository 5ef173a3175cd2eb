"""Pieces as a network reads them: which of the pitches that it knows sound in each step.

A piece of T steps: notes bool [T, P], pitches counted from the lowest that is known; or int64
[T, V], the pitch of each voice, the highest voice first, -1 where it is silent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic.grid import Frames, Grid
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.options import make, require_range

Ints = NDArray[np.int64]
Steps = NDArray[Any]  # bool [T, P], or int64 [T, V]

KEYS = (21, 108)  # of a piano: the literature's 88 notes
PITCHES = 128
SILENT = -1
LONGEST_BAR, MOST_BARS = 192, 16  # steps; different lengths of bars that are told apart
LONGEST_NOTE = 2**31
QUARTERS = 4  # of a bar that is not known
BACK = (0.5, 1.0, 2.0, 4.0, 8.0)  # bars before a step, at which a piece may say again what it said


@dataclass(frozen=True)
class FrameReading:
    """How pieces become frames: what goes with a model.

    `bars` are the lengths of bars that are told apart, in steps. `one_key`: pieces of the training
    part all stand in one key. A note of it sounds at most `longest` steps; 0 if not known.
    """

    per_quarter: int
    lowest: int = KEYS[0]
    highest: int = KEYS[1]
    voices: int = 0  # of pieces in voices; else 0
    bars: tuple[int, ...] = ()
    one_key: bool = False
    longest: int = 0

    def __post_init__(self) -> None:
        require_range(self, ("per_quarter",), 1, 96)
        require_range(self, ("lowest", "highest"), 0, PITCHES - 1)
        require_range(self, ("voices",), 0, 64)
        require_range(self, ("bars",), 1, LONGEST_BAR)
        require_range(self, ("longest",), 0, LONGEST_NOTE)
        if self.lowest > self.highest or len(self.bars) > MOST_BARS:
            raise UserError("lowest, highest or bars out of range")

    @property
    def pitches(self) -> int:
        """P."""
        return self.highest - self.lowest + 1

    @property
    def grid(self) -> Grid:
        return Grid(self.per_quarter)

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """What the network is told of each kind of place, [2 K, F]: which step of its quarter, and
        which of its bar, of bars of this length; the second K are those of a piece's first step."""
        _, count = self._offsets
        within = np.concatenate([np.arange(n) for n in (self.per_quarter, *self.bars)])
        quarter = np.eye(self.per_quarter, dtype=np.float32)[within % self.per_quarter]
        own = np.eye(count, dtype=np.float32)
        made = np.concatenate([quarter, own], 1)
        first = np.zeros((2 * count, 1), np.float32)
        first[count:] = 1
        return np.concatenate([np.tile(made, (2, 1)), first], 1)

    @cached_property
    def _offsets(self) -> tuple[dict[int, int], int]:
        """Where the places of each kind of bar begin, and K, how many there are of all. Where the
        bar is not known, or of another length, 0, they are those of a quarter."""
        ends = np.cumsum([self.per_quarter, *self.bars]).tolist()
        return {0: 0, **dict(zip(self.bars, ends[:-1], strict=True))}, ends[-1]

    def places(self, place: Ints, bar: Ints, begin: int = 0) -> Ints:
        """The kinds of places [T] of the steps from `begin` on of a piece, of which `place` [T] and
        `bar` [T] say where in a bar of how many steps each is, as `Frames` does."""
        offsets, count = self._offsets
        steps = begin + np.arange(len(place))
        starts = np.array([offsets.get(int(length), 0) for length in bar], dtype=np.int64)
        known = np.array([int(length) in self.bars for length in bar], dtype=bool)
        phase = np.where(bar > 0, place, steps) % self.per_quarter
        found = np.where(known, starts + place, phase)
        return np.where(steps == 0, found + count, found)

    def bar_at(self, kind: int) -> tuple[int, int] | None:
        """How many steps the bar of such a place has, and which of them it is; None where the bar
        is not known."""
        offsets, count = self._offsets
        within = kind % count
        found = [(bar, within - first) for bar, first in offsets.items() if bar and within >= first]
        return max(found, key=lambda one: offsets[one[0]], default=None)

    def lags(self, back: Sequence[float]) -> Ints:
        """How many steps each of so many bars back is at each kind of place, at least 1:
        [2 K, L]. A bar that is not known has four quarters."""
        found = map(self.bar_at, range(len(self.features)))
        steps = [QUARTERS * self.per_quarter if at is None else at[0] for at in found]
        lags: Ints = np.maximum(np.rint(np.outer(steps, back)).astype(np.int64), 1)
        return lags

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"bars": list(self.bars)}


def reading_from_json(data: object) -> FrameReading:
    """The reading that gave this `to_json`. UserError where it is damaged."""
    where = "preprocessing.json"
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: damaged (no reading in it)")
    return make(FrameReading, data, where=where)


@dataclass(frozen=True)
class Score:
    """One piece: its steps, and the kind of place of each, [T]."""

    name: str
    steps: Steps
    places: Ints

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def in_voices(self) -> bool:
        return self.steps.dtype != np.bool_

    def roll(self, pitches: int) -> NDArray[np.bool_]:
        """Which pitches sound, bool [T, P]."""
        if not self.in_voices:
            return self.steps
        roll = np.zeros((len(self), pitches), bool)
        at, voice = np.nonzero(self.steps != SILENT)
        roll[at, self.steps[at, voice]] = True
        return roll

    @cached_property
    def span(self) -> tuple[int, int] | None:
        """The lowest and the highest pitch that sound; None of silence."""
        if self.in_voices:
            found = self.steps[self.steps != SILENT]
        else:
            found = np.flatnonzero(self.steps.any(0))
        return (int(found.min()), int(found.max())) if len(found) else None

    def room(self, pitches: int) -> tuple[int, int]:
        """By how many semitones the piece can be moved down, as a number below 0, and up, so that
        every note stays a pitch that is known."""
        if self.span is None:
            return 0, 0
        return -self.span[0], pitches - 1 - self.span[1]

    def transposed(self, by: int, pitches: int) -> Score:
        """The same piece so many semitones higher. ValueError: a note would leave the range."""
        down, up = self.room(pitches)
        if not down <= by <= up:
            raise ValueError(f"{self.name}: moved by {by}, where {down} to {up} are possible")
        if by == 0 or self.span is None:
            return self
        if self.in_voices:
            moved = np.where(self.steps == SILENT, SILENT, self.steps + by)
        else:
            moved = np.roll(self.steps, by, axis=1)
        return replace(self, steps=moved)

    def digest(self) -> str:
        """Equal for equal notes."""
        digest = hashlib.sha256(str(self.steps.shape).encode())
        told = self.steps if self.in_voices else np.packbits(self.steps)
        digest.update(told.tobytes())
        return digest.hexdigest()


def score_of(frames: Frames, reading: FrameReading) -> Score:
    """A piece on the grid as the network reads it. ValueError: it has a pitch that is not known, or
    is not written in as many voices."""
    places = reading.places(frames.place, frames.bar)
    if reading.voices:
        if frames.voices is None or frames.voices.shape[1] != reading.voices:
            told = "no voices" if frames.voices is None else f"{frames.voices.shape[1]} voices"
            raise ValueError(f"{told}, where the model has {reading.voices}")
        voices = frames.voices.astype(np.int64)
        found = voices[voices != SILENT]
        _check_range(found, reading)
        steps = np.where(voices == SILENT, SILENT, voices - reading.lowest)
        return Score(frames.name, steps, places)
    roll = frames.sounding
    _check_range(np.flatnonzero(roll.any(0)), reading)
    return Score(frames.name, roll[:, reading.lowest : reading.highest + 1], places)


def _check_range(pitches: Ints, reading: FrameReading) -> None:
    out = pitches[(pitches < reading.lowest) | (pitches > reading.highest)]
    if len(out):
        raise ValueError(
            f"the pitch {out[0]}, where the model knows {reading.lowest} to {reading.highest}"
        )


@dataclass(frozen=True)
class FrameData:
    """Pieces for training, for validation and, where there are some, kept for the final scores."""

    name: str
    reading: FrameReading
    train: tuple[Score, ...]
    check: tuple[Score, ...]
    bad: BadRows
    test: tuple[Score, ...] | None = None
    facts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    form: str = field(default="frames", init=False)

    @cached_property
    def lengths(self) -> Ints:
        """Steps of each piece for training."""
        return np.array([len(score) for score in self.train], dtype=np.int64)

    def tested(self) -> FrameData | None:
        """The data set with the test part in place of the validation part; None without one."""
        return None if self.test is None else replace(self, check=self.test, test=None)

    def preprocessing(self) -> dict[str, Any]:
        parts = [self.train, self.check, *([] if self.test is None else [self.test])]
        return {
            "form": self.form,
            "reading": self.reading.to_json(),
            "sha256": [_digest(part) for part in parts],
        }


def _digest(scores: Iterable[Score]) -> str:
    """Equal for equal pieces in the same order."""
    digest = hashlib.sha256()
    for score in scores:
        digest.update(score.digest().encode())
    return digest.hexdigest()


def longest_note(frames: Sequence[Frames], *, in_voices: bool) -> int:
    """Steps that a note sounds at most, in its voice or, of rolls, in all of them."""
    each = (
        _longest_run(one.voices, SILENT)
        if in_voices and one.voices is not None
        else _longest_run(one.sounding, 0)
        for one in frames
    )
    return max(each, default=0)


def _longest_run(columns: NDArray[Any], silence: int) -> int:
    """How often one value, but `silence`, stands below another in a column [T, K] at most."""
    begins = np.ones(columns.shape, bool)
    begins[1:] = columns[1:] != columns[:-1]
    first = np.flatnonzero(begins.T)
    lengths = np.diff(first, append=columns.size)
    return int(lengths[columns.T.ravel()[first] != silence].max(initial=0))


def bars_of(frames: Sequence[Frames]) -> tuple[int, ...]:
    """The lengths of bars, in steps, in which most steps lie, ascending."""
    lengths, counts = np.unique(np.concatenate([one.bar for one in frames]), return_counts=True)
    fits = (lengths > 0) & (lengths <= LONGEST_BAR)
    lengths, counts = lengths[fits], counts[fits]
    return tuple(sorted(lengths[np.argsort(-counts, kind="stable")][:MOST_BARS].tolist()))
