"""Bars and seconds of pieces; pieces as JSON."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from elman.data.symbolic.piece import ChordSymbol, Metre, Note, Piece, Tempo, Track
from elman.data.symbolic.record import from_record, is_record, to_record
from elman.data.symbolic.timing import bars, seconds
from elman.errors import UserError


def piece(draw: random.Random) -> Piece:
    """Any piece: some tracks of notes that do not overlap, tempos, metres, chords."""
    division, length = draw.choice([1, 4, 480]), draw.randint(40, 90)
    tracks = []
    for _ in range(draw.randint(0, 3)):
        notes, at = [], 0
        while at < length - 9:
            notes.append(Note(at, draw.randint(1, 9), draw.randint(0, 127), draw.randint(1, 127)))
            at = notes[-1].end + draw.randint(0, 4)
        tracks.append(Track(tuple(notes), draw.randint(0, 127), draw.random() < 0.2, "é"))
    ticks = sorted(draw.sample(range(1, length), 3))
    tempos = tuple(Tempo(t, draw.uniform(20, 300)) for t in (0, *ticks))
    metres = tuple(Metre(t, draw.randint(1, 12), draw.choice([2, 4, 8])) for t in (0, ticks[0]))
    chords = tuple(ChordSymbol(t, "Am7") for t in ticks)
    pickup = draw.randint(0, 3)
    return Piece("x", division, tuple(tracks), length, tempos, metres, chords, pickup)


@pytest.mark.parametrize("seed", range(20))
def test_seconds_add_up(seed: int) -> None:
    """Tick by tick, each as long as the newest tempo says."""
    draw = random.Random(seed)
    made = piece(draw)
    at, time = seconds(made), 0.0
    for tick in range(made.length):
        assert at(tick) == pytest.approx(time)
        tempo = [t.quarters_per_minute for t in made.tempos if t.tick <= tick][-1]
        time += 60 / (tempo * made.division)
    assert seconds(Piece("x", 2, (), 4))(4) == 1.0  # 120 quarters a minute where none is told


@pytest.mark.parametrize("seed", range(20))
def test_bars_begin_where_their_metre_says(seed: int) -> None:
    draw = random.Random(seed)
    made = piece(draw)
    (first, second), begins = made.metres, list(bars(made))
    assert begins == sorted(set(begins)) and begins[-1] < made.length
    for metre, part in (
        (first, [b for b in begins if b < second.tick]),
        (second, [b for b in begins if b >= second.tick]),
    ):
        size = made.division * 4 * metre.beats / metre.unit
        start = made.pickup if metre is first else metre.tick
        assert part == [start + k * size for k in range(len(part))]
    assert list(bars(Piece("x", 1, (), 9, pickup=1))) == [1, 5]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_json_and_back(seed: int) -> None:
    made = piece(random.Random(seed))
    value = json.loads(json.dumps(to_record(made)))
    assert is_record(value)
    assert from_record(value, made.name) == made


def test_damaged_json_is_refused() -> None:
    """Each value, and each part of it, replaced by what cannot stand there."""
    made = Piece("x", 4, (Track((Note(0, 2, 60), Note(2, 2, 62))),), 8, (Tempo(0, 90.0),),
                 (Metre(0, 3, 4),))  # fmt: skip
    good = json.loads(json.dumps(to_record(made)))
    note, row = ("tracks", 0, "notes", 0), ("tracks", 0, "notes", 1)
    damages: list[tuple[tuple[Any, ...], Any]] = [
        (("division",), 0), (("division",), 1.5), (("division",), None), (("length",), -1),
        (("length",), 3), (("tracks",), {}), (("tracks",), [1]), ((*note, 0), -1),
        ((*note, 0), 5), ((*note, 1), 0), ((*note, 2), 128), ((*note, 3), 0), ((*note, 3), "loud"),
        (note, [1, 2]), (row, [1, 1, 60, 80]), (("tempos", 0, 1), 0), (("tempos", 0), 3),
        (("metres", 0, 2), 0), (("pickup",), 9), (("tracks", 0, "program"), 128),
        (("tracks", 0, "notes"), None),
    ]  # fmt: skip
    assert from_record(good, "x") == made
    for path, value in damages:
        wrong = copy.deepcopy(good)
        *parents, last = path
        inner = wrong
        for key in parents:
            inner = inner[key]
        inner[last] = value
        with pytest.raises(UserError, match=r"x\.json: is no piece in JSON"):
            from_record(wrong, "x.json")
    for missing in ("division", "length", "tracks"):
        with pytest.raises(UserError, match="is no piece in JSON"):
            from_record({k: v for k, v in good.items() if k != missing}, "x.json")
    assert not is_record([[60]]) and not is_record({"train": []})
