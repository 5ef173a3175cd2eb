"""Notes out of the events of one channel: what begins is paired with what ends it, by stated rules.

A note ends at the first note-off of its pitch: of two that sound at once the one begun first. Where
note-offs are missing each ends the note begun last. Then:

no end            ends where the next of its pitch begins, at an "all notes off", or with its bar
no length         is given one tick
overlapping       ends where the next of its pitch begins; of two begun at once the longer stays
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from elman.data.symbolic.piece import Note

HANGING: Final = "notes without an end: ended with their bar, or where their pitch begins again"
NO_LENGTH: Final = "notes of no length: given one tick"
OVERLAPPING: Final = "notes of one pitch at once: the first ends where the next begins"
TWICE: Final = "notes of one pitch begun at once: the longest stays"
NO_NOTE: Final = "ends of notes that did not sound: passed over"

Switch = tuple[int, int, int]  # tick, pitch, velocity; 0 where a note ends


class Open(NamedTuple):
    """A note as it was begun; `end` is None where nothing ends it."""

    start: int
    end: int | None
    velocity: int


def notes_of(
    switches: Sequence[Switch], silences: Sequence[int], bar_end: Callable[[int], int],
    mended: Counter[str],
) -> list[Note]:  # fmt: skip
    """The notes of one channel of one track, by start, then by pitch.

    `switches` by tick, as in the file; `silences` are the ticks of "all notes off".
    """
    found: list[Note] = []
    for pitch, opened in _paired(switches, mended).items():
        found += _mended(pitch, opened, silences, bar_end, mended)
    found.sort()
    return found


def _paired(switches: Sequence[Switch], mended: Counter[str]) -> dict[int, list[Open]]:
    """The notes of every pitch, in the order in which they begin."""
    done: dict[int, list[Open]] = defaultdict(list)
    sounding: dict[int, list[tuple[int, int]]] = {}
    for tick, pitch, velocity in switches:
        if velocity:
            if (begun := sounding.get(pitch)) is None:
                sounding[pitch] = [(tick, velocity)]
            else:
                begun.append((tick, velocity))
        elif begun := sounding.get(pitch):
            start, velocity = begun.pop(0)
            done[pitch].append(Open(start, tick, velocity))
        else:
            mended[NO_NOTE] += 1
    for pitch, begun in sounding.items():
        if begun:
            mended[HANGING] += len(begun)
            done[pitch] = _last_begun([one for one in switches if one[1] == pitch])
    return done


def _last_begun(switches: Sequence[Switch]) -> list[Open]:
    """The notes of one pitch where ends are missing: each ends the note begun last."""
    done: list[Open] = []
    sounding: list[tuple[int, int]] = []
    for tick, _, velocity in switches:
        if velocity:
            sounding.append((tick, velocity))
        elif sounding:
            start, velocity = sounding.pop()
            done.append(Open(start, tick, velocity))
    return sorted([*done, *(Open(start, None, v) for start, v in sounding)], key=lambda o: o.start)


def _mended(
    pitch: int, opened: Sequence[Open], silences: Sequence[int], bar_end: Callable[[int], int],
    mended: Counter[str],
) -> list[Note]:  # fmt: skip
    """The notes of one pitch, none of which overlaps the next."""
    notes: list[Note] = []
    for start, end, velocity in opened:
        if end is None:
            k = bisect_right(silences, start)
            end = min([bar_end(start), *silences[k : k + 1]])
        elif end == start:
            mended[NO_LENGTH] += 1
        length = max(end - start, 1)
        if notes and (last := notes[-1]).end > start:
            if last.start == start:
                mended[TWICE] += 1
                notes[-1] = max(last, Note(start, length, pitch, velocity))
                continue
            mended[OVERLAPPING] += 1
            notes[-1] = last._replace(length=start - last.start)
        notes.append(Note(start, length, pitch, velocity))
    return notes
