"""Pieces fitted to what tokens can tell: steps of the grid, known instruments, bars.

After this, tokens lose nothing more.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from elman.data.symbolic.piece import Piece, Track
from elman.data.symbolic.timing import COMMON_TIME
from elman.tasks.music.events.lost import Lost
from elman.tasks.music.events.settings import DRUMS, Settings

MARGIN = 1e-9  # quarters below which a start or end has not moved


class Placed(NamedTuple):
    """A note on the grid; it sounds in the steps [start, end). Ordered as tokens are."""

    start: int
    instrument: int
    pitch: int
    end: int
    velocity: int


class Bar(NamedTuple):
    """A bar of a metre such as "6/8"."""

    start: int
    metre: str


@dataclass(frozen=True)
class Fitted:
    """What of a piece tokens tell. Of one pitch and instrument no two notes overlap. Bars follow
    one another without a gap from step 0; the last one is that in which the last note begins."""

    notes: tuple[Placed, ...]
    bars: tuple[Bar, ...]
    lost: Lost


def velocities(settings: Settings) -> list[int]:
    """The velocities that there are tokens for, ascending: those of miditok, evenly up to 127."""
    count = settings.velocities
    return [127 * k // count for k in range(1, count + 1)] if count else [settings.velocity]


def fitted(piece: Piece, settings: Settings) -> Fitted:
    shift, pickup = _shift(piece, settings)
    lost = Lost(
        pieces=1, notes=piece.count, pickups=pickup, chords=len(piece.chords),
        tempos=len({t.tick for t in piece.tempos if t.tick > 0}), tracks=_merged(piece, settings),
    )  # fmt: skip
    notes: list[Placed] = []
    for track in piece.tracks:
        placed, counts = _placed(track, piece.division, shift, settings)
        notes += placed
        lost += counts
    notes, counts = _apart(notes, settings)
    lost += counts
    last = notes[-1].start if notes else -1
    bars, counts = _bars(piece, settings, shift, last) if settings.barred else ((), Lost())
    return Fitted(tuple(notes), bars, lost + counts)


def rounded(tick: int, division: int, grid: int) -> int:
    """The nearest step of a tick; of two, the later one."""
    return (2 * tick * grid + division) // (2 * division)


def metre_name(beats: int, unit: int) -> str:
    return f"{beats}/{unit}"


def _merged(piece: Piece, settings: Settings) -> int:
    """How many tracks are put together with another one."""
    filled = [track for track in piece.tracks if track.notes]
    instruments = {_known(track, settings)[0] for track in filled}
    return max(len(filled) - len(instruments), 0)


def _known(track: Track, settings: Settings) -> tuple[int | None, bool]:
    """The instrument by which a track is told, and whether that is another one; None: none."""
    own = DRUMS if track.is_drum else track.program
    if own in settings.instruments:
        return own, False
    tuned = [k for k in settings.instruments if k != DRUMS]
    if own == DRUMS or not tuned:
        return None, False
    # General MIDI has families of eight.
    return min(tuned, key=lambda k: (k // 8 != own // 8, abs(k - own), k)), True


def _placed(
    track: Track, division: int, shift: int, settings: Settings
) -> tuple[list[Placed], Lost]:
    instrument, renamed = _known(track, settings)
    if instrument is None:
        return [], Lost(drums=len(track.notes)) if track.is_drum else Lost(others=len(track.notes))
    known, grid = velocities(settings), settings.grid
    made, outside, lengthened, changed = [], 0, 0, 0
    starts = ends = 0
    moved = farthest = 0.0
    for note in track.notes:
        if not settings.lowest <= note.pitch <= settings.highest:
            outside += 1
            continue
        start, end = (rounded(tick, division, grid) for tick in (note.start, note.end))
        away = [abs(start / grid - note.start / division)]
        if end > start:
            away.append(abs(end / grid - note.end / division))
            ends += away[-1] > MARGIN
        else:
            end, lengthened = start + 1, lengthened + 1
        starts += away[0] > MARGIN
        moved += sum(away)
        farthest = max(farthest, *away)
        velocity = _nearest(known, note.velocity)
        changed += velocity != note.velocity
        made.append(Placed(start + shift, instrument, note.pitch, end + shift, velocity))
    return made, Lost(
        outside=outside, lengthened=lengthened, renamed=len(made) * renamed, velocities=changed,
        starts=starts, ends=ends, moved=moved, farthest=farthest,
    )  # fmt: skip


def _nearest(ascending: list[int], value: int) -> int:
    """Of values equally near the lower one."""
    k = bisect_left(ascending, value)
    near = ascending[max(k - 1, 0) : k + 1]
    return min(near, key=lambda known: (abs(known - value), known))


def _apart(notes: Iterable[Placed], settings: Settings) -> tuple[list[Placed], Lost]:
    """Of one pitch and instrument one note at a time, the longest of those that begin at once; in
    the order of tokens."""
    joined = shortened = clipped = 0
    most = settings.longest if settings.barred else None
    latest: dict[tuple[int, int], int] = {}  # where the newest note of each stands in `made`
    made: list[Placed] = []
    # The longest comes first, of these the loudest.
    for note in sorted(notes, key=lambda n: (n.start, n.instrument, n.pitch, -n.end, -n.velocity)):
        one = (note.instrument, note.pitch)
        before = latest.get(one)
        if before is not None and made[before].start == note.start:
            joined += 1
            continue
        if before is not None and made[before].end > note.start:
            shortened += 1
            made[before] = made[before]._replace(end=note.start)
        latest[one] = len(made)
        made.append(note)
    if most is not None:
        clipped = sum(note.end - note.start > most for note in made)
        made = [note._replace(end=min(note.end, note.start + most)) for note in made]
    return made, Lost(joined=joined, shortened=shortened, clipped=clipped)


def _shift(piece: Piece, settings: Settings) -> tuple[int, int]:
    """Steps of silence before a pickup, so that it ends its bar; and how many pickups there are."""
    steps = rounded(piece.pickup, piece.division, settings.grid)
    metre = next((m for m in piece.metres if m.tick <= 0), COMMON_TIME)
    name = _told(metre_name(metre.beats, metre.unit), settings)
    rest = steps % settings.bar_steps(name)
    if not settings.barred or not rest:
        return 0, 0
    return settings.bar_steps(name) - rest, 1


def _told(name: str, settings: Settings) -> str:
    """The metre by which one of this name is told."""
    return name if name in settings.metres else settings.metres[0]


def _bars(piece: Piece, settings: Settings, shift: int, last: int) -> tuple[tuple[Bar, ...], Lost]:
    """The bars up to that in which the step `last` lies.

    What is left before a metre changes is a bar of its own, where there is a metre of its length;
    if not, the change waits for the next bar line.
    """
    told = sorted(m for m in piece.metres if m.tick < piece.length)
    changes = {
        rounded(m.tick, piece.division, settings.grid) + shift * (m.tick > 0): m for m in told
    }
    if not told or told[0].tick > 0:
        changes = {0: COMMON_TIME} | changes
    starts = sorted(changes)
    by_length = {settings.bar_steps(name): name for name in reversed(settings.metres)}
    bars: list[Bar] = []
    at = barlines = others = 0
    for k, begin in enumerate(starts):
        until = min(starts[k + 1] if k + 1 < len(starts) else last + 1, last + 1)
        if begin > last:
            break
        asked = metre_name(changes[begin].beats, changes[begin].unit)
        name = _told(asked, settings)
        others += name != asked and bool(told)
        barlines += at > begin
        while at < until:
            length = settings.bar_steps(name)
            left = until - at
            short = left < length and until <= last and left in by_length
            bars.append(Bar(at, by_length[left] if short else name))
            at += left if short else length
    return tuple(bars), Lost(metres=others, barlines=barlines)


def shifted(fit: Fitted, semitones: int) -> Fitted:
    """The same, so many semitones higher; drums stay."""
    notes = [
        note if note.instrument == DRUMS else note._replace(pitch=note.pitch + semitones)
        for note in fit.notes
    ]
    return replace(fit, notes=tuple(notes))
