"""Canons: made by rules that all of them keep, and that show where other music breaks them."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from elman.data.built_in import canons
from elman.data.built_in.canon_rules import RULES, Share, added, line, violations
from elman.data.built_in.made_sound import Draws
from elman.data.built_in.named import NAMED
from elman.data.symbolic.abc import read_abc
from elman.data.symbolic.account import Account
from elman.data.symbolic.grid import Grid, choose, to_frames, to_piece
from elman.data.symbolic.piece import Note, Piece, Track

PIECES = canons.pieces()


def pitches(piece: Piece, *, voice: int, at: int, to: int) -> Piece:
    """The piece with another pitch for one note."""
    notes = list(piece.tracks[voice].notes)
    notes[at] = notes[at]._replace(pitch=to)
    tracks = list(piece.tracks)
    tracks[voice] = replace(tracks[voice], notes=tuple(notes))
    return replace(piece, tracks=tuple(tracks))


def roll(piece: Piece) -> Piece:
    """The piece as one track that tells neither key nor metre, as a network's frames are."""
    notes = sorted(note for track in piece.tracks for note in track.notes)
    return replace(piece, tracks=(Track(tuple(notes)),), key="", metres=(), voices=False)


def moved(piece: Piece, semitones: int) -> Piece:
    return replace(
        piece,
        key="",
        tracks=tuple(
            Track(tuple(note._replace(pitch=note.pitch + semitones) for note in track.notes))
            for track in piece.tracks
        ),
    )


def test_the_set_is_what_is_known_under_its_name() -> None:
    made = canons.canons()
    assert hashlib.sha256(made).hexdigest() == NAMED["canons"].sha256
    assert len(made) == NAMED["canons"].size


def test_what_is_written_is_read_as_the_same_pieces() -> None:
    account = Account()
    found = read_abc(canons.canons().decode(), "name:canons", account)
    assert tuple(found) == PIECES
    assert [piece.key for piece in found] == [piece.key for piece in PIECES]
    assert [account.pieces, account.tracks] == [400, 800] and not account.mended + account.unused
    parts = [piece.part for piece in found]
    assert {part: parts.count(part) for part in parts} == {"train": 300, "valid": 50, "test": 50}


def test_every_canon_keeps_every_rule() -> None:
    shares = added(map(violations, PIECES))
    assert tuple(shares) == RULES
    assert all(share.broken == 0 and share.of >= 400 for share in shares.values())


@pytest.mark.parametrize("semitones", [-5, 3])
def test_the_rules_hold_in_other_keys_and_without_being_told_of_voices(semitones: int) -> None:
    some = PIECES[::9]
    for shares in map(violations, (moved(roll(piece), semitones) for piece in some)):
        assert not sum(share.broken for rule, share in shares.items() if rule != "range")


def test_what_a_network_of_frames_sees_and_writes_is_judged_alike() -> None:
    grid = choose(PIECES).grid
    assert grid == Grid(2)
    for piece in PIECES[::9]:
        frames = to_frames(piece, grid)
        again = to_piece(frames, grid)
        assert frames.lost.kept == piece.count and not (again.key or again.metres)
        assert violations(again) == violations(piece)


def test_canons_differ_in_all_that_is_drawn() -> None:
    made = canons.made()
    assert {canon.steps for canon in made} == set(canons.PLACES)
    assert {canon.key.short for canon in made} == set(canons.KEYS)
    assert {(c.beats, c.delay) for c in made} == {(2, 2), (2, 4), (3, 3), (4, 2), (4, 4)}
    assert len({piece.tracks for piece in PIECES}) == len(PIECES)


def test_other_seeds_are_other_canons_and_one_seed_the_same() -> None:
    canon = canons._canon(Draws(3, 7), 8, "train")
    assert canons._canon(Draws(3, 7), 8, "train") == canon
    assert canons._canon(Draws(4, 7), 8, "train").voices != canon.voices


@pytest.mark.parametrize("number", range(0, 400, 57))
def test_one_wrong_note_breaks_rules_and_which(number: int) -> None:
    piece = PIECES[number]
    draw = np.random.default_rng(number)
    at = int(draw.integers(2, len(piece.tracks[0].notes) - 3))
    note, after = piece.tracks[0].notes[at : at + 2]
    below = next(n for n in piece.tracks[1].notes[::-1] if n.start <= max(note.start, n.start))

    wrong = violations(pitches(piece, voice=0, at=at, to=100))
    assert wrong["range"].broken == 1 and wrong["melody"].broken >= 1
    assert wrong["imitation"].broken >= 1 or note.start >= _free(piece)
    same = violations(pitches(piece, voice=0, at=at, to=after.pitch))
    assert same["melody"].broken >= 1
    assert violations(pitches(piece, voice=0, at=at, to=20))["range"].broken == 1
    assert below.pitch < note.pitch


def _free(piece: Piece) -> int:
    return piece.length - 2 * piece.metres[0].beats * piece.division


def test_every_rule_is_broken_by_music_that_breaks_it() -> None:
    """Noise in the rhythm of the canons breaks all rules but those of rhythm and of voices."""
    draw = np.random.default_rng(5)

    def noise(track: Track) -> Track:
        drawn = draw.integers(38, 90, len(track.notes))
        return Track(
            tuple(n._replace(pitch=int(p)) for n, p in zip(track.notes, drawn, strict=True))
        )

    noisy = [replace(p, tracks=tuple(map(noise, p.tracks))) for p in PIECES[:30]]
    shares = added(map(violations, noisy))
    kept = {rule for rule, share in shares.items() if not share.broken}
    assert kept <= {"voices", "rhythm"}

    late = [_late(piece) for piece in PIECES[:5]]
    assert all(violations(piece)["rhythm"].broken for piece in late)
    thick = [_thick(roll(piece)) for piece in PIECES[:5]]
    assert all(violations(piece)["voices"] == Share(1, piece.length // 240) for piece in thick)


def _late(piece: Piece) -> Piece:
    """The first quarter that is left by a quarter begins an eighth late, after a rest."""
    upper, lower = (list(track.notes) for track in piece.tracks)
    k = next(k for k, note in enumerate(upper) if note.length == 480 and k)
    upper[k] = upper[k]._replace(start=upper[k].start + 240, length=240)
    return replace(piece, tracks=(Track(tuple(upper)), Track(tuple(lower))))


def _thick(piece: Piece) -> Piece:
    """A third note sounds for the last eighth."""
    (track,) = piece.tracks
    low, high = (f(n.pitch for n in track.notes if n.end == piece.length) for f in (min, max))
    note = Note(piece.length - 240, 240, (low + high) // 2)
    return replace(piece, tracks=(Track((*track.notes, note)),))


def test_parallel_octaves_all_the_way_are_told() -> None:
    piece = PIECES[0]
    upper = piece.tracks[0]
    lower = Track(tuple(note._replace(pitch=note.pitch - 12) for note in upper.notes))
    shares = violations(replace(piece, tracks=(upper, lower)))
    assert shares["parallels"] == Share(len(upper.notes) - 1, len(upper.notes) - 1)
    assert shares["imitation"].share > 0.5
    crossed = replace(piece, tracks=(upper, upper))
    assert violations(crossed)["crossing"].share == 1


@pytest.mark.parametrize(
    ("pitches", "broken"), [((72, 79, 77, 76), 0), ((72, 79, 81, 79), 1), ((72, 79, 76, 74), 1),
                            ((72, 76, 79, 77), 0), ((79, 72, 74, 76), 0), ((79, 72, 71, 72), 1)],
)  # fmt: skip
def test_a_wide_leap_asks_for_a_step_back(pitches: tuple[int, ...], broken: int) -> None:
    upper = Track(tuple(Note(480 * k, 480, pitch) for k, pitch in enumerate(pitches)))
    lower = Track(tuple(Note(960 * k, 960, 48 + k) for k in range(2)))
    shares = violations(Piece("p", 480, (upper, lower), 1920, key="C"))
    assert shares["recovery"].broken == broken


def test_shares_add_up() -> None:
    one, two = {"range": Share(1, 4)}, {"range": Share(2, 4)}
    assert added([one, two])["range"] == Share(3, 8)
    assert added([one, two])["range"].share == 0.375
    assert Share(0, 0).share == 0
    assert line(added([one, {"melody": Share(1, 100)}])) == (
        "rules of canons broken: range 25.0%, melody 1.0%; 11 always kept"
    )
    assert line(added([])) == "rules of canons broken: none of 13"
