"""Canons: pieces of two voices made by rules, so that what a network learns of them can be checked.

X:1
T:Canon 1, at the octave below after 4 beats
N:made by rules, for training: nobody's music
M:4/4
L:1/8
K:Am
V:1
e2 d2 c4 | …
V:2
z8 | E2 D2 C4 | …

One voice leads and the other follows, so many beats later and so many steps of the scale away. The
last two bars are free, for the cadence. What holds in all of them is in `canon_rules.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from elman.data.built_in.canon_rules import (
    BEAT,
    CONSONANT,
    LEAPS,
    PERFECT,
    RANGE,
    STRONG,
    WIDE,
)
from elman.data.built_in.made_sound import Draws
from elman.data.symbolic.piece import Metre, Note, Piece, Tempo, Track
from elman.data.symbolic.theory import keys
from elman.data.symbolic.theory.keys import Key

SEED: Final = 1722
PARTS: Final = {"train": 300, "valid": 50, "test": 50}
KEYS: Final = ("C", "G", "D", "F", "Bb", "Eb", "Am", "Em", "Dm", "Gm", "Bm")
DIVISION: Final = 480  # ticks of a quarter, as the reader of ABC has them
UNIT: Final = DIVISION // BEAT  # ticks of an eighth
MADE: Final = "made by rules, for training: nobody's music"

# What fills a half or a whole bar, in eighths; what stands twice comes twice as often.
CELLS: Final = {
    2: ((4,), (2, 2), (2, 2), (2, 1, 1), (1, 1, 2), (1, 1, 1, 1)),
    3: ((6,), (4, 2), (4, 2), (2, 2, 2), (2, 2, 2), (2, 2, 1, 1), (2, 1, 1, 2), (4, 1, 1)),
}
BARS: Final = {2: (12, 20), 3: (9, 15), 4: (8, 12)}
DELAYS: Final = {2: (2, 4), 3: (3,), 4: (2, 4)}  # beats, by the beats of a bar
# Where the voice that follows is, in steps of the scale; and the degrees of its leader.
PLACES: Final = {
    -7: ("octave below", (35, 46)),
    7: ("octave above", (27, 38)),
    -4: ("fifth below", (34, 44)),
    4: ("fifth above", (29, 39)),
}
MOVES: Final = (1, -1) * 6 + (2, -2) * 2 + (3, -3, 4, -4) + (7, -7)  # steps of the scale
TRIES: Final = 1500  # notes tried before another rhythm is drawn


class Placed(NamedTuple):
    """A note in eighths, at a degree of the key, or raised by a semitone."""

    start: int
    length: int
    degree: int
    raised: bool = False


@dataclass(frozen=True)
class Canon:
    number: int
    part: str
    key: Key
    beats: int  # quarters of a bar
    delay: int  # beats
    steps: int  # where the voice that follows is: one of `PLACES`
    tempo: int  # quarters a minute
    voices: tuple[tuple[Placed, ...], tuple[Placed, ...]]  # the upper one first

    @property
    def title(self) -> str:
        after = f"after {self.delay} beats"
        return f"Canon {self.number}, at the {PLACES[self.steps][0]} {after}"

    @property
    def length(self) -> int:
        """In eighths."""
        return self.voices[0][-1].start + self.voices[0][-1].length


def canons() -> bytes:
    """The built-in set as ABC; the parts are told by lines for programs (%%)."""
    lines = ["% Canons of two voices, made by rules; nobody wrote them.", ""]
    for canon in made():
        lines += [*_abc(canon), ""]
    return "\n".join(lines).encode()


def pieces() -> tuple[Piece, ...]:
    """The built-in set as it is read from `canons()`."""
    return tuple(_piece(canon) for canon in made())


@lru_cache(1)
def made(seed: int = SEED) -> tuple[Canon, ...]:
    """All canons, each drawn from (seed, its number) alone."""
    parts = [part for part, count in PARTS.items() for _ in range(count)]
    return tuple(_canon(Draws(seed, k), k + 1, part) for k, part in enumerate(parts))


def _canon(draw: Draws, number: int, part: str) -> Canon:
    beats = draw.between(2, 4)
    key = keys.key(KEYS[draw.between(0, len(KEYS) - 1)])
    delay = DELAYS[beats][draw.between(0, len(DELAYS[beats]) - 1)]
    steps = tuple(PLACES)[draw.between(0, len(PLACES) - 1)]
    tempo = 10 * draw.between(8, 14)
    while True:
        bars = draw.between(*BARS[beats])
        voices = Search(draw, key, beats, bars, delay * BEAT, steps).found()
        if voices:
            return Canon(number, part, key, beats, delay, steps, tempo, voices)


class Search:
    """Looks for the notes of a canon, one after the other, and goes back where none fits."""

    def __init__(
        self, draw: Draws, key: Key, beats: int, bars: int, delay: int, steps: int
    ) -> None:
        self.draw, self.key, self.delay, self.steps = draw, key, delay, steps
        self.bar = beats * BEAT
        self.strict = (bars - 2) * self.bar  # from here on both voices are free
        self.end = bars * self.bar
        self.strong = STRONG[beats]
        self.sign = -1 if steps > 0 else 1  # of the leader's pitch less that of its follower
        self.slots = list(self._rhythm(beats, bars))
        self.voices: tuple[list[Placed], list[Placed]] = ([], [])  # the leader, its follower
        self.sounding: tuple[list[int], list[int]] = ([], [])  # of every eighth the note's place
        self.pitches = [key.pitch(degree) for degree in range(70)]
        self.low, self.high = PLACES[steps][1]
        self.tries = 0

    def found(self) -> tuple[tuple[Placed, ...], tuple[Placed, ...]] | None:
        """The upper and the lower voice, or None where the search took too long."""
        self.sounding[1].extend([-1] * self.delay)
        if not self._extend(0):
            return None
        upper, lower = self.voices[:: self.sign]
        return tuple(upper), tuple(lower)

    def _rhythm(self, beats: int, bars: int) -> Iterator[tuple[int, int]]:
        """Start and length of the leader's notes; in the bar before the last, quarters."""
        at, cell = 0, 3 if beats == 3 else 2
        while at < self.strict:
            choices = CELLS[cell]
            for length in choices[self.draw.between(0, len(choices) - 1)]:
                yield at, length
                at += length
        for at in range(self.strict, self.strict + self.bar, BEAT):
            yield at, BEAT
        yield self.strict + self.bar, self.bar

    def _extend(self, slot: int) -> bool:
        if slot == len(self.slots):
            return True
        self.tries += 1
        if self.tries > TRIES:
            return False
        start, length = self.slots[slot]
        for lead, follow in self._candidates(start, length):
            if self._place(lead, follow):
                if self._extend(slot + 1):
                    return True
                self._take_back(lead, follow)
            if self.tries > TRIES:
                return False
        return False

    def _candidates(self, start: int, length: int) -> Iterator[tuple[Placed, Placed | None]]:
        """What may come next: the leader's note and its follower's, if it has one then."""
        lead = self.voices[0]
        if start < self.strict:
            free = start + self.delay >= self.strict
            for degree in self._nexts(lead):
                follow = Placed(start + self.delay, length, degree + self.steps)
                yield Placed(start, length, degree), None if free else follow
            return
        last = start + length - self.strict - self.bar  # eighths of the final note before its end
        for one in self._nexts(lead):
            for two in self._nexts(self.voices[1]):
                if last > 0 and (one % 7 or two % 7):
                    continue
                if last == 0 and {one % 7, two % 7} != {1, 6}:
                    continue
                raised = [last == 0 and self.key.mode == "minor" and x % 7 == 6 for x in (one, two)]
                yield Placed(start, length, one, raised[0]), Placed(start, length, two, raised[1])

    def _nexts(self, voice: list[Placed]) -> list[int]:
        """Degrees that may follow in a voice, in an order that is drawn."""
        if not voice:
            tonic = [x for x in range(self.low, self.high + 1) if self._opens(x)]
            return [tonic[self.draw.between(0, len(tonic) - 1)]]
        here = voice[-1].degree
        if len(voice) > 1:
            before = self._pitch(voice[-1]) - self._pitch(voice[-2])
            if abs(before) > WIDE:
                return [here - 1 if before > 0 else here + 1]
        order: list[int] = []
        for _ in range(8):
            move = MOVES[self.draw.between(0, len(MOVES) - 1)]
            if here + move not in order:
                order.append(here + move)
        return order

    def _opens(self, degree: int) -> bool:
        return degree % 7 in (0, 4) and (degree + self.steps) % 7 in (0, 4)

    def _pitch(self, note: Placed) -> int:
        return self.pitches[note.degree] + note.raised

    def _place(self, lead: Placed, follow: Placed | None) -> bool:
        """Put the notes down if they break no rule."""
        if not self._fits_in(0, lead) or (follow and not self._fits_in(1, follow)):
            return False
        if lead.start < self.strict and not self.low <= lead.degree <= self.high:
            return False
        self._put(0, lead)
        if follow:
            self._put(1, follow)
        if all(self._agree(at) for at in range(lead.start, lead.start + lead.length)):
            return True
        self._take_back(lead, follow)
        return False

    def _put(self, voice: int, note: Placed) -> None:
        self.sounding[voice].extend([len(self.voices[voice])] * note.length)
        self.voices[voice].append(note)

    def _take_back(self, lead: Placed, follow: Placed | None) -> None:
        for voice, note in enumerate((lead, follow)):
            if note:
                self.voices[voice].pop()
                del self.sounding[voice][-note.length :]

    def _fits_in(self, voice: int, note: Placed) -> bool:
        """Whether a note may follow the last one of its voice."""
        notes, pitch = self.voices[voice], self._pitch(note)
        if not RANGE[0] <= pitch <= RANGE[1]:
            return False
        if not notes:
            return True
        last, move = notes[-1], note.degree - notes[-1].degree
        if abs(pitch - self._pitch(last)) not in LEAPS or (note.raised and last.degree % 7 == 5):
            return False
        return abs(move) == 1 or not self._passing(voice, last)

    def _passing(self, voice: int, note: Placed) -> bool:
        """Whether a note began as a dissonance, so that it has to go on by a step."""
        other = self._at(1 - voice, note.start)
        return other is not None and self._apart(note, other) not in CONSONANT

    def _apart(self, one: Placed, two: Placed) -> int:
        return abs(self._pitch(one) - self._pitch(two)) % 12

    def _at(self, voice: int, at: int) -> Placed | None:
        places = self.sounding[voice]
        if at >= len(places) or places[at] < 0:
            return None
        return self.voices[voice][places[at]]

    def _agree(self, at: int) -> bool:
        """Whether both voices fit at this eighth; where no note begins, they did before."""
        lead, follow = self._at(0, at), self._at(1, at)
        if lead is None or follow is None:
            return True
        begin = [note.start == at for note in (lead, follow)]
        if not any(begin):
            return True
        if self.sign * (self._pitch(lead) - self._pitch(follow)) <= 0:
            return False
        apart = self._apart(lead, follow)
        if apart in CONSONANT:
            if apart not in PERFECT or not all(begin) or at == 0:
                return True
            before = self._at(0, at - 1), self._at(1, at - 1)
            return before[1] is None or self._apart(*before) != apart  # type: ignore[arg-type]
        if all(begin) or at % self.bar in self.strong:
            return False
        voice = begin.index(True)
        return self._by_step(voice, at)

    def _by_step(self, voice: int, at: int) -> bool:
        """Whether the note that begins here is reached by a step and left by one, if known."""
        notes, place = self.voices[voice], self.sounding[voice][at]
        near = notes[max(place - 1, 0)], notes[place], *notes[place + 1 : place + 2]
        if place == 0:
            return False
        return all(abs(one.degree - two.degree) == 1 for one, two in pairwise(near))


def _piece(canon: Canon) -> Piece:
    tracks = tuple(
        Track(tuple(
            Note(note.start * UNIT, note.length * UNIT, canon.key.pitch(note.degree) + note.raised)
            for note in voice
        ))
        for voice in canon.voices
    )  # fmt: skip
    return Piece(
        f"name:canons, X:{canon.number}", DIVISION, tracks, canon.length * UNIT,
        (Tempo(0, canon.tempo),), (Metre(0, canon.beats, 4),),
        voices=True, part=canon.part, key=canon.key.short,
    )  # fmt: skip


def _abc(canon: Canon) -> Iterator[str]:
    yield f"%%elman:part {canon.part}"
    yield from (f"X:{canon.number}", f"T:{canon.title}", f"N:{MADE}")
    yield from (f"M:{canon.beats}/4", "L:1/8", f"Q:1/4={canon.tempo}", f"K:{canon.key.short}")
    for k, voice in enumerate(canon.voices):
        yield f"V:{k + 1}"
        yield " | ".join(" ".join(bar) for bar in _bars(canon, voice)) + " |]"


def _bars(canon: Canon, voice: tuple[Placed, ...]) -> Iterator[list[str]]:
    bar = canon.beats * BEAT
    held: dict[int, list[str]] = {k: [] for k in range(canon.length // bar)}
    for at in range(0, voice[0].start, bar):
        held[at // bar].append(f"z{min(bar, voice[0].start - at)}")
    for note in voice:
        held[note.start // bar].append(_written(canon.key, note))
    yield from held.values()


def _written(key: Key, note: Placed) -> str:
    letter, octave = key.spelling(note.degree)
    sign = {0: "=", 1: "^", 2: "^^"}[key.signature[letter] + 1] if note.raised else ""
    marks = "'" * (octave - 5) if octave > 4 else "," * (4 - octave)
    length = "" if note.length == 1 else str(note.length)
    return f"{sign}{letter.lower() if octave > 4 else letter}{marks}{length}"
