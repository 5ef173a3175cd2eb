"""What the fields of a tune say: key, metre, unit of length, tempo, order of parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, NamedTuple

from elman.data.symbolic.theory import keys

MOST_BEATS: Final = 99
MOST_PARTS: Final = 1000  # played one after the other
COMMON: Final = {"C": (4, 4), "C|": (2, 2)}
_LENGTH = re.compile(r"(\d{1,4})/(\d{1,4})")
_SUM = re.compile(r"\(?(\d{1,3}(?:\s*\+\s*\d{1,3})*)\)?\s*/\s*(\d{1,3})")
_BEATS = re.compile(r"((?:\d{1,4}/\d{1,4}\s*)+)=\s*(\d{1,5}(?:\.\d{1,3})?)")
_BARE = re.compile(r"(?:C(\d{0,3})\s*=)?\s*(\d{1,5}(?:\.\d{1,3})?)")
_ACCIDENTAL = re.compile(r"(\^\^|\^|__|_|=)([A-Ga-g])")
_SETTING = re.compile(r"(\w+)=(\"[^\"]*\"|\S+)")
SIGNS: Final[Mapping[str, int]] = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}


class Wrong(Exception):
    """What is wrong with a field or a line of music; who calls knows which line it is."""


class Bar(NamedTuple):
    """A metre; a bar of "none" has no length."""

    beats: int
    unit: int

    @property
    def length(self) -> Fraction:
        """In whole notes."""
        return Fraction(self.beats, self.unit)


@dataclass(frozen=True)
class Signature:
    """How a key alters each letter, and what its line says besides."""

    name: str
    altered: Mapping[str, int] = field(default_factory=dict)
    shift: int = 0  # semitones by which all is moved


def metre(text: str) -> Bar | None:
    """The metre of an M: field, None of free metre."""
    bare = text.strip()
    if bare in COMMON:
        return Bar(*COMMON[bare])
    if bare.lower() in ("none", ""):
        return None
    found = _SUM.fullmatch(bare)
    if not found:
        raise Wrong(f'the metre "{bare[:20]}" is not one; write for example M:6/8, M:C or M:none')
    beats, unit = sum(int(one) for one in found[1].split("+")), int(found[2])
    if not 1 <= beats <= MOST_BEATS or unit not in (1, 2, 4, 8, 16, 32, 64):
        raise Wrong(f"the metre {bare[:20]} has no bar; write for example M:6/8")
    return Bar(beats, unit)


def unit(text: str) -> Fraction:
    """The length of an L: field, in whole notes."""
    bare = text.strip()
    found = _LENGTH.fullmatch(bare)
    if bare == "1":
        return Fraction(1)
    if not found or not int(found[1]) or not int(found[2]):
        raise Wrong(f'the length "{bare[:20]}" is not one; write for example L:1/8')
    return Fraction(int(found[1]), int(found[2]))


def unit_of(bar: Bar | None) -> Fraction:
    """The length of a note where there is no L: a sixteenth in metres below 3/4, else an eighth."""
    return Fraction(1, 16) if bar and bar.length < Fraction(3, 4) else Fraction(1, 8)


def tempo(text: str, length: Fraction) -> float | None:
    """Quarters a minute of a Q: field, None where it holds words alone.

    "1/4=120", "3/8 1/8=60" the beat is their sum, "120" and "C3=40" count lengths of L:.
    """
    bare = re.sub(r'"[^"]*"', " ", text).strip()
    if not bare:
        return None
    if found := _BEATS.fullmatch(bare):
        parts = [unit(one) for one in found[1].split()]
        beat, count = sum(parts, Fraction()), float(found[2])
    elif found := _BARE.fullmatch(bare):
        beat, count = length * int(found[1] or 1), float(found[2])
    else:
        raise Wrong(f'the tempo "{bare[:20]}" is not one; write for example Q:1/4=120')
    quarters = float(4 * beat) * count
    if not 1 <= quarters <= 10_000:
        raise Wrong(f"the tempo {bare[:20]} is {quarters:g} quarters a minute; 1 to 10000 are read")
    return quarters


def key(text: str) -> Signature:
    """The key of a K: field with its explicit accidentals, and by how much it moves all notes."""
    shift, bare = moved(text)
    words = bare.split()
    if words and words[0].lower() in ("none", "hp"):
        name = "D" if words[0].lower() == "hp" else ""  # the bagpipe's scale has F# and C#
        words = words[1:]
    else:
        name, words = _named(words)
    altered = dict(keys.key(name).signature) if name else {}
    for word in words:
        for sign, letter in _ACCIDENTAL.findall(word):
            altered[letter.upper()] = SIGNS[sign]
        if _ACCIDENTAL.sub("", word) and word not in _CLEFS:
            raise Wrong(f'"{word[:20]}" in the key is not understood; write for example K:D dor ^c')
    found = keys.read(name) if name else None
    return Signature(found.short if found else "", altered, shift)


def is_key(text: str) -> bool:
    """Whether a K: field names a key, and not a clef or a transposition alone."""
    return bool(set(moved(text)[1].split()) - _CLEFS) or not text.strip()


_CLEFS: Final = frozenset(
    f"{clef}{octave}"
    for clef in ("treble", "bass", "bass3", "tenor", "alto", "alto1", "alto2", "perc", "treble1")
    for octave in ("", "-8", "+8")
)


def _named(words: list[str]) -> tuple[str, list[str]]:
    """The name of the key that words begin with, and the other words; "exp" is no key at all."""
    if not words:
        return "C", []
    first, rest = words[0], words[1:]
    if first[0] not in keys.LETTERS:
        if _ACCIDENTAL.match(first) or first in _CLEFS:
            return "C", words
        raise Wrong(f'the key "{first[:20]}" is not one; write for example K:G, K:Am or K:D dor')
    if rest and rest[0].lower() == "exp":
        return "", rest[1:]
    if first.lower().endswith("exp"):
        return "", rest
    if rest and rest[0] not in _CLEFS and keys.read(f"{first} {rest[0]}"):
        first, rest = f"{first} {rest[0]}", rest[1:]
    if not keys.read(first):
        raise Wrong(f'the key "{first[:20]}" is not one; write for example K:G, K:Am or K:D dor')
    return first, rest


def moved(text: str) -> tuple[int, str]:
    """By how many semitones clef=, octave= and transpose= move notes; the text without settings."""
    shift, bare = 0, _SETTING.sub(" ", text)
    for name, value in _SETTING.findall(text):
        if name in ("octave", "transpose"):
            if not re.fullmatch(r"[-+]?\d{1,2}", value):
                raise Wrong(f"{name}={value[:20]} is not a number")
            shift += int(value) * (12 if name == "octave" else 1)
        elif name == "clef":
            bare += " " + value.strip('"')
    clefs = [word for word in bare.split() if word in _CLEFS]
    shift += 12 * (
        sum(word.endswith("+8") for word in clefs) - sum(w.endswith("-8") for w in clefs)
    )
    return shift, bare


def parts(text: str) -> str:
    """The order of parts that a P: field of the head gives, played out: "A(BC)2" is "ABCBC"."""
    stack = [""]
    last = ""
    for found in re.finditer(r"[A-Z]|[().]|\d{1,3}|\S", text.replace(" ", "")):
        sign = found[0]
        if sign.isdigit():
            stack[-1] += last * (int(sign) - 1)
            last = ""
        elif sign == "(":
            stack.append("")
        elif sign == ")" and len(stack) > 1:
            last = stack.pop()
            stack[-1] += last
        elif sign.isalpha() and sign.isupper():
            last = sign
            stack[-1] += sign
        elif sign != ".":
            raise Wrong(f'the order of parts "{text[:20]}" is not one; write for example P:A2(BC)3')
        if sum(map(len, stack)) > MOST_PARTS:
            raise Wrong(f"the order of parts is longer than {MOST_PARTS:,} parts")
    if len(stack) > 1:
        raise Wrong(f'the order of parts "{text[:20]}" has no closing bracket')
    return stack[0]
