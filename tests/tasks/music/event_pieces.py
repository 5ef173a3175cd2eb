"""Pieces and tokens drawn at random, and small untrained models over them."""

from __future__ import annotations

import random

import torch

from elman.data.symbolic.piece import Metre, Note, Piece, Tempo, Track
from elman.tasks.music.events.composing import EventComposer
from elman.tasks.music.events.model import EventModel, EventModels
from elman.tasks.music.events.playing import Player
from elman.tasks.music.events.settings import DRUMS, KINDS, Settings
from elman.tasks.music.events.tokens import tokenizer
from elman.tasks.text.options import TextOptions

METRES = ("4/4", "3/4", "6/8", "2/2", "1/4", "7/8", "3/8")


def settings(draw: random.Random, **fixed: object) -> Settings:
    """Any tokenizer, small."""
    lowest = draw.randint(0, 100)
    values: dict[str, object] = {
        "kind": draw.choice(KINDS),
        "grid": draw.choice((2, 4, 6, 12)),
        "lowest": lowest,
        "highest": draw.randint(lowest + 1, 127),
        "longest": draw.randint(1, 30),
        "velocities": draw.choice((0, 1, 3, 16, 127)),
        "velocity": draw.randint(1, 127),
        "instruments": tuple(sorted(draw.sample((DRUMS, 0, 5, 40, 127), draw.randint(1, 4)))),
        "metres": tuple(draw.sample(METRES, draw.randint(1, len(METRES)))),
        "tempo": round(draw.uniform(20, 300), 2),
    }
    return Settings(**(values | fixed))  # type: ignore[arg-type]


def piece(draw: random.Random, notes: int = 60, *, low: int = 0, high: int = 127) -> Piece:
    """Any piece: several instruments, metres that change anywhere, notes that meet and overlap."""
    division = draw.choice((1, 4, 24, 96, 480))
    length = division * draw.randint(1, 40)
    tracks = []
    for _ in range(draw.randint(1, 4)):
        made = [
            Note(
                start := draw.randrange(length), draw.randint(1, max(length - start, 1)),
                draw.randint(low, high), draw.randint(1, 127),
            )
            for _ in range(draw.randint(0, notes))
        ]  # fmt: skip
        tracks.append(Track(tuple(sorted(made)), draw.choice((0, 5, 40, 90)), draw.random() < 0.3))
    ticks = sorted({0, *(draw.randrange(length) for _ in range(draw.randint(0, 4)))})
    metres = tuple(Metre(t, draw.choice((1, 2, 3, 4, 6)), draw.choice((2, 4, 8))) for t in ticks)
    return Piece(
        "drawn", division, tuple(tracks), 2 * length, (Tempo(0, 90.0), Tempo(length // 2, 80.0)),
        metres, pickup=draw.choice((0, 0, division // 2, division)),
    )  # fmt: skip


def composer(own: Settings, seed: int, *, sure: float = 1.0, cell: str = "gru") -> EventComposer:
    """An untrained model of one network or two, as `seed` says; its scores are `sure` times as
    large as they come."""
    torch.manual_seed(seed)
    known, members = tokenizer(own), 1 + seed % 2
    made = EventModel if members == 1 else EventModels
    model = made(
        len(known),
        TextOptions(
            hidden_size=(7,), cell=(cell,), embedding=0, dropout=0.0, weight_drop=0.0,
            members=members,
        ),
    ).eval()  # fmt: skip
    with torch.no_grad():
        for network in model.networks:
            network.output.weight *= sure
    return EventComposer(known, Player(model, "cpu"))


def held(piece: Piece) -> list[tuple[int, int, int, int, int]]:
    """Its notes: start, instrument, pitch, end, velocity."""
    return sorted(
        (n.start, DRUMS if t.is_drum else t.program, n.pitch, n.end, n.velocity)
        for t in piece.tracks
        for n in t.notes
    )
