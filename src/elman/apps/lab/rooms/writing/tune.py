"""A piece of music as far as a model has made it: kept, branched, gone back to at any step."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, final

from elman.data.symbolic.piece import Piece
from elman.data.symbolic.timing import seconds
from elman.run.trained import Run
from elman.tasks.music.composing import output
from elman.tasks.music.composing.place import Composition, Place

REMEMBERED = 1_024  # lines back to which a model's places are kept


class Sounding(NamedTuple):
    """A note as a page draws it."""

    start: float  # seconds
    stop: float
    pitch: int  # 0 to 127, as in MIDI
    track: int


@final
class Tune:
    """What was made, and where the model stood after each line of it: a step, or a bar.

    `after` is the place at which it goes on, by default the beginning of a piece.
    """

    def __init__(self, run: Run, after: Place | None = None) -> None:
        self._run = run
        self._places: list[Place | None] = [after]
        self.told: list[str] = []  # what was decided on the way

    @property
    def place(self) -> Place | None:
        """Where the model stands; None at the beginning of a piece."""
        return self._places[-1]

    @property
    def lines(self) -> int:
        """How many lines one can go back by."""
        return len(self._places) - 1

    def written(self, asked: Mapping[str, Any]) -> Iterator[None]:
        """Compose on as asked, a line at each step of the iterator. UserError: it cannot be."""
        made = self._run.composition(after=self.place, **asked)
        for _ in made:
            self._places = [*self._places[-REMEMBERED:], made.place]
            self.told = list(made.told)
            yield

    def back(self, lines: int) -> None:
        """Go back by so many lines, or as many as are remembered; these are forgotten."""
        self._places = self._places[: max(len(self._places) - lines, 1)]

    def copy(self) -> Tune:
        """The same piece, to be gone on with in another way."""
        made = Tune(self._run)
        made._places, made.told = list(self._places), list(self.told)
        return made

    def piece(self) -> Piece:
        """All of it, from its beginning to where the model stands."""
        return self._here().piece

    def save(self, path: Path) -> None:
        """Keep the place as `elman generate --save-state` does."""
        self._run.save_state(self._here().place, path)

    def _here(self) -> Composition:
        return self._run.composition(after=self.place, steps=0, seed=0)


def opened(run: Run, path: Path) -> Tune:
    """A piece that goes on from a place in a file. UserError: damaged, or of another model."""
    return Tune(run, after=run.load_state(path))


def sounding(piece: Piece) -> list[Sounding]:
    """The notes of a piece by their times."""
    at = seconds(piece)
    return [
        Sounding(at(note.start), at(note.end), note.pitch, k)
        for k, track in enumerate(piece.tracks)
        for note in track.notes
    ]


def written_as(piece: Piece, ending: str) -> bytes:
    """A piece as the file that `elman generate --output` writes: .wav, .mid, .json."""
    with tempfile.TemporaryDirectory(prefix="elman-") as folder:
        path = Path(folder) / f"piece{ending}"
        output.write(piece, path)
        return path.read_bytes()
