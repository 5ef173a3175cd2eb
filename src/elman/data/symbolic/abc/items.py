"""What a voice of a tune is written with: sounds, bar lines, endings, marks of parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from elman.data.symbolic.abc.fields import Bar


@dataclass
class Written:
    """One note: its pitch, its length in whole notes, whether it is tied to the next."""

    pitch: int
    length: Fraction
    letter: str
    octave: int
    alter: int
    tied: bool = False


@dataclass
class Sound:
    """Notes that begin together, or a rest that has none; the next sound follows after `length`."""

    length: Fraction
    notes: list[Written]
    metre: Bar | None  # in force here, as is the tempo
    tempo: float | None
    symbol: str = ""  # of the chord above it
    line: int = 0


@dataclass(frozen=True)
class Barline:
    """`begins` tells whether what is repeated begins here, `ends` how often what ends here is
    played: 1 where it is not repeated."""

    begins: bool
    ends: int
    double: bool


@dataclass(frozen=True)
class Ending:
    """What follows is played in these passes only."""

    passes: frozenset[int]


@dataclass(frozen=True)
class PartMark:
    name: str


Item: TypeAlias = Sound | Barline | Ending | PartMark


@dataclass
class Section:
    """What is repeated together, with its endings; played `times` times."""

    common: list[Item] = field(default_factory=list)
    endings: list[tuple[frozenset[int], list[Item]]] = field(default_factory=list)
    times: int = 1
