"""Notes out of the events of one channel: what begins is paired with what ends it, by stated rules.

A note ends at the first note-off of its pitch: of two that sound at once the one begun first. Where
note-offs are missing each ends the note begun last. Then:

no end            ends where the next of its pitch begins, at an "all notes off", or with its bar
no length         is given one tick
overlapping       ends where the next of its pitch begins; of two begun at once the longer stays
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from elman.data.symbolic.arrays import Ints

HANGING: Final = "notes without an end: ended with their bar, or where their pitch begins again"
NO_LENGTH: Final = "notes of no length: given one tick"
OVERLAPPING: Final = "notes of one pitch at once: the first ends where the next begins"
TWICE: Final = "notes of one pitch begun at once: the longest stays"
NO_NOTE: Final = "ends of notes that did not sound: passed over"

Open = tuple[int, int | None, int]  # start, end where there is one, velocity


def notes_of(
    switches: Ints, silences: Sequence[int], bar_end: Callable[[int], int], mended: Counter[str]
) -> Ints:
    """The notes of one channel of one track [N, 4], by start, then by pitch.

    `switches` [K, 3] has tick, pitch and velocity, 0 where a note ends, by tick as in the file;
    `silences` are the ticks of "all notes off".
    """
    by_pitch = switches[np.argsort(switches[:, 1], kind="stable")]
    found = _alternating(by_pitch)
    if found is None:
        rows: list[tuple[int, int, int, int]] = []
        cuts = np.flatnonzero(np.diff(by_pitch[:, 1])) + 1
        for of_pitch in np.split(by_pitch, cuts):
            pitch = int(of_pitch[0, 1])
            opened = _paired([(tick, v) for tick, _, v in of_pitch.tolist()], mended)
            rows += _mended(pitch, opened, silences, bar_end, mended)
        found = np.array(rows, np.int64).reshape(-1, 4)
    return found[np.lexsort((found[:, 2], found[:, 0]))]


def _alternating(by_pitch: Ints) -> Ints | None:
    """The notes where nothing has to be mended: every note ends, after it began, before the next of
    its pitch begins. None where that is not so."""
    tick, pitch, velocity = by_pitch.T
    on, off = by_pitch[0::2], by_pitch[1::2]
    fine = (
        len(on) == len(off)
        and bool((velocity[0::2] > 0).all())
        and not velocity[1::2].any()
        and bool((pitch[0::2] == pitch[1::2]).all())
        and bool((tick[0::2] < tick[1::2]).all())
    )
    if not fine:
        return None
    return np.stack([on[:, 0], off[:, 0] - on[:, 0], on[:, 1], on[:, 2]], 1)


def _paired(switches: Sequence[tuple[int, int]], mended: Counter[str]) -> list[Open]:
    """The notes of one pitch, in the order in which they begin."""
    done: list[Open] = []
    sounding: deque[tuple[int, int]] = deque()
    orphans = 0
    for tick, velocity in switches:
        if velocity:
            sounding.append((tick, velocity))
        elif sounding:
            start, velocity = sounding.popleft()
            done.append((start, tick, velocity))
        else:
            orphans += 1
    mended[NO_NOTE] += orphans
    if sounding:
        mended[HANGING] += len(sounding)
        return _last_begun(switches)
    return done


def _last_begun(switches: Sequence[tuple[int, int]]) -> list[Open]:
    """The notes of one pitch where ends are missing: each ends the note begun last."""
    done: list[Open] = []
    sounding: list[tuple[int, int]] = []
    for tick, velocity in switches:
        if velocity:
            sounding.append((tick, velocity))
        elif sounding:
            start, velocity = sounding.pop()
            done.append((start, tick, velocity))
    return sorted([*done, *((start, None, v) for start, v in sounding)], key=lambda one: one[0])


def _mended(
    pitch: int, opened: Sequence[Open], silences: Sequence[int], bar_end: Callable[[int], int],
    mended: Counter[str],
) -> list[tuple[int, int, int, int]]:  # fmt: skip
    """Start, length, pitch and velocity of the notes of one pitch; none overlaps the next."""
    notes: list[tuple[int, int, int, int]] = []
    starts = [start for start, _, _ in opened]
    for start, end, velocity in opened:
        if end is None:
            later = (_next(silences, start), _next(starts, start), bar_end(start))
            end = min(tick for tick in later if tick is not None)
        elif end == start:
            mended[NO_LENGTH] += 1
        note = (start, max(end - start, 1), pitch, velocity)
        if notes and sum(notes[-1][:2]) > start:
            last = notes.pop()
            if last[0] == start:
                mended[TWICE] += 1
                note = max(last, note)
            else:
                mended[OVERLAPPING] += 1
                notes.append((last[0], start - last[0], pitch, last[3]))
        notes.append(note)
    return notes


def _next(ticks: Sequence[int], after: int) -> int | None:
    """The first of the ticks that is later, if one is."""
    k = bisect_right(ticks, after)
    return ticks[k] if k < len(ticks) else None
