"""What a piece loses when it becomes tokens: counted note by note, and told."""

from __future__ import annotations

from dataclasses import dataclass, fields

from elman.wording import counted

KEPT_BY_MAX = ("farthest",)


@dataclass(frozen=True)
class Lost:
    """Of so many `pieces` and `notes` what their tokens do not tell. Distances are in quarters.

    Notes that are gone: `outside` the pitches that there are tokens for; of `drums`, or `others`,
    where there are none for such instruments; `joined` to a note of the same pitch and instrument
    that begins at the same step. Notes that are changed: `shortened`, as another one of their pitch
    begins; `clipped` to the longest note; `lengthened` to one step; told as of another instrument
    (`renamed`); of another velocity (`velocities`). All other starts and ends are at most half a
    step away: so many are `starts` and `ends`, and `moved` is how far all of them are together.
    """

    pieces: int = 0
    notes: int = 0
    outside: int = 0
    drums: int = 0
    others: int = 0
    joined: int = 0
    shortened: int = 0
    clipped: int = 0
    lengthened: int = 0
    renamed: int = 0
    velocities: int = 0
    starts: int = 0
    ends: int = 0
    moved: float = 0.0
    farthest: float = 0.0
    tempos: int = 0  # changes of tempo
    chords: int = 0  # symbols above the notes
    metres: int = 0  # told as another one
    barlines: int = 0  # changes of metre that had to wait for the next bar
    pickups: int = 0  # told as a bar that begins with silence
    tracks: int = 0  # that are one with another of their instrument

    def __add__(self, other: Lost) -> Lost:
        both = {f.name: (getattr(self, f.name), getattr(other, f.name)) for f in fields(Lost)}
        return Lost(
            **{name: max(pair) if name in KEPT_BY_MAX else sum(pair) for name, pair in both.items()}
        )

    @property
    def gone(self) -> int:
        """Notes that the tokens do not tell at all."""
        return self.outside + self.drums + self.others + self.joined

    def lines(self) -> list[str]:
        """For the user: what there is to tell."""
        return [*self.gone_lines(), *self.changed_lines()]

    def gone_lines(self) -> list[str]:
        """What the tokens do not tell at all."""
        return _told(
            (self.outside, "note", "left out: beyond the pitches of the model"),
            (self.drums, "note", "of drums left out: the model knows none"),
            (self.others, "note", "left out: the model knows drums alone"),
            (self.joined, "note", "joined to another of the same pitch at the same step"),
            (self.tempos, "change/changes of tempo", "not told by tokens"),
            (self.chords, "chord symbol", "not told by tokens"),
        )

    def changed_lines(self) -> list[str]:
        """What they tell otherwise."""
        found = _told(
            (self.shortened, "note", "ended early: another of the same pitch begins"),
            (self.clipped, "note", "cut to the longest note that a token tells"),
            (self.lengthened, "note", "shorter than half a step made one step long"),
            (self.renamed, "note", "told as of an instrument that the model knows"),
            (self.velocities, "note", "told with the nearest velocity that there is a token for"),
            (self.metres, "stretch", "in a metre that no token tells, barred otherwise"),
            (self.barlines, "change/changes of metre", "moved to the next bar line"),
            (self.pickups, "pickup", "told as a bar that begins with silence"),
            (self.tracks, "track", "put together with another of the same instrument"),
        )
        if self.starts or self.ends:
            mean = self.moved / (self.starts + self.ends)
            found.append(
                f"{counted(self.starts, 'start')} and {counted(self.ends, 'end')} of notes moved "
                f"to the grid, by {mean:.3f} quarters on average, {self.farthest:.3f} at most"
            )
        return found


def _told(*counts: tuple[int, str, str]) -> list[str]:
    """A line for each that there is; of "change/changes of tempo" the second word is of several."""
    found = []
    for count, name, text in counts:
        one, _, more = name.partition("/")
        word, _, rest = more.partition(" ")
        thing = counted(count, one, word) if more else counted(count, one)
        if count:
            found.append(" ".join(part for part in (thing, rest, text) if part))
    return found
