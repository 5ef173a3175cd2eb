"""How voices move against one another: what treatises forbid, counted.

voices [T, V]: the pitch of each voice in each step, the highest voice first, -1 where it is silent.
Whether a note goes on or is struck again is not told: only a change of pitch is a move. The counts
are those of events, so that a finer grid does not change them, as long as it moves no note.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FIFTH, OCTAVE = 7, 0  # semitones, octaves left aside
THIRD = 4  # semitones: a wider move is a leap
WIDE = 12  # semitones between neighbours of which neither is the bass


def chorale_counts(voices: ArrayLike) -> dict[str, int]:
    """What voices [T, V] do, the highest first, -1 for silence: counts, which add up over pieces.

    moves               changes of pitch of a voice that sounds on
    leaps               moves wider than a third
    wide leaps          moves wider than an octave
    tritones            moves of six semitones
    voice crossings     stretches in which a voice is above its upper neighbour
    voice overlaps      moves above where the upper, or below where the lower neighbour just was
    parallel fifths     two voices move the same way, from a fifth to a fifth
    parallel octaves    the same from octave to octave, or unison to unison
    wide spacings       stretches in which neighbours, the bass aside, are more than an octave apart
    """
    pitch = np.asarray(voices, np.int64)
    move, moved = _moves(pitch)
    size = abs(move)[moved]
    pairs = [(k, k + 1) for k in range(pitch.shape[1] - 1)]
    return {
        "moves": int(moved.sum()),
        "leaps": int((size > THIRD).sum()),
        "wide leaps": int((size > WIDE).sum()),
        "tritones": int((size == 6).sum()),
        "voice crossings": sum(_stretches(crossed(pitch, *pair)) for pair in pairs),
        "voice overlaps": sum(int(overlaps(pitch, *pair).sum()) for pair in pairs),
        "parallel fifths": sum(int(found.sum()) for found in _parallels(pitch, FIFTH)),
        "parallel octaves": sum(int(found.sum()) for found in _parallels(pitch, OCTAVE)),
        "wide spacings": sum(_stretches(_spaced(pitch, *pair)) for pair in pairs[:-1]),
    }


def parallels(voices: ArrayLike, interval: int) -> list[tuple[int, int, int]]:
    """Step, upper and lower voice of each pair that moves the same way to an interval (7 is a
    fifth, 0 an octave or a unison) that it had in the step before."""
    pitch = np.asarray(voices, np.int64)
    pairs = combinations(range(pitch.shape[1]), 2)
    found = zip(pairs, _parallels(pitch, interval), strict=True)
    return sorted((int(t), *pair) for pair, steps in found for t in np.flatnonzero(steps))


def moves_in_parallel(before: Sequence[int], after: Sequence[int]) -> bool:
    """Whether from one step to the next any two voices move in parallel fifths or octaves, as
    `parallels` has it."""
    moved = [
        (a, b, b > a)
        for a, b in zip(before, after, strict=True)
        if a >= 0 and b >= 0 and a != b
    ]  # fmt: skip
    for (upper, upper_now, up), (lower, lower_now, also_up) in combinations(moved, 2):
        apart, apart_now = upper - lower, upper_now - lower_now
        octaves = apart % 12 == apart_now % 12 == OCTAVE
        fifths = apart % 12 == apart_now % 12 == FIFTH and apart > 0 and apart_now > 0
        if up == also_up and (octaves or fifths):
            return True
    return False


def crossed(pitch: Ints, upper: int, lower: int) -> Bools:
    """[T] whether the lower of two voices sounds above the upper one."""
    a, b = pitch[:, upper], pitch[:, lower]
    found: Bools = (a >= 0) & (b > a)
    return found


def overlaps(pitch: Ints, upper: int, lower: int) -> Bools:
    """[T] whether a voice moves past the note that the other one had in the step before."""
    moved = _moves(pitch)[1]
    a, b = pitch[:, upper], pitch[:, lower]
    found = np.zeros(len(pitch), bool)
    sounded = (a[:-1] >= 0) & (b[:-1] >= 0)
    up = moved[1:, lower] & (b[1:] > a[:-1])
    down = moved[1:, upper] & (a[1:] < b[:-1])
    found[1:] = sounded & (up | down)
    return found


def _parallels(pitch: Ints, interval: int) -> Iterator[Bools]:
    """Of each pair of voices [T] whether it moves in parallel to the interval."""
    move, moved = _moves(pitch)
    for upper, lower in combinations(range(pitch.shape[1]), 2):
        both = moved[:, upper] & moved[:, lower] & (move[:, upper] * move[:, lower] > 0)
        apart = (pitch[:, upper] - pitch[:, lower]) % 12 == interval
        if interval:  # a fourth below is a fifth above once voices have crossed
            apart &= pitch[:, upper] > pitch[:, lower]
        yield both & apart & np.append(False, apart[:-1])


def _moves(pitch: Ints) -> tuple[Ints, Bools]:
    """By how many semitones each voice moves to each step, and whether it does, [T, V]."""
    move = np.diff(pitch, axis=0, prepend=pitch[:1])
    sounding = pitch >= 0
    sounding[1:] &= pitch[:-1] >= 0
    return move, sounding & (move != 0)


def _spaced(pitch: Ints, upper: int, lower: int) -> Bools:
    a, b = pitch[:, upper], pitch[:, lower]
    found: Bools = (b >= 0) & (a - b > WIDE)
    return found


def _stretches(found: Bools) -> int:
    """How many stretches are true."""
    edges = np.diff(found.astype(np.int8), prepend=np.int8(0))
    return int((edges > 0).sum())
