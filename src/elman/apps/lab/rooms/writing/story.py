"""A text as far as a model has written it: kept, branched, blended, gone back to anywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import final

from elman.decode import Sampling
from elman.run import place
from elman.run.trained import Run
from elman.tasks.task import Cursor

REMEMBERED = 4_000  # pieces back to which a model's states are kept
LONGEST = 50_000  # characters of a text that a page shows


@final
class Story:
    """What was read and written, and where the model stood after each piece.

    `after` is the place at which the text begins, by default that of an empty text. UserError: a
    prompt that the model cannot read.
    """

    def __init__(self, run: Run, prompt: str = "", after: Cursor | None = None) -> None:
        self._run, self._after = run, after
        self.text = prompt
        first = after if after is not None and not prompt else run.read(prompt, after)
        self._marks = deque([(len(prompt), first)], maxlen=REMEMBERED)
        self._empty = first if after is None and not prompt else None  # where nothing was read

    @property
    def place(self) -> Cursor:
        """Where the model stands."""
        return self._marks[-1][1]

    def written(self, length: int, sampling: Sampling) -> Iterator[None]:
        """Write so many tokens on, one piece at each step of the iterator; fewer where the text
        would be too long for a page."""
        for piece, stands in self._run.stream(self.place, length, sampling):
            self.text += piece
            self._marks.append((len(self.text), stands))
            yield
            if len(self.text) > LONGEST:
                return

    def read(self, more: str) -> None:
        """Have the model read more. UserError: it cannot."""
        if more:
            if self.place is self._empty:
                # An empty text begins as after a line break; one with a prompt begins with that.
                self._marks.clear()
                stands = self._run.read(more)
            else:
                stands = self._run.read(more, self.place)
            self.text += more
            self._marks.append((len(self.text), stands))

    def back(self, characters: int) -> None:
        """Go back to where the text had so many characters; what came after is forgotten.

        The place kept last before it is taken, and what stands between is read from there; so it
        is the very place at the end of each piece, and between the two as good as it.
        """
        if characters >= len(self.text):
            return
        while self._marks and self._marks[-1][0] > characters:
            self._marks.pop()
        text = self.text[:characters]
        at, stands = self._marks[-1] if self._marks else (0, self._after)
        if at < characters or stands is None:
            stands = self._run.read(text[at:], stands)
            if not text and self._after is None:
                self._empty = stands
        if not self._marks or at < characters:
            self._marks.append((characters, stands))
        self.text = text

    def copy(self) -> Story:
        """The same text, to be gone on with in another way."""
        return self._with(self.place)

    def blended(self, other: Story, share: float) -> Story:
        """A text whose model stands between the two: `share` of the other's state, in [0, 1].

        It continues the text of the one with the larger share. UserError: states that have no mean.
        """
        between = place.mean([self.place, other.place], [1 - share, share])
        return (self if share <= 0.5 else other)._with(between)

    def save(self, path: Path) -> None:
        """Keep the place as `elman generate --save-state` does."""
        self._run.save_state(self.place, path)

    def _with(self, stands: Cursor) -> Story:
        made = Story.__new__(Story)
        made._run, made._after, made.text = self._run, self._after, self.text
        made._empty = self._empty
        made._marks = deque(self._marks, maxlen=REMEMBERED)
        made._marks[-1] = (len(self.text), stands)
        return made


def opened(run: Run, path: Path) -> Story:
    """A text that goes on from a place in a file. UserError: damaged, or of another model."""
    return Story(run, after=run.load_state(path))
