"""The rules of the canons that are made, and how often any piece of two voices breaks each."""

from __future__ import annotations

from typing import Final

BEAT: Final = 2  # eighths, in which all times here are counted
CONSONANT: Final = frozenset({0, 3, 4, 7, 8, 9})  # semitones, without octaves
PERFECT: Final = frozenset({0, 7})
LEAPS: Final = frozenset({1, 2, 3, 4, 5, 7, 12})  # semitones from a note to the next
WIDE: Final = 4  # semitones; after a wider leap follows a step back
RANGE: Final = (43, 84)  # pitches
STRONG: Final = {2: (0,), 3: (0,), 4: (0, 4)}  # eighths of a bar of so many beats
