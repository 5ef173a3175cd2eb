"""Histograms: each as its own definition counts, and how they move with the notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elman.data.symbolic.piece import Note, Piece, Track
from elman.tasks.music.histograms import NAMES, histograms, overlaps


def drawn(seed: int) -> Piece:
    draw = np.random.default_rng(seed)
    tracks = []
    for _ in range(3):
        at, notes = 0, []
        for _ in range(40):
            at += int(draw.integers(0, 9))
            length = int(draw.integers(1, 20))
            notes.append(Note(at, length, int(draw.integers(50, 75))))
            at += length
        tracks.append(Track(tuple(notes)))
    return Piece("p", 4, tuple(tracks), max(t.notes[-1].end for t in tracks) + 3)


@pytest.mark.parametrize("seed", range(3))
def test_shares_add_up_and_overlap_is_one_with_itself(seed: int) -> None:
    found, other = histograms([drawn(seed)]), histograms([drawn(seed + 9)])
    assert tuple(found) == NAMES
    for name, histogram in found.items():
        assert histogram.shares.sum() == pytest.approx(1)
        assert len(histogram.shares) == len(histogram.labels)
        assert histogram.overlap(histogram) == pytest.approx(1)
        assert 0 < histogram.overlap(other[name]) == other[name].overlap(histogram) < 1
    assert overlaps(found, other) == {n: found[n].overlap(other[n]) for n in NAMES}
    with pytest.raises(ValueError, match="other things"):
        found["interval"].overlap(found["duration"])


@pytest.mark.parametrize("seed", range(3))
def test_transposed_all_but_the_pitch_classes_stay_and_these_turn(seed: int) -> None:
    piece = drawn(seed)
    up = replace(piece, tracks=tuple(
        Track(tuple(n._replace(pitch=n.pitch + 5) for n in track.notes)) for track in piece.tracks
    ))  # fmt: skip
    one, two = histograms([piece]), histograms([up])
    assert np.allclose(np.roll(one["pitch class"].shares, 5), two["pitch class"].shares)
    for name in NAMES[1:]:
        assert (one[name].shares == two[name].shares).all()


@pytest.mark.parametrize("seed", range(3))
def test_polyphony_is_that_of_every_tick(seed: int) -> None:
    piece = drawn(seed)
    notes = [note for track in piece.tracks for note in track.notes]
    at_once = [
        len({n.pitch for n in notes if n.start <= tick < n.end}) for tick in range(piece.length)
    ]
    counts = np.bincount(at_once, minlength=9)
    found = histograms([piece])["polyphony"]
    assert np.allclose(found.shares, counts / piece.length)
    assert found.count == piece.length / piece.division


def test_a_tune_counted_by_hand() -> None:
    tune = Track((Note(0, 4, 60), Note(4, 2, 64), Note(6, 2, 59), Note(8, 8, 60), Note(8, 8, 76)))
    drums = Track(tuple(Note(k, 1, 42) for k in range(16)), is_drum=True)
    found = histograms([Piece("p", 4, (tune, drums), 20)])

    def shares(name: str) -> dict[str, float]:
        pairs = zip(found[name].labels, found[name].shares.tolist(), strict=True)
        return {label: share for label, share in pairs if share}

    assert shares("pitch class") == {"C": 12 / 24, "E": 10 / 24, "B": 2 / 24}
    assert shares("interval") == pytest.approx({"+4": 1 / 3, "-5": 1 / 3, ">+12": 1 / 3})
    assert shares("duration") == {"1": 0.2, "1/2": 0.4, "2": 0.4}
    assert shares("polyphony") == {"0": 0.2, "1": 0.4, "2": 0.4}
    assert [found[name].count for name in NAMES] == [6, 3, 5, 5]
    empty = histograms([Piece("p", 4, (), 0)])
    assert all(h.count == 0 and not h.shares.any() for h in empty.values())
