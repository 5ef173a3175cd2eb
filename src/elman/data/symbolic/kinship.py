"""Which pieces are the same tune, so that none stands in two parts of the data.

reel.mid, melody/reel.mid     one tune: a track of the first has the notes of the second
reel.mid, reel_in_g.mid       one tune: the same notes, all of them five semitones higher
1.mid, 1_no_repeat.mid        one tune: the same opening, whatever is repeated after it
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from elman.data.symbolic import arrays
from elman.data.symbolic.arrays import Ints
from elman.data.symbolic.piece import Piece, Track

FEWEST: Final = 16  # notes of a track by which two pieces are known to be one tune
OPENING: Final = 128  # notes of a piece, of all its tracks, by which it is known


def content(piece: Piece) -> str:
    """A digest of the notes: equal for pieces whose notes begin and end alike, at the same pitch,
    in tracks of the same order, whatever a quarter is divided into. 32 hexadecimal digits."""
    found = hashlib.blake2b(digest_size=16)
    for track in piece.tracks:
        found.update(b"drums" if track.is_drum else b"notes")
        found.update(_in_longest_ticks(_rows(track), piece.division))
    return found.hexdigest()


def tunes(pieces: Sequence[Piece]) -> list[str]:
    """For every piece the tune that it is, as a digest: equal for pieces that are one tune.

    Two pieces are one tune where they have a track of `FEWEST` notes or more whose notes begin
    alike at the same intervals, in any key, or where the first `OPENING` notes of all their tracks
    do; and so are those that are one tune with a third.
    """
    parent = list(range(len(pieces)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    own = [content(piece) for piece in pieces]
    first: dict[str, int] = {}
    for k, piece in enumerate(pieces):
        for key in (own[k], *_keys(piece)):
            a, b = root(first.setdefault(key, k)), root(k)
            parent[max(a, b)] = min(a, b)
    least: dict[int, str] = {}
    for k, digest in enumerate(own):
        least[root(k)] = min(least.get(root(k), digest), digest)
    return [least[root(k)] for k in range(len(pieces))]


def parted(pieces: Sequence[Piece], validation: float, test: float = 0.0) -> list[str]:
    """The part of every piece: train, valid or test; the two shares are of tunes.

    As the source says where it parts pieces; else drawn by what the tunes hold, so that all pieces
    of a tune are in one part, and others that are added move none. A share above 0 gets one tune at
    least, where there are as many.
    """
    if any(piece.part for piece in pieces):
        return [piece.part or "train" for piece in pieces]
    of_piece = tunes(pieces)
    ordered = sorted(set(of_piece), key=_drawn)
    held = [(name, share) for name, share in (("test", test), ("valid", validation)) if share]
    parts: dict[str, str] = {}
    edge = 0.0
    for name, share in held:
        edge += share
        left = [tune for tune in ordered if tune not in parts]
        taken = [tune for tune in left if _drawn(tune) < edge] or left[:1]
        parts.update(dict.fromkeys(taken[: max(len(left) - 1, 0)], name))
    return [parts.get(tune, "train") for tune in of_piece]


def _drawn(tune: str) -> float:
    """Where a tune lies in [0, 1): as good as by chance, always the same."""
    return int(hashlib.sha256(tune.encode()).hexdigest()[:12], 16) / 16**12


def _keys(piece: Piece) -> list[str]:
    """Digests of the tracks that are long enough to tell a tune, and of the opening of a piece that
    is: onsets and intervals."""
    each = [_rows(track) for track in piece.tracks if track.notes and not track.is_drum]
    found = [_relative(rows.copy(), piece.division) for rows in each if len(rows) >= FEWEST]
    if sum(map(len, each)) >= OPENING:
        every = np.concatenate(each)
        order = np.lexsort((every[:, 2], every[:, 0]))
        found.append(_relative(every[order[:OPENING]], piece.division))
    return found


def _relative(rows: Ints, division: int) -> str:
    rows[:, (0, 2)] -= rows[0, (0, 2)]
    rows[:, 1] = 0
    return hashlib.blake2b(_in_longest_ticks(rows, division), digest_size=16).hexdigest()


def _rows(track: Track) -> Ints:
    return arrays.table(track.notes)[:, :3]


def _in_longest_ticks(rows: Ints, division: int) -> bytes:
    """The division and the notes [N, 3] in the longest ticks that all of them are whole in."""
    ticks = math.gcd(division, int(np.gcd.reduce(rows[:, :2], axis=None)))
    rows[:, :2] //= ticks
    return (division // ticks).to_bytes(8, "little") + rows.tobytes()
