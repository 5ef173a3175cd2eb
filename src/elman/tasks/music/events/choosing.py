"""Which tokens pieces need: pitches, instruments, metres, the longest note, velocities."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from statistics import median

from elman.data.symbolic.piece import Metre, Piece, Tempo
from elman.data.symbolic.timing import COMMON_TIME, TEMPO
from elman.errors import UserError
from elman.tasks.music.events.fitting import metre_name, rounded
from elman.tasks.music.events.settings import DRUMS, MOST_METRES, MOST_STEPS, Kind, Settings

QUARTERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # how long the longest note may be
HELD = 0.999  # share of the notes that are no longer than it
VELOCITIES = 16  # told apart where they vary


def chosen(
    pieces: Sequence[Piece], kind: Kind, grid: int, velocities: int | None,
    keys: tuple[int, int] = (0, 0),
) -> Settings:  # fmt: skip
    """The settings for these pieces, with `grid` steps a quarter. With `velocities` None they are
    told apart where they vary. `keys` is how many semitones down, at most 0, and up any of the
    pieces may be moved. UserError: there are no notes."""
    notes = [(note, piece) for piece in pieces for track in piece.tracks for note in track.notes]
    if not notes:
        raise UserError("no notes in any of the pieces; give music with notes")
    pitches = [note.pitch for note, _ in notes]
    lowest = max(min(*pitches, 126) + keys[0], 0)
    highest = min(max(*pitches, lowest + 1) + keys[1], 127)
    loud = Counter(note.velocity for note, _ in notes)
    if velocities is None:
        velocities = VELOCITIES if len(loud) > 1 else 0
    instruments = {
        DRUMS if track.is_drum else track.program
        for piece in pieces for track in piece.tracks if track.notes
    }  # fmt: skip
    steps = [max(rounded(note.length, piece.division, grid), 1) for note, piece in notes]
    return Settings(
        kind, grid, lowest, highest, _longest(sorted(steps), grid), velocities,
        int(median(loud.elements())), tuple(sorted(instruments)), _metres(pieces, kind, grid),
        _tempo(pieces),
    )  # fmt: skip


def held(pieces: Sequence[Piece], grid: int) -> int:
    """Steps that a note of them sounds at most."""
    times = (
        (rounded(note.start, piece.division, grid), rounded(note.end, piece.division, grid))
        for piece in pieces for track in piece.tracks for note in track.notes
    )  # fmt: skip
    return max((max(end - start, 1) for start, end in times), default=0)


def _longest(ascending: Sequence[int], grid: int) -> int:
    """The fewest of `QUARTERS`, as steps, by which nearly all notes are no longer."""
    fitting = [q * grid for q in QUARTERS if q * grid <= MOST_STEPS] or [MOST_STEPS]
    enough = ascending[min(int(HELD * len(ascending)), len(ascending) - 1)]
    return fitting[min(bisect_left(fitting, enough), len(fitting) - 1)]


def _metres(pieces: Sequence[Piece], kind: Kind, grid: int) -> tuple[str, ...]:
    """Those that have whole steps, the ones of most bars first."""
    bars: Counter[str] = Counter()
    for piece in pieces:
        told = sorted(m for m in piece.metres if m.tick < piece.length) or [COMMON_TIME]
        ends = [m.tick for m in told[1:]] + [piece.length]
        for metre, end in zip(told, ends, strict=True):
            bars[metre_name(metre.beats, metre.unit)] += _bars(metre, end, piece.division)
    known = [name for name, _ in sorted(bars.items(), key=lambda item: (-item[1], item[0]))]
    fitting = [name for name in known if _fits(name, grid)] or ["4/4"]
    return tuple(fitting[: MOST_METRES if kind == "remi" else 1])


def _bars(metre: Metre, end: int, division: int) -> int:
    return max((end - metre.tick) * metre.unit // (4 * metre.beats * division), 1)


def _fits(name: str, grid: int) -> bool:
    beats, unit = (int(part) for part in name.split("/"))
    return (4 * beats * grid) % unit == 0 and 4 * beats * grid // unit <= MOST_STEPS


def _tempo(pieces: Sequence[Piece]) -> float:
    """The middle one of the tempos that pieces begin with."""
    first = [next((t for t in p.tempos if t.tick <= 0), Tempo(0, TEMPO)) for p in pieces]
    return round(median(t.quarters_per_minute for t in first), 3)
