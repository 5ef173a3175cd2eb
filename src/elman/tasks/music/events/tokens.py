"""Tokens of pieces and back, by miditok's REMI and MIDI-like tokenizers.

<begin> Bar 3/4 Position 0 Pitch C4 Velocity 79 Duration 4 Position 4 … <end>

REMI: Huang and Yang 2020, arXiv:2002.00212; MIDI-like: Oore et al. 2018, arXiv:1808.03715; both as
miditok has them (Fradet et al. 2021, arXiv:2310.17202). A piece is fitted to the tokens before
miditok sees it (`fitting`), with a step of the grid as miditok's beat: so whatever is lost is
counted, and miditok loses nothing. miditok's metres are then lengths of bars; of several metres of
one length those after the first have tokens of their own, behind miditok's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.symbolic.piece import Metre, Note, Piece, Tempo, Track
from elman.errors import UserError
from elman.tasks.music.composing.rules import name_of
from elman.tasks.music.events.fitting import Fitted, Placed, fitted
from elman.tasks.music.events.lost import Lost
from elman.tasks.music.events.settings import DRUMS, Settings

Ids = NDArray[np.int64]

MISSING = "music as events needs miditok and symusic; pip install 'elman[music]'"
SPECIAL = ("PAD", "BOS", "EOS")


@dataclass(frozen=True)
class Token:
    """What one id means: `value` is a pitch, velocity, instrument or number of steps."""

    kind: str  # one of `KINDS`
    value: int = 0
    metre: str = ""

    def __str__(self) -> str:
        if self.kind in ("Pitch", "NoteOn", "NoteOff"):
            return f"{self.kind} {name_of(self.value)}"
        if self.kind in ("PAD", "BOS", "EOS", "Bar"):
            return {"BOS": "<begin>", "EOS": "<end>"}.get(self.kind, self.kind)
        return f"{self.kind} {self.metre or self.value}"


class Tokenizer:
    """Pieces as ids of tokens, by `settings`. UserError: miditok is not installed, or has no such
    tokenizer."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._miditok = _built(settings)
        base = sorted(self._miditok.vocab.items(), key=lambda item: item[1])
        if [number for _, number in base] != list(range(len(base))):
            raise UserError("miditok numbers its tokens in a way that is not known here")
        by_steps: dict[int, str] = {}
        own: list[str] = []  # metres as long as one before them
        for metre in settings.metres if settings.barred else ():
            steps = settings.bar_steps(metre)
            if by_steps.setdefault(steps, metre) != metre:
                own.append(metre)
        tokens = [_token(name, by_steps) for name, _ in base]
        self.base = len(base)
        self.tokens: tuple[Token, ...] = (*tokens, *(Token("Metre", 0, m) for m in own))
        self.metre_ids = {t.metre: k for k, t in enumerate(self.tokens) if t.kind == "Metre"}

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def begin(self) -> int:
        return self.tokens.index(Token("BOS"))

    @cached_property
    def end(self) -> int:
        return self.tokens.index(Token("EOS"))

    @cached_property
    def kinds(self) -> NDArray[np.str_]:
        """The kind of each id [V]."""
        return np.array([token.kind for token in self.tokens])

    @cached_property
    def pitched(self) -> NDArray[np.bool_]:
        """Which ids [V] go up with a piece that is transposed. Their neighbours are a semitone
        away."""
        return np.isin(self.kinds, ("Pitch", "NoteOn", "NoteOff"))

    @cached_property
    def pitches(self) -> Ids:
        """The pitch of each id [V] that is `pitched`, elsewhere 0."""
        values = np.array([token.value for token in self.tokens], np.int64)
        return np.where(self.pitched, values, 0)

    @cached_property
    def note_ids(self) -> NDArray[np.bool_]:
        """Which ids [V] begin a note."""
        return np.isin(self.kinds, ("Pitch", "NoteOn", "PitchDrum", "DrumOn"))

    def encode(self, piece: Piece) -> tuple[Ids, Lost]:
        """The tokens [T] of a piece, begin and end among them, and what they do not tell."""
        fit = fitted(piece, self.settings)
        return self.encode_fitted(fit), fit.lost

    def encode_fitted(self, fit: Fitted) -> Ids:
        inner = self._encoded(fit) if fit.notes else []
        return np.array([self.begin, *inner, self.end], np.int64)

    def decode(self, ids: Sequence[int] | Ids, name: str = "") -> Piece:
        """The piece of which these are the tokens, in the division of the grid.

        `ids` may lack begin and end. What follows no grammar is read as far as miditok reads it.
        """
        s, listed = self.settings, [int(k) for k in ids]
        inner = [k for k in listed if self.tokens[k].kind not in SPECIAL]
        names = [self.tokens[k].metre for k in inner if self.tokens[k].kind == "Metre"]
        placed = self._decoded(inner) if inner else []
        tracks = tuple(
            _track(placed, k) for k in s.instruments if any(n.instrument == k for n in placed)
        )
        sounds = max((note.end for note in placed), default=0)
        metres, bars = _metres(names, s)
        return Piece(
            name=name, division=s.grid, tracks=tracks, length=max(sounds, bars),
            tempos=(Tempo(0, s.tempo),), metres=metres,
        )  # fmt: skip

    def transposed(self, ids: Ids, semitones: int) -> Ids:
        """The tokens of the same piece so many semitones higher; drums stay.

        ValueError: a pitch that there is no token for.
        """
        moves = self.pitched[ids]
        pitches = self.pitches[ids[moves]] + semitones
        s = self.settings
        if len(pitches) and not (s.lowest <= pitches.min() and pitches.max() <= s.highest):
            raise ValueError(f"{semitones} semitones lead beyond {s.lowest} to {s.highest}")
        return np.where(moves, ids + semitones, ids)

    def room(self, ids: Ids) -> tuple[int, int]:
        """How many semitones down (at most 0) and up a piece can be transposed."""
        pitches = self.pitches[ids[self.pitched[ids]]]
        if not len(pitches):
            return 0, 0
        s = self.settings
        return min(s.lowest - int(pitches.min()), 0), max(s.highest - int(pitches.max()), 0)

    def _encoded(self, fit: Fitted) -> list[int]:
        import symusic as notation

        symusic: Any = notation  # its types are those of one unit of time
        s, score = self.settings, symusic.Score(1)
        spans = [s.bar_steps(bar.metre) for bar in fit.bars] or [4]
        starts = [bar.start for bar in fit.bars] or [0]
        for k, (start, span) in enumerate(zip(starts, spans, strict=True)):
            if k == 0 or span != spans[k - 1]:
                score.time_signatures.append(symusic.TimeSignature(start, span, 4))
        for instrument in s.instruments:
            own = [n for n in fit.notes if n.instrument == instrument]
            if not own:
                continue
            track = symusic.Track(program=max(instrument, 0), is_drum=instrument == DRUMS)
            rows = [(n.start, n.end - n.start, n.pitch, n.velocity) for n in own]
            times, lengths, pitches, loud = np.array(rows, np.int32).T.copy()
            track.notes = symusic.Note.from_numpy(
                times, lengths, pitches.astype(np.int8), loud.astype(np.int8)
            )
            score.tracks.append(track)
        made = self._miditok.encode(score, encode_ids=False)
        found: list[int] = list((made if s.several else made[0]).ids)
        if not s.barred:
            return found
        # miditok knows the lengths of bars, not their metres.
        names = iter(bar.metre for bar in fit.bars)
        return [self.metre_ids[next(names)] if self.tokens[k].kind == "Metre" else k for k in found]

    def _decoded(self, inner: list[int]) -> list[Placed]:
        """The notes, in the order of tokens."""
        from miditok import TokSequence

        s = self.settings
        if s.barred:
            inner = [
                self._lengths[s.bar_steps(token.metre)] if token.kind == "Metre" else k
                for k, token in ((k, self.tokens[k]) for k in inner)
            ]
        sequence = TokSequence(ids=inner)
        score = self._miditok.decode(
            sequence if s.several else [sequence],
            *(() if s.several else ([(max(s.instruments[0], 0), False)],)),
        )
        placed = []
        for track in score.tracks:
            instrument = DRUMS if track.is_drum else track.program
            for n in track.notes:
                velocity = n.velocity if s.velocities else s.velocity
                placed.append(Placed(n.time, instrument, n.pitch, n.time + n.duration, velocity))
        return sorted(placed)

    @cached_property
    def _lengths(self) -> dict[int, int]:
        """miditok's id of a bar of so many steps."""
        s, there = self.settings, self.tokens[: self.base]
        return {s.bar_steps(t.metre): k for k, t in enumerate(there) if t.kind == "Metre"}


@lru_cache(maxsize=8)
def tokenizer(settings: Settings) -> Tokenizer:
    """The tokenizer of these settings, made once."""
    return Tokenizer(settings)


def _built(s: Settings) -> Any:
    """miditok's tokenizer, made from its parameters alone."""
    try:
        import miditok
    except ImportError:
        raise UserError(MISSING) from None
    config = miditok.TokenizerConfig(
        # Where there are drums, miditok reads no drum whose pitch is outside `pitch_range` back.
        pitch_range=(s.lowest, s.highest),
        drums_pitch_range=(s.lowest, s.highest),
        beat_res={(0, s.longest): 1},
        special_tokens=list(SPECIAL),
        use_velocities=s.velocities > 0,
        num_velocities=max(s.velocities, 1),
        use_programs=s.several,
        programs=list(s.instruments),
        use_pitchdrum_tokens=s.drums,
        use_time_signatures=s.barred,
        time_signature_range={4: sorted({s.bar_steps(metre) for metre in s.metres})},
    )
    kind = {"remi": miditok.REMI, "midi-like": miditok.MIDILike}[s.kind]
    return kind(config)


def _token(name: str, metres: dict[int, str]) -> Token:
    """What miditok's name of a token says: "Pitch_60", "Duration_3.0.1", "TimeSig_16/4"."""
    kind, _, value = name.partition("_")
    if kind == "TimeSig":
        return Token("Metre", 0, metres[int(value.split("/")[0])])
    if kind in ("Duration", "TimeShift"):
        beats, _, _ = value.partition(".")
        return Token(kind, int(beats))
    return Token(kind, int(value)) if value != "None" else Token(kind)


def _track(placed: Sequence[Placed], instrument: int) -> Track:
    """Its notes, by start, then by pitch."""
    notes = [
        Note(n.start, n.end - n.start, n.pitch, n.velocity)
        for n in placed
        if n.instrument == instrument
    ]
    notes.sort(key=lambda note: (note.start, note.pitch))
    return Track(tuple(notes), max(instrument, 0), instrument == DRUMS)


def _metres(names: Sequence[str], settings: Settings) -> tuple[tuple[Metre, ...], int]:
    """The changes of metre, and the step at which the last bar ends."""
    found: list[Metre] = []
    at, before = 0, ""
    for name in names:
        if name != before:
            beats, unit = (int(part) for part in name.split("/"))
            found.append(Metre(at, beats, unit))
        at, before = at + settings.bar_steps(name), name
    return tuple(found), at
