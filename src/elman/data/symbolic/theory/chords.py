"""Chord symbols: which notes they stand for.

"Am", "G7", "F#m7b5", "D/f#", "Bbmaj7", "Csus4", "N.C."
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from elman.data.symbolic.theory.keys import NATURAL

BASS: Final = 36  # the lowest note of a chord that is played stands in the octave from this C
SILENCE: Final = ("n.c.", "nc", "n.c", "no chord", "z")

KINDS: Final[Mapping[str, tuple[int, ...]]] = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "5": (0, 7),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
    "6": (0, 4, 7, 9),
    "m6": (0, 3, 7, 9),
    "69": (0, 4, 7, 9, 14),
    "add9": (0, 4, 7, 14),
    "madd9": (0, 3, 7, 14),
    "7": (0, 4, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "mmaj7": (0, 3, 7, 11),
    "dim7": (0, 3, 6, 9),
    "m7b5": (0, 3, 6, 10),
    "aug7": (0, 4, 8, 10),
    "7b5": (0, 4, 6, 10),
    "7sus4": (0, 5, 7, 10),
    "7b9": (0, 4, 7, 10, 13),
    "7#9": (0, 4, 7, 10, 15),
    "9": (0, 4, 7, 10, 14),
    "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "11": (0, 4, 7, 10, 14, 17),
    "m11": (0, 3, 7, 10, 14, 17),
    "13": (0, 4, 7, 10, 14, 21),
}
"""The notes of each kind of chord, in semitones above its root."""
SAME: Final[Mapping[str, str]] = {
    "M": "", "maj": "", "min": "m", "mi": "m", "-": "m", "d": "dim", "o": "dim", "°": "dim",
    "+": "aug", "a": "aug", "#5": "aug", "sus": "sus4", "6/9": "69", "add2": "add9", "2": "add9",
    "min7": "m7", "mi7": "m7", "-7": "m7", "M7": "maj7", "Δ": "maj7", "Δ7": "maj7", "j7": "maj7",
    "mM7": "mmaj7", "minmaj7": "mmaj7", "d7": "dim7", "o7": "dim7", "°7": "dim7", "ø": "m7b5",
    "ø7": "m7b5", "min7b5": "m7b5", "-7b5": "m7b5", "+7": "aug7", "a7": "aug7", "7#5": "aug7",
    "7+": "aug7", "7sus": "7sus4", "7-9": "7b9", "7+9": "7#9", "min6": "m6", "-6": "m6",
    "min9": "m9", "-9": "m9", "M9": "maj9", "min11": "m11", "dom7": "7", "m(maj7)": "mmaj7",
}  # fmt: skip
"""Other ways to write them."""
_SHARP: Final = {"": 0, "#": 1, "♯": 1, "+": 1, "b": -1, "♭": -1}
_SYMBOL = re.compile(r"([A-G])([#♯b♭]?)([^/]*(?:6/9)?)(?:/([A-Ga-g])([#♯+b♭]?))?")


@dataclass(frozen=True)
class Chord:
    """`root` and `bass` are pitch classes, `notes` semitones above the root; silence has none."""

    root: int
    notes: tuple[int, ...]
    bass: int  # the root, where no other one is written

    @property
    def classes(self) -> frozenset[int]:
        """The pitch classes that sound."""
        above = {(self.root + note) % 12 for note in self.notes}
        return frozenset(above | {self.bass} if above else ())

    def pitches(self, lowest: int = BASS) -> tuple[int, ...]:
        """Played in close position from the root upward, the root in the octave from `lowest`; a
        bass that is another note stands below it, up to an octave lower.
        """
        if not self.notes:
            return ()
        root = lowest + (self.root - lowest) % 12
        stacked = {root + note for note in self.notes}
        if self.bass == self.root:
            return tuple(sorted(stacked))
        bass = root - (self.root - self.bass) % 12
        return tuple(sorted({bass} | {pitch for pitch in stacked if pitch % 12 != self.bass}))

    def transposed(self, semitones: int) -> Chord:
        return Chord((self.root + semitones) % 12, self.notes, (self.bass + semitones) % 12)


@lru_cache(4096)
def read(symbol: str) -> Chord | None:
    """The chord that a symbol names, or None where it names none. Blanks do not count."""
    text = "".join(symbol.split())
    if symbol.strip().lower() in SILENCE:
        return Chord(0, (), 0)
    found = _SYMBOL.fullmatch(text)
    if found is None:
        return None
    letter, sign, written, bass, bass_sign = found.groups()
    kind = SAME.get(written, written)
    if kind not in KINDS:
        return None
    root = (NATURAL[letter] + _SHARP[sign]) % 12
    low = (NATURAL[bass.upper()] + _SHARP[bass_sign]) % 12 if bass else root
    return Chord(root, KINDS[kind], low)
