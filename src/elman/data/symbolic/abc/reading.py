"""Tunes in ABC → pieces: a track of each voice, and one of the chords written above the notes.

X:1
M:4/4
L:1/8
K:G
"G"G2 B2 d2 B2 | "D7"A4 F4 :|
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Final

from elman.data.symbolic.abc.fields import Wrong
from elman.data.symbolic.abc.items import Barline, Sound
from elman.data.symbolic.abc.played import played
from elman.data.symbolic.abc.tunes import Tune, cut
from elman.data.symbolic.abc.written import Reader
from elman.data.symbolic.account import Account
from elman.data.symbolic.piece import ChordSymbol, Metre, Note, Piece, Tempo, Track
from elman.data.symbolic.theory import chords
from elman.data.symbolic.timing import bar_ticks
from elman.data.tables.content import BadRows
from elman.errors import UserError

DIVISION: Final = 480  # ticks of a quarter; a multiple of it where lengths need one
MOST_DIVISION: Final = 32_640
MOST_QUARTERS: Final = 50_000  # that a tune lasts
CHORDS: Final = "chords"  # the name of the track that plays them
ACCOMPANIMENT: Final = 64  # the velocity of its notes


@dataclass
class Heard:
    """What a voice sounds like, in ticks."""

    notes: list[tuple[int, int, int]] = field(default_factory=list)  # start, end, pitch
    symbols: list[ChordSymbol] = field(default_factory=list)
    metres: list[Metre] = field(default_factory=list)
    tempos: list[Tempo] = field(default_factory=list)
    first_bar: int = 0  # where the first bar line stands
    length: int = 0
    alone: int = 0  # ties that no second note follows


def read_abc(text: str, name: str, account: Account, bad: BadRows | None = None) -> list[Piece]:
    """The tunes of a text, played out, each named by its file and X:.

    Raises `UserError`, naming the line, for a tune that cannot be read; with `bad` that skips it
    is left out and counted.
    """
    tunes, outside = cut(text)
    account.unused["lines of text outside of tunes"] += outside
    pieces = []
    for tune in tunes:
        reader, called = Reader(tune), f"{name}, {_called(tune)}"
        try:
            reader.read()
            pieces.append(_piece(reader, called))
        except Wrong as wrong:
            told = f"{name}, line {reader.line:,}: {wrong}"
            if bad is None:
                raise UserError(told) from None
            bad.refuse(told)
            account.left_out.append((called, f"line {reader.line:,}: {wrong}"))
            continue
        account.mended.update(reader.mended)
        account.unused.update(reader.unused)
    account.pieces += len(pieces)
    account.tracks += sum(len(piece.tracks) for piece in pieces)
    account.notes += sum(piece.count for piece in pieces)
    for counts in (account.mended, account.unused):
        counts += Counter()  # takes away what was counted never
    return pieces


def _called(tune: Tune) -> str:
    return f"X:{tune.number}" if tune.number else f"tune {tune.place}"


def _piece(reader: Reader, called: str) -> Piece:
    voices = list(reader.voices.values())
    lines = [played(voice.items, reader.order) for voice in voices]
    reader.line = reader.tune.lines[0].number
    division = _division(item for line in lines for item in line)
    heard = [listen(line, division) for line in lines]
    if not any(one.notes for one in heard):
        raise Wrong("the tune has no notes")
    length = max(one.length for one in heard)
    if length > MOST_QUARTERS * division:
        raise Wrong(f"the tune lasts more than {MOST_QUARTERS:,} quarters")
    reader.unused["ties without a second note"] += sum(one.alone for one in heard)
    reader.mended["voices shorter than their tune: silent at its end"] += sum(
        one.length < length for one in heard
    )
    tracks = [
        Track(_notes(one, reader.mended), voice.program, name=voice.label)
        for one, voice in zip(heard, voices, strict=True)
    ]
    symbols = sorted(symbol for one in heard for symbol in one.symbols)
    alone = len(tracks) > 1 and not symbols and all(_one_at_a_time(t.notes) for t in tracks)
    if alone:
        tracks.sort(key=lambda track: -sum(n.pitch for n in track.notes) / len(track.notes))
    if symbols:
        tracks.append(accompaniment(symbols, length))
    first = heard[0]
    whole = first.metres and first.first_bar < bar_ticks(division, first.metres[0])
    return Piece(
        called, division, tuple(tracks), length, tuple(first.tempos), tuple(first.metres),
        tuple(symbols), first.first_bar if whole else 0, alone, reader.tune.part, reader.key,
    )  # fmt: skip


def _division(items: Iterable[Sound | Barline]) -> int:
    """Ticks a quarter in which every length is a whole number."""
    sounds = [item for item in items if isinstance(item, Sound)]
    below = {sound.length.denominator for sound in sounds}
    below |= {note.length.denominator for sound in sounds for note in sound.notes}
    division = math.lcm(4 * DIVISION, *below) // 4
    if division > MOST_DIVISION:
        raise Wrong(f"its lengths have no common unit above 1/{4 * MOST_DIVISION:,}")
    return division


def listen(items: Iterable[Sound | Barline], division: int) -> Heard:
    """What is heard of a voice that is played out: notes that are tied are one."""
    heard, now, whole = Heard(), 0, 4 * division
    held: dict[int, int] = {}  # pitch → which note is tied onward
    for item in items:
        if isinstance(item, Barline):
            heard.first_bar = heard.first_bar or now
            continue
        _tell(item, now, heard)
        tied: dict[int, int] = {}
        for note in item.notes:
            end, which = now + _ticks(note.length, whole), held.pop(note.pitch, None)
            if which is not None and heard.notes[which][1] == now:
                heard.notes[which] = (heard.notes[which][0], end, note.pitch)
            else:
                which = len(heard.notes)
                heard.notes.append((now, end, note.pitch))
            if note.tied:
                tied[note.pitch] = which
        now += _ticks(item.length, whole)
        waiting = {p: which for p, which in held.items() if heard.notes[which][1] >= now}
        heard.alone += len(held) - len(waiting)
        held = waiting | tied
    heard.alone += len(held)
    heard.length = now
    return heard


def _ticks(length: Fraction, whole: int) -> int:
    """A length as ticks: whole * length, without making fractions of it, which is slow."""
    return length.numerator * whole // length.denominator


def _tell(item: Sound, now: int, heard: Heard) -> None:
    """Metre and tempo where they change, and the chord above a sound."""
    if item.metre and not (heard.metres and heard.metres[-1][1:] == item.metre):
        heard.metres.append(Metre(now, *item.metre))
    if item.tempo and not (heard.tempos and heard.tempos[-1][1] == item.tempo):
        heard.tempos.append(Tempo(now, item.tempo))
    if item.symbol:
        heard.symbols.append(ChordSymbol(now, item.symbol))


def _notes(heard: Heard, mended: Counter[str]) -> tuple[Note, ...]:
    """In order; where two of a pitch overlap, the first ends where the second begins."""
    notes: dict[tuple[int, int], int] = {}  # start, pitch → end
    for start, end, pitch in heard.notes:
        mended["notes twice at once: the longer one"] += (start, pitch) in notes
        notes[start, pitch] = max(notes.get((start, pitch), 0), end)
    begins: dict[int, int] = {}  # pitch → where the next note of it begins
    found = []
    for (start, pitch), end in sorted(notes.items(), reverse=True):
        last = begins.get(pitch, end)
        mended["notes that overlap one of their pitch: cut short"] += last < end
        found.append(Note(start, min(end, last) - start, pitch))
        begins[pitch] = start
    return tuple(reversed(found))


def _one_at_a_time(notes: Sequence[Note]) -> bool:
    return bool(notes) and all(a.end <= b.start for a, b in pairwise(notes))


def accompaniment(symbols: Sequence[ChordSymbol], length: int) -> Track:
    """Each chord from its symbol to the next one or the end, in close position above its bass."""
    ends = [symbol.tick for symbol in symbols[1:]] + [length]
    notes = []
    for (start, symbol), end in zip(symbols, ends, strict=True):
        chord = chords.read(symbol)
        if chord and end > start:
            notes += [Note(start, end - start, p, ACCOMPANIMENT) for p in chord.pitches()]
    return Track(tuple(notes), name=CHORDS)
