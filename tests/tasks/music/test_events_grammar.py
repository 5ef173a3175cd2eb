"""What the grammar admits is a piece, and every piece is admitted."""

from __future__ import annotations

import random

import numpy as np
import pytest
from event_pieces import held, piece, settings

from elman.tasks.music.events.fitting import fitted
from elman.tasks.music.events.grammar import Grammar, Keeping, Stand
from elman.tasks.music.events.settings import DRUMS, KINDS, Settings
from elman.tasks.music.events.tokens import tokenizer


@pytest.mark.parametrize("seed", range(30))
def test_every_piece_is_admitted_token_by_token(seed: int) -> None:
    draw = random.Random(seed)
    own, one = settings(draw), piece(draw)
    known, fit = tokenizer(own), fitted(one, own)
    grammar = Grammar(known)
    at = grammar.start()
    ids = known.encode_fitted(fit)[1:].tolist()
    if not fit.notes:
        return
    for token in ids:
        grammar.read(at, token)
    assert at.last == "EOS"
    assert sorted(at.notes) == list(fit.notes)
    assert sorted(at.begun) == sorted((n.start, n.instrument, n.pitch) for n in fit.notes)
    assert tuple(at.bars) == fit.bars


def walk(grammar: Grammar, draw: random.Random, tokens: int) -> tuple[list[int], Stand]:
    """Any tokens that are admitted, no end among them, up to where no event is half told."""
    at, ids = grammar.start(), [grammar.tokenizer.begin]
    while len(ids) < tokens or not at.settled:
        mask = grammar.allowed(at)
        mask[grammar.tokenizer.end] = False
        fitting = np.flatnonzero(mask)
        assert len(fitting), f"stuck after {len(ids)} tokens"
        token = int(draw.choice(fitting))
        grammar.read(at, token)
        ids.append(token)
    return ids, at


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_admitted_decodes_to_the_notes_that_the_grammar_read(seed: int) -> None:
    """No note hangs, none is empty, no two of a pitch and instrument overlap; and what is decoded
    and encoded again is the same, as far as a note follows."""
    draw = random.Random(seed)
    own = settings(draw)
    known = tokenizer(own)
    grammar = Grammar(known)
    ids, at = walk(grammar, draw, draw.randint(1, 300))
    closing = grammar.closing(at, at.step + draw.randint(0, 5))
    for token in closing[:0] if at.last == "TimeShift" else closing:
        grammar.move(at, token)
    if at.last == "TimeShift":
        at = grammar.walked(ids + closing)
    assert own.barred or not at.sounding
    back = known.decode(ids + closing)
    assert held(back) == [tuple(n) for n in sorted(at.notes)]
    assert all(note[3] > note[0] for note in held(back))
    assert fitted(back, own).lost.gone == fitted(back, own).lost.shortened == 0
    again = known.encode(back)[0].tolist()[1:-1]
    notes = [
        k for k, token in enumerate(ids) if known.kinds[token] in ("Duration", "NoteOff", "DrumOff")
    ]
    if notes and not closing:
        upto = notes[-1]
        assert again[:upto] == ids[1 : upto + 1]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_to_be_kept_is_kept_and_never_leads_to_where_nothing_may_follow(seed: int) -> None:
    draw = random.Random(seed)
    own = settings(draw, lowest=40, highest=60)
    pitches = np.zeros(128, np.bool_)
    pitches[draw.sample(range(40, 61), draw.randint(1, 4))] = True
    most = draw.choice((None, 1, 2, 3))
    metre = draw.choice(("", draw.choice(own.metres))) if own.barred else ""
    if own.instruments == (DRUMS,):
        return
    known = tokenizer(own)
    grammar = Grammar(known, Keeping(pitches, metre, most))
    ids, at = walk(grammar, draw, 200)
    back = known.decode(ids + grammar.closing(at, at.step))
    for start, instrument, pitch, _, _ in held(back):
        assert instrument == DRUMS or pitches[pitch]
        sounding = [n for n in held(back) if n[0] <= start < n[3]]
        assert most is None or len(sounding) <= most
    assert not metre or {m.beats for m in back.metres} <= {int(metre.split("/")[0])}


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_else_is_admitted(kind: str) -> None:
    """A token that the grammar refuses would break what it promises: it is refused for a reason."""
    own = Settings(kind, 4, 60, 62, 8, metres=("2/4", "4/4"))  # type: ignore[arg-type]
    known = tokenizer(own)
    grammar = Grammar(known)
    named = {str(t): k for k, t in enumerate(known.tokens)}
    sequences = {
        "remi": [
            ("Pitch C4",), ("Bar", "Bar"), ("Bar", "Metre 2/4", "Position 8"),
            ("Bar", "Metre 2/4", "Position 3", "Pitch C4", "Duration 2", "Pitch C4"),
            ("Bar", "Metre 2/4", "Position 3", "Pitch C#4", "Duration 2", "Pitch C4"),
            ("Bar", "Metre 2/4", "Position 3", "Pitch C4", "Duration 2", "Position 2"),
            ("Bar", "Metre 2/4", "Position 3", "Pitch C4", "Duration 2", "Position 4", "Pitch C4"),
            ("Bar", "Metre 2/4", "<end>"), ("<end>",), ("Bar", "Metre 2/4", "PAD"),
            ("Bar", "Metre 2/4", "Position 3", "Position 4"),
        ],
        "midi-like": [
            ("NoteOff C4",), ("NoteOn C4", "NoteOff C4"), ("NoteOn C4", "NoteOn C4"),
            ("NoteOn C4", "TimeShift 2", "NoteOn C4"), ("NoteOn C4", "TimeShift 2", "<end>"),
            ("NoteOn C4", "TimeShift 2", "TimeShift 1"), ("NoteOn C#4", "NoteOn C4"),
            ("NoteOn C4", "TimeShift 2", "NoteOn C#4", "NoteOff C4"), ("TimeShift 2", "<end>"),
            ("NoteOn C4", "NoteOn C#4", "TimeShift 2", "NoteOff C4", "<end>"),
        ],
    }  # fmt: skip
    for sequence in sequences[kind]:
        at = grammar.start()
        for name in sequence[:-1]:
            grammar.read(at, named[name])
        with pytest.raises(ValueError, match="cannot stand there"):
            grammar.read(at, named[sequence[-1]])


def test_nothing_to_write_is_refused() -> None:
    own = Settings("remi", 4, 60, 62, 8)
    with pytest.raises(ValueError, match="nothing"):
        Grammar(tokenizer(own), Keeping(np.zeros(128, np.bool_)))
