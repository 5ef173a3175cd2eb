"""Keys: their names, signatures and scales, and which key notes are in.

"D minor", "Bb", "f#", "Am", "E dorian", "Gmix"
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from elman.data.symbolic.piece import Piece
from elman.errors import UserError

LETTERS: Final = "CDEFGAB"
NATURAL: Final[Mapping[str, int]] = dict(zip(LETTERS, (0, 2, 4, 5, 7, 9, 11), strict=True))
"""The pitch class of each letter."""
FIFTHS: Final = "FCGDAEB"  # each a fifth above the one before it: the order of the sharps
MODES: Final[Mapping[str, int]] = {
    "lydian": -1,
    "major": 0,
    "mixolydian": 1,
    "dorian": 2,
    "minor": 3,
    "phrygian": 4,
    "locrian": 5,
}
"""How many sharps fewer the signature has than that of the major key on the same tonic."""
OTHER_NAMES: Final[Mapping[str, str]] = {"ionian": "major", "aeolian": "minor"}
MOST: Final = 7  # sharps or flats in a signature
ALTERED: Final[Mapping[str, int]] = {
    "": 0, "#": 1, "♯": 1, "b": -1, "♭": -1,
}  # fmt: skip
FITS: Final = 'write for example "D", "F# minor", "Bbm" or "E dorian"'


@dataclass(frozen=True)
class Key:
    """A tonic and a mode. `alter` is 1 for a sharp, -1 for a flat."""

    letter: str  # of the tonic, one of `LETTERS`
    alter: int = 0
    mode: str = "major"  # one of `MODES`

    @property
    def name(self) -> str:
        """ "F# minor"."""
        return f"{self.letter}{mark(self.alter)} {self.mode}"

    @property
    def short(self) -> str:
        """As ABC writes it: "F#m", "D", "Edor"."""
        mode = {"major": "", "minor": "m"}.get(self.mode, self.mode[:3])
        return f"{self.letter}{mark(self.alter)}{mode}"

    @cached_property
    def tonic(self) -> int:
        """The pitch class of the tonic, 0 to 11."""
        return (NATURAL[self.letter] + self.alter) % 12

    @cached_property
    def sharps(self) -> int:
        """How many sharps the signature has; flats are below 0."""
        return FIFTHS.index(self.letter) - 1 + 7 * self.alter - MODES[self.mode]

    @cached_property
    def signature(self) -> Mapping[str, int]:
        """Of every letter whether it is raised (1) or lowered (-1)."""
        return {letter: (self.sharps + 6 - place) // 7 for place, letter in enumerate(FIFTHS)}

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The seven notes of the scale, in semitones above the tonic: major is 0 2 4 5 7 9 11."""
        first = LETTERS.index(self.letter)
        letters = LETTERS[first:] + LETTERS[:first]
        return tuple(
            (NATURAL[letter] + self.signature[letter] - self.tonic) % 12 for letter in letters
        )

    @cached_property
    def classes(self) -> frozenset[int]:
        """The pitch classes of the scale."""
        return frozenset((self.tonic + step) % 12 for step in self.steps)

    def pitch(self, degree: int) -> int:
        """The pitch of a degree: 0 is the tonic of the lowest octave, 7 an octave above it."""
        octave, step = divmod(degree, 7)
        return self.tonic + 12 * octave + self.steps[step]

    def degree(self, pitch: int) -> int | None:
        """The degree of a pitch, or None where it is not in the scale."""
        octave, semitones = divmod(pitch - self.tonic, 12)
        return 7 * octave + self.steps.index(semitones) if semitones in self.steps else None

    def spelling(self, degree: int) -> tuple[str, int]:
        """The letter of a degree, and its octave: that of the middle C is 4."""
        place = LETTERS.index(self.letter) + degree
        # The tonic B# counts as the B below the C that it sounds as, Cb as the C above its B.
        lowest = NATURAL[self.letter] + self.alter
        return LETTERS[place % 7], place // 7 - 1 - (lowest // 12)

    def transposed(self, semitones: int) -> Key:
        """The same mode so many semitones higher, with the fewest sharps or flats."""
        return on((self.tonic + semitones) % 12, self.mode)


def mark(alter: int) -> str:
    """Sharps and flats as people write them: "#", "bb"."""
    return "#" * alter if alter > 0 else "b" * -alter


@lru_cache
def on(tonic: int, mode: str = "major") -> Key:
    """The key on a pitch class with the fewest sharps or flats; F# rather than Gb."""
    keys = [Key(letter, alter, mode) for letter in LETTERS for alter in (-1, 0, 1)]
    return min(
        (key for key in keys if key.tonic == tonic % 12),
        key=lambda key: (abs(key.sharps), -key.sharps),
    )


def key(text: str) -> Key:
    """The key that a text names; a small letter alone is minor, as "f#" is. Raises `UserError`."""
    found = read(text)
    if found is None:
        raise UserError(f'unknown key "{text[:40]}"; {FITS}')
    return found


def read(text: str) -> Key | None:
    """The key that a text names, or None."""
    letter, rest = text.strip()[:1], text.strip()[1:]
    if letter.upper() not in LETTERS or not letter:
        return None
    for sign in ("#", "♯", "b", "♭"):
        if rest.startswith(sign):
            break
    else:
        sign = ""
    mode = mode_of(rest.removeprefix(sign).strip(" -_"))
    if mode == "major" and letter.islower() and not rest.removeprefix(sign).strip():
        mode = "minor"
    if mode is None:
        return None
    found = Key(letter.upper(), ALTERED[sign], mode)
    return found if abs(found.sharps) <= MOST else on(found.tonic, mode)


def mode_of(text: str) -> str | None:
    """The mode that a word names, by its first three letters as in ABC; "m" is minor."""
    if not text or text == "M":
        return "major"
    if text.lower() == "m":
        return "minor"
    names = {name: name for name in MODES} | dict(OTHER_NAMES)
    word = text.lower()
    found = [mode for name, mode in names.items() if len(word) >= 3 and name.startswith(word[:3])]
    return found[0] if found and word.isalpha() else None


# Krumhansl and Kessler 1982, doi:10.1037/0033-295X.89.4.334: how well each of the twelve notes,
# from the tonic upward, was judged to fit a key.
FITTING: Final[Mapping[str, tuple[float, ...]]] = {
    "major": (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
    "minor": (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
}


def estimate(weights: Sequence[float]) -> Key | None:
    """The key of notes that sound for so long in each pitch class [12]; None of notes of no shape.

    The major or minor key whose profile has the greatest correlation with the weights (Krumhansl
    and Schmuckler, in Krumhansl 1990, Cognitive Foundations of Musical Pitch, chapter 4).
    """
    scores = {
        (tonic, mode): _correlation([weights[(tonic + k) % 12] for k in range(12)], profile)
        for mode, profile in FITTING.items()
        for tonic in range(12)
    }
    best = max(scores, key=lambda which: scores[which])
    return on(*best) if scores[best] > 0 else None


def of_pieces(pieces: Iterable[Piece]) -> Key | None:
    """The key in which pieces are, by how long each pitch class sounds; drums are left aside."""
    weights = [0.0] * 12
    for piece in pieces:
        for track in piece.tracks:
            for note in track.notes if not track.is_drum else ():
                weights[note.pitch % 12] += note.length / piece.division
    return estimate(weights)


def _correlation(x: Sequence[float], y: Sequence[float]) -> float:
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    a, b = [value - mean_x for value in x], [value - mean_y for value in y]
    size = math.sqrt(sum(u * u for u in a) * sum(v * v for v in b))
    return sum(u * v for u, v in zip(a, b, strict=True)) / size if size else 0.0
