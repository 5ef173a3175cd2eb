"""Rolls in JSON and .npz: what is written is read again; what is no roll is told in a line."""

from __future__ import annotations

import io
import json
import random

import numpy as np
import pytest

from elman.data.symbolic import rolls
from elman.data.symbolic.account import Account
from elman.data.symbolic.grid import Grid, to_frames
from elman.data.symbolic.piece import Piece
from elman.data.tables.content import BadRows
from elman.errors import UserError

PARTS = ("train", "valid", "test")


def read(value: object, name: str = "x.json", bad: BadRows | None = None) -> list[Piece]:
    return rolls.read_json(json.dumps(value).encode(), name, Account(), bad)


def some(draw: random.Random, voices: int = 0) -> list[list[int]]:
    """Steps of a piece: chords, or so many voices of which some are silent; at least one note."""
    steps = []
    for _ in range(draw.randint(1, 30)):
        if voices:
            steps.append([draw.choice((-1, draw.randrange(128))) for _ in range(voices)])
        else:
            steps.append(sorted(draw.sample(range(128), draw.randrange(4))))
    return [*steps, [60] * voices or [60, 61], steps[0]]


def steps_of(piece: Piece) -> list[list[int]]:
    """What sounds in each step, through frames: another way than the writer's."""
    frames = to_frames(piece, Grid(piece.division))
    if frames.voices is not None:
        found: list[list[int]] = frames.voices.tolist()
        return found
    return [np.flatnonzero(row).tolist() for row in frames.sounding]


@pytest.mark.parametrize("seed", range(10))
def test_every_step_of_every_part_is_read(seed: int) -> None:
    draw = random.Random(seed)
    voices = draw.choice((0, 0, 2, 4))
    value = {part: [some(draw, voices) for _ in range(draw.randint(1, 3))] for part in PARTS}
    if voices:  # a first voice that is the highest, so that their order is as it should be
        value["train"][0] = [[127, *[-1] * (voices - 2), 0]] * 4000
    pieces = read(value)
    assert all(piece.voices == bool(voices) for piece in pieces)
    for part in PARTS:
        assert [steps_of(piece) for piece in pieces if piece.part == part] == value[part]
    assert json.loads(rolls.write_json(pieces)) == value


def test_voices_are_the_highest_first_whatever_their_order() -> None:
    down = read([[[72, 60, 48], [71, 60, -1]]])
    up = read([[[48, 60, 72], [-1, 60, 71]]])
    assert down[0].tracks == up[0].tracks and [t.notes[0].pitch for t in up[0].tracks] == [
        72, 60, 48
    ]  # fmt: skip


def test_the_name_tells_how_long_a_step_is() -> None:
    names = {"jsb-quarter.json": 1, "a/8th.json": 2, "Jsb16thSeparated.json": 4, "x": 1, "216th": 1}
    for name, division in names.items():
        assert read([[[60, 64], []]], name)[0].division == division, name


def test_notes_twice_in_a_step_are_counted() -> None:
    account = Account()
    data = json.dumps([[[60, 60, 64], [60, 60]]]).encode()
    (piece,) = rolls.read_json(data, "x", account)
    assert piece.count == 2 and account.mended == {rolls.TWICE: 2}
    assert (account.pieces, account.tracks, account.notes) == (1, 1, 2)


def test_arrays_are_read_as_rolls_pianos_or_voices() -> None:
    held = io.BytesIO()
    roll, piano = np.zeros((3, 128), np.uint8), np.zeros((2, 3, 88), bool)
    roll[1, 64], piano[0, :2, 39], piano[1, 1, 0] = 90, True, True
    voices = np.array([[60.0, np.nan], [62.0, 50.0]])
    np.savez_compressed(held, train_a=roll, test=piano)
    found = {p.name: p for p in rolls.read_npz(held.getvalue(), "x", Account())}
    assert {p.part for p in found.values()} == {"train", "test"}
    assert steps_of(found["x, train_a"]) == [[], [64], []]
    assert steps_of(found["x, test 1"]) == [[60], [60]], "silence that fills up is taken away"
    assert steps_of(found["x, test 2"]) == [[], [21]]
    held = io.BytesIO()
    np.savez(held, voices)
    (piece,) = rolls.read_npz(held.getvalue(), "x", Account())
    assert piece.voices and steps_of(piece) == [[60, -1], [62, 50]]


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "not JSON"), (DEEP, "nested too deep"), (b"{}", "JSON without rolls"),
        (b'{"train": 3}', "is no list"), (b"[[[60.5]]]", "60.5 is no MIDI note"),
        (b"[[[200]]]", "200 is no MIDI note; 0 to 127"), (b"[[[true]]]", "True is no MIDI note"),
        (b"[[[NaN]]]", "no MIDI note"), (b"[[[1e999]]]", "no MIDI note"),
        (b"[[60]]", "step 1: no list"), (b"[3]", "no list of steps"), (b"[[[]]]", "without a note"),
        (b"[[[60, -1], [60]]]", "-1 stands for a silent voice"), (b"\xff\xfe[", "not JSON"),
        (b"[[[60]]]" + b" " * rolls.MOST_JSON, "bytes of JSON, more than"),
        (json.dumps([[list(range(17))]]).encode(), "17 voices, more than 16"),
    ],
)  # fmt: skip
def test_what_is_no_roll_is_told_in_a_line(data: bytes, why: str) -> None:
    with pytest.raises(UserError) as caught:
        rolls.read_json(data, "x", Account())
    told = str(caught.value)
    assert told.startswith("x") and why in told and "\n" not in told and len(told) < 400


def test_pieces_that_are_wrong_are_left_out_one_by_one() -> None:
    bad, account = BadRows(skip=True), Account()
    data = json.dumps({"train": [[[60]], [[]], [[300]], [[61]]]}).encode()
    pieces = rolls.read_json(data, "x", account, bad)
    assert [piece.name for piece in pieces] == ["x, train 1", "x, train 4"]
    assert bad.count == 2 and [name for name, _ in account.left_out] == ["x, train 2", "x, train 3"]
    assert account.pieces == account.notes == 2


def test_arrays_that_are_no_rolls_are_refused() -> None:
    for array, why in (
        (np.zeros((3, 40)), "40 numbers a step"), (np.zeros(3), "give numbers"),
        (np.array([[object()]]), "holds objects"), (np.array([["a"]]), "give numbers"),
        (np.full((2, 2), 300), "no MIDI note"),
    ):  # fmt: skip
        held = io.BytesIO()
        np.savez(held, train=array)
        with pytest.raises(UserError, match=why):
            rolls.read_npz(held.getvalue(), "x", Account())
