"""Events: no note lasts longer than the longest that was trained on, or than rules say."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from event_pieces import composer, held, piece, settings

from elman.data.symbolic.piece import Note, Piece, Track
from elman.errors import UserError
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.events import choosing
from elman.tasks.music.events.grammar import Grammar, Keeping
from elman.tasks.music.events.settings import KINDS, Settings, from_plain
from elman.tasks.music.events.tokens import tokenizer


def lengths(one: Piece) -> list[int]:
    return [note.length for track in one.tracks for note in track.notes]


@pytest.mark.parametrize("seed", range(24))
def test_no_note_lasts_longer(seed: int) -> None:
    """A stop by a number of events may fall anywhere; by seconds within notes."""
    draw = random.Random(seed)
    own = settings(draw, metres=("3/4", "4/4"), grid=4, held=draw.randint(1, 9))
    asked = Composing(
        **draw.choice(({"bars": 4}, {"seconds": draw.uniform(1, 6)}, {"steps": 60})),
        keep=draw.choice(("", "at most 2 notes")), temperature=draw.choice((0.0, 1.0, 5.0)),
    )  # fmt: skip
    made = composer(own, seed, sure=draw.choice((0.0, 1.0, 30.0)))
    found = made.compose(asked, made.begin(), seed)
    list(found)
    assert max(lengths(found.piece), default=0) <= own.held
    made.check(found.place)
    at = found.grammar.walked(found.place.history.tolist())
    assert sorted((n[0], n[1], n[2]) for n in held(found.piece)) == sorted(at.begun)


@pytest.mark.parametrize("seed", range(8))
def test_rules_say_otherwise(seed: int) -> None:
    """Longer ones, and shorter ones when notes sound already that are longer than they may."""
    draw = random.Random(seed)
    own = settings(draw, kind=KINDS[seed % 2], metres=("3/4",), grid=2, held=4, longest=24)
    made = composer(own, seed, sure=3.0)
    found = made.compose(Composing(steps=80, keep="hold 2 bars"), made.begin(), seed)
    list(found)
    assert 4 < max(lengths(found.piece)) <= 12
    before = len(found.place.history)
    more = made.compose(Composing(steps=60, keep="hold 1 beat"), found.place, seed)
    list(more)
    assert len(more.place.history) > before
    at = found.grammar.walked(found.place.history.tolist())
    known = {(start, instrument, pitch) for start, instrument, pitch in at.begun}
    for start, instrument, pitch, end, _ in held(more.piece):
        assert end - start <= 2 or ((start, instrument, pitch) in known and end <= at.step + 1) or (
            own.barred and (start, instrument, pitch) in known
        )  # fmt: skip


def test_bars_and_beats_as_steps() -> None:
    made = composer(Settings("remi", 12, 21, 108, 48, metres=("6/8", "4/4"), held=7), 1)
    for keep, steps in (
        ("", 7), ("hold 2 bars", 72), ("hold 1 beat", 6), ("metre 4/4; hold 3 beats", 36),
    ):  # fmt: skip
        found = made.compose(Composing(keep=keep), made.begin(), 1)
        assert found.grammar.keeping.hold == steps


@pytest.mark.parametrize("seed", range(10))
def test_the_longest_note_is_counted(seed: int) -> None:
    """No token of the pieces tells of a longer one."""
    draw = random.Random(seed)
    own = settings(draw, grid=4, longest=192)
    pieces = [piece(draw) for _ in range(3)]
    most = choosing.held(pieces, 4)
    back = [tokenizer(own).decode(tokenizer(own).encode(one)[0]) for one in pieces]
    assert max((n for one in back for n in lengths(one)), default=0) <= most
    alone = Piece("x", 480, (Track((Note(100, 700, 60),)),), 800)
    assert choosing.held([alone], 4) == 6  # from step 1 to step 7
    assert choosing.held([], 4) == 0


def test_it_is_kept_with_the_model() -> None:
    own = Settings("remi", 12, 21, 108, 48, held=7)
    assert from_plain(own.plain()) == own
    older = {name: value for name, value in own.plain().items() if name != "held"}
    assert from_plain(older) == replace(own, held=0)
    for value in (-1, 1.5, "7", True, None):
        with pytest.raises(UserError, match="held"):
            from_plain(own.plain() | {"held": value})


def test_what_is_due_comes_before_all_that_follows_it() -> None:
    """Two notes of two instruments are to end: nothing else may happen before, in their order."""
    own = Settings("midi-like", 4, 60, 64, 8, instruments=(0, 40), held=3)
    known = tokenizer(own)
    grammar = Grammar(known, Keeping(hold=3))
    at = grammar.start()
    names = [str(token) for token in known.tokens]

    def tell(*tokens: str) -> None:
        for token in tokens:
            grammar.read(at, names.index(token))

    tell("Program 0", "NoteOn C4", "Program 40", "NoteOn D4")
    allowed = {names[k] for k in grammar.allowed(at).nonzero()[0]}
    assert {"TimeShift 3"} <= allowed and "TimeShift 4" not in allowed
    tell("TimeShift 3")
    assert {names[k] for k in grammar.allowed(at).nonzero()[0]} == {"Program 0"}
    tell("Program 0")
    assert {names[k] for k in grammar.allowed(at).nonzero()[0]} == {"NoteOff C4"}
    tell("NoteOff C4")
    # Another one of the first instrument may begin; the second's is still due.
    assert {names[k] for k in grammar.allowed(at).nonzero()[0]} == {"Program 0", "Program 40"}
    tell("Program 40", "NoteOff D4")
    assert "TimeShift 8" in {names[k] for k in grammar.allowed(at).nonzero()[0]}
