"""Pieces to tokens, and which tokens there are: from pieces to a data set of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from elman.data.symbolic.piece import Piece
from elman.tasks import naming
from elman.tasks.music.data import Parts
from elman.tasks.music.events.choosing import chosen, held
from elman.tasks.music.events.data import EventData, Tune, settled
from elman.tasks.music.events.fitting import fitted
from elman.tasks.music.events.lost import Lost
from elman.tasks.music.events.settings import Settings
from elman.tasks.music.events.tokens import Tokenizer, tokenizer
from elman.tasks.music.options import OCTAVE, MusicOptions
from elman.tasks.task import Kept
from elman.wording import counted

ALL_KEYS = (-6, 5)  # semitones: every key once
GRID = 12  # steps a quarter: sixteenths and triplets of eighths


def read(parts: Parts, options: MusicOptions) -> EventData:
    """There are tokens for whatever any of the pieces has."""
    grid = options.steps_per_quarter or GRID
    settings = replace(
        chosen(parts.pieces, options.tokens, grid, options.velocities, keys(options)),
        held=held(parts.train, grid),
    )
    known = tokenizer(settings)
    lost = Lost()
    train, lost = _tunes(parts.train, known, lost)
    if not train:
        raise parts.bad.nothing_left(f"{parts.name}: no piece with a note to train on")
    check, lost = _tunes(parts.check, known, lost)
    if parts.check and not check:
        raise parts.bad.nothing_left(f"{parts.name}: nothing is left to validate on")
    test = None
    if parts.test is not None:
        test, lost = _tunes(parts.test, known, lost)
    facts = (*parts.facts, *_told(settings, known), *lost.changed_lines())
    warnings = (*parts.warnings, *lost.gone_lines())
    return EventData(parts.name, settings, train, check, parts.bad, test, facts, warnings)


def keys(options: MusicOptions) -> tuple[int, int]:
    """By how many semitones a piece is moved down, at most 0, and up: by default into all keys."""
    asked = OCTAVE if options.transpose is None else options.transpose
    return ALL_KEYS if asked >= OCTAVE // 2 else (-asked, asked)


def unseen(parts: Parts, kept: Kept) -> EventData:
    known = settled(kept)
    check, lost = _tunes(parts.check, known, Lost())
    if not check:
        raise parts.bad.nothing_left(f"{parts.name}: no piece with a note that the model knows")
    facts = (*parts.facts, *lost.changed_lines())
    warnings = (*parts.warnings, *lost.gone_lines())
    return EventData(parts.name, known.settings, (), check, parts.bad, None, facts, warnings)


def overlap(dataset: EventData, training: EventData) -> str:
    known, scored = ([t.digest() for t in some] for some in (training.train, dataset.check))
    return naming.trained_on(known, scored, "piece")


def tune(piece: Piece, known: Tokenizer) -> tuple[Tune, Lost]:
    """A piece as its tokens, and what they do not tell."""
    fit = fitted(piece, known.settings)
    quarters = max((note.end for note in fit.notes), default=0) / known.settings.grid
    return Tune(piece.name, known.encode_fitted(fit), len(fit.notes), quarters), fit.lost


def _tunes(pieces: Sequence[Piece], known: Tokenizer, lost: Lost) -> tuple[tuple[Tune, ...], Lost]:
    """Those that have a note, and what is lost besides."""
    made = [tune(piece, known) for piece in pieces]
    return tuple(one for one, _ in made if one.notes), sum((each for _, each in made), lost)


def _told(s: Settings, known: Tokenizer) -> list[str]:
    """For the user: what the tokens are."""
    loud = counted(s.velocities, "velocity", "velocities") if s.velocities else "no velocities"
    players = counted(len(s.instruments), "instrument")
    what = {
        "remi": f"REMI, {counted(len(s.metres), 'metre')}, notes of up to {s.longest} steps",
        "midi-like": "MIDI-like",
    }[s.kind]
    return [
        f"tokens: {what}; {s.grid} steps a quarter, pitches {s.lowest} to {s.highest}, {loud}, "
        f"{players}: {len(known):,} symbols"
    ]
