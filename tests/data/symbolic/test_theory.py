"""Keys, chords, counterpoint: laws of transposition, and brute force beside."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from elman.data.symbolic.piece import Note, Piece, Track
from elman.data.symbolic.theory import chords, keys
from elman.data.symbolic.theory.counterpoint import (
    chorale_counts,
    moves_in_parallel,
    parallels,
)
from elman.errors import UserError

EVERY = [
    key
    for mode in keys.MODES
    for letter in keys.LETTERS
    for alter in (-1, 0, 1)
    if abs((key := keys.Key(letter, alter, mode)).sharps) <= keys.MOST
]
SIGNATURES = {  # from any book of rudiments
    "C": "", "G": "F#", "D": "F# C#", "A": "F# C# G#", "E": "F# C# G# D#", "F": "Bb", "Bb": "Bb Eb",
    "Eb": "Bb Eb Ab", "Am": "", "Em": "F#", "F#m": "F# C# G#", "Dm": "Bb", "Cm": "Bb Eb Ab",
    "D dorian": "", "E phrygian": "", "G mix": "", "F lydian": "", "B loc": "", "A dor": "F#",
    "Cb": "Bb Eb Ab Db Gb Cb Fb", "C#": "F# C# G# D# A# E# B#",
}  # fmt: skip


@pytest.mark.parametrize(("name", "signs"), SIGNATURES.items())
def test_signatures_are_those_of_the_books(name: str, signs: str) -> None:
    marks = {letter + keys.mark(alter) for letter, alter in keys.key(name).signature.items()}
    assert {mark for mark in marks if len(mark) > 1} == set(signs.split())


@pytest.mark.parametrize("key", EVERY, ids=lambda key: key.name.replace(" ", "-"))
def test_every_key_is_read_back_and_its_scale_goes_round(key: keys.Key) -> None:
    assert keys.key(key.name) == key == keys.key(key.short)
    for degree in range(70):
        pitch = key.pitch(degree)
        assert key.degree(pitch) == degree and pitch % 12 in key.classes
        letter, octave = key.spelling(degree)
        spelt = 12 * (octave + 1) + keys.NATURAL[letter] + key.signature[letter]
        assert spelt == pitch
        assert key.pitch(degree + 7) == pitch + 12
    assert len(key.classes) == 7
    outside = set(range(12)) - key.classes
    assert all(key.degree(pitch) is None for pitch in outside)


@pytest.mark.parametrize("key", EVERY[::5], ids=lambda key: key.name.replace(" ", "-"))
def test_twelve_transpositions_of_a_key_are_itself(key: keys.Key) -> None:
    assert key.transposed(12) == key.transposed(5).transposed(-5) == keys.on(key.tonic, key.mode)
    assert key.transposed(12).classes == key.classes
    assert key.transposed(2).classes == {(one + 2) % 12 for one in key.classes}


def test_names_of_keys() -> None:
    named = {
        "d minor": "Dm",
        "f#": "F#m",
        "Bb": "Bb",
        "B♭ major": "Bb",
        "e": "Em",
        "G# minor": "G#m",
    }
    assert {text: keys.key(text).short for text in named} == named
    assert keys.key("E min") == keys.key("Emin") == keys.key("Em") == keys.key("e aeolian")
    assert keys.key("G# major") == keys.key("Ab"), "a key of eight sharps is one of four flats"
    for text in ("H", "", "C##", "D minx7", "M", "C lydianish1", "Am7"):
        with pytest.raises(UserError, match=r"unknown key .* write for example"):
            keys.key(text)


@pytest.mark.parametrize("seed", range(4))
def test_the_estimate_moves_with_the_notes(seed: int) -> None:
    draw = np.random.default_rng(seed)
    weights = draw.random(12).tolist()
    found = keys.estimate(weights)
    assert found is not None
    for shift in range(12):
        moved = keys.estimate([weights[(k - shift) % 12] for k in range(12)])
        assert moved == keys.on(found.tonic + shift, found.mode)


@pytest.mark.parametrize("mode", ["major", "minor"])
def test_a_scale_that_ends_on_its_tonic_is_in_its_key(mode: str) -> None:
    key = keys.on(3, mode)
    degrees = (0, 2, 4, 7, 4, 2, 1, 3, 5, 4, 0)
    notes = tuple(Note(k, 1 + (k == 10), key.pitch(35 + d)) for k, d in enumerate(degrees))
    drums = Track(tuple(Note(k, 1, 42) for k in range(50)), is_drum=True)
    piece = Piece("scale", 1, (Track(notes), drums), 60)
    assert keys.of_pieces([piece]) == key
    assert keys.of_pieces([]) is None and keys.estimate([1.0] * 12) is None


CHORDS = {
    "C": "0 4 7", "Am": "9 0 4", "G7": "7 11 2 5", "F#m7b5": "6 9 0 4", "Bbmaj7": "10 2 5 9",
    "Csus4": "0 5 7", "Edim": "4 7 10", "Gd": "7 10 1", "Caug": "0 4 8", "D7b9": "2 6 9 0 3",
    "C6/9": "0 4 7 9 2", "Em7": "4 7 11 2", "D/f+": "2 6 9", "C/D": "0 4 7 2", "N.C.": "",
    "Cm": "0 3 7", "E-7": "4 7 11 2", "D m": "2 5 9", "Ab": "8 0 3", "C5": "0 7", "CM7": "0 4 7 11",
    "Bb/d": "10 2 5",
}  # fmt: skip


@pytest.mark.parametrize(("symbol", "classes"), CHORDS.items())
def test_chords_are_read_and_played_with_their_notes_alone(symbol: str, classes: str) -> None:
    chord = chords.read(symbol)
    assert chord is not None
    assert chord.classes == set(map(int, classes.split()))
    played = chord.pitches()
    assert {pitch % 12 for pitch in played} == chord.classes
    assert list(played) == sorted(set(played))
    assert not played or played[0] % 12 == chord.bass


@pytest.mark.parametrize("symbol", ["", "H", "hello", "(E7)", "c", "C7/", "C/h", "Fine", "Em add"])
def test_what_is_no_chord_is_none(symbol: str) -> None:
    assert chords.read(symbol) is None


@pytest.mark.parametrize("semitones", [1, 5, 12])
def test_chords_move_as_their_notes_do(semitones: int) -> None:
    for symbol in CHORDS:
        chord = chords.read(symbol)
        assert chord is not None
        moved = chord.transposed(semitones)
        assert moved.classes == {(one + semitones) % 12 for one in chord.classes}
        shape = np.diff(chord.pitches()).tolist()
        assert np.diff(moved.pitches()).tolist() == shape
        assert moved.pitches(36 + semitones) == tuple(p + semitones for p in chord.pitches(36))


def drawn(draw: np.random.Generator, steps: int, voices: int) -> NDArray[np.int64]:
    """Voices that often move together, hold, cross, leap and rest."""
    move = draw.choice([0, 0, 0, 1, 2, -1, -2, 3, -4, 7, -13, 6], (steps, voices))
    together = draw.random(steps) < 0.6
    move[together] = move[together, :1]
    pitch = np.array([72, 65, 60, 53, 46])[:voices] + move.cumsum(0)
    pitch = np.abs((pitch - 40) % 80 - 40) + 40  # back and forth between two bounds
    return np.where(draw.random(pitch.shape) < 0.05, -1, pitch)


def slowly(pitch: NDArray[np.int64]) -> dict[str, int]:
    """`chorale_counts`, step by step."""
    found: Counter[str] = Counter()
    steps, voices = pitch.shape

    def apart(t: int, u: int, v: int) -> int | None:
        a, b = pitch[t, u], pitch[t, v]
        return int(a - b) if a >= 0 and b >= 0 else None

    for t, v in itertools.product(range(1, steps), range(voices)):
        was, now = pitch[t - 1, v], pitch[t, v]
        if was < 0 or now < 0 or was == now:
            continue
        found["moves"] += 1
        found["leaps"] += abs(now - was) > 4
        found["wide leaps"] += abs(now - was) > 12
        found["tritones"] += abs(now - was) == 6
        for u in range(v + 1, voices):
            below, before = pitch[t, u], pitch[t - 1, u]
            if below < 0 or before < 0 or below == before:
                continue
            if (now > was) == (below > before):
                old, new = apart(t - 1, v, u), apart(t, v, u)
                assert old is not None and new is not None
                if old % 12 == new % 12 == 7 and new > 0:
                    found["parallel fifths"] += 1
                if old % 12 == new % 12 == 0:
                    found["parallel octaves"] += 1
    for v, t in itertools.product(range(voices - 1), range(steps)):
        here, before = apart(t, v, v + 1), apart(t - 1, v, v + 1) if t else None
        found["voice crossings"] += here is not None and here < 0 and not (before or 0) < 0
        if v < voices - 2:
            found["wide spacings"] += (here or 0) > 12 and not (before or 0) > 12
        if t and before is not None:
            up, low = pitch[t - 1, v], pitch[t - 1, v + 1]
            over = pitch[t, v + 1] not in (-1, low) and pitch[t, v + 1] > up
            under = pitch[t, v] not in (-1, up) and pitch[t, v] < low
            found["voice overlaps"] += int(over) or int(under)
    return dict(found)


@pytest.mark.parametrize("seed", range(6))
def test_counts_are_those_of_a_slow_twin(seed: int) -> None:
    draw = np.random.default_rng(seed)
    voices = drawn(draw, int(draw.integers(1, 120)), int(draw.integers(1, 6)))
    fast = chorale_counts(voices)
    assert fast == {name: slowly(voices).get(name, 0) for name in fast}


@pytest.mark.parametrize("seed", range(3))
def test_counts_stay_in_any_key_and_on_a_finer_grid(seed: int) -> None:
    voices = drawn(np.random.default_rng(seed), 500, 4)
    counts = chorale_counts(voices)
    assert all(counts.values()), "every kind of event is there to be counted"
    assert chorale_counts(np.where(voices < 0, -1, voices + 7)) == counts
    assert chorale_counts(voices.repeat(3, axis=0)) == counts


def test_parallels_are_told_with_their_places() -> None:
    voices = [[67, 60, 48], [69, 62, 50], [69, 62, 50], [71, 64, 48], [72, 60, 48]]
    assert parallels(voices, 7) == [(1, 0, 1), (1, 0, 2), (3, 0, 1)]
    assert parallels(voices, 0) == [(1, 1, 2)]
    assert parallels([[67, 60], [60, 67]], 7) == []


def test_two_steps_are_parallel_as_the_piece_is_that_they_make() -> None:
    """Drawn close together, so that both kinds are frequent, with silences and crossings."""
    draw, found = random.Random(), 0
    for _ in range(2_000):
        pitches = [-1, *range(60, 76)]
        both = [draw.choices(pitches, k=draw.randint(3, 4))]
        step = draw.choice([-2, -1, 1, 2])
        both.append([
            p + step if p >= 0 and draw.random() < 0.7 else draw.choice(pitches) for p in both[0]
        ])  # fmt: skip
        told = bool(parallels(both, 7) or parallels(both, 0))
        assert moves_in_parallel(*both) == told, both
        found += told
    assert 200 < found < 1_900
    assert chorale_counts(np.zeros((0, 4)))["moves"] == 0
