"""A text cut into its tunes, line by line, without comments.

X:1
T:Dance All Night
M:4/4
K:G
e/f/|"G"gg/a/ gd/c/:|
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, NamedTuple

PARTS: Final = ("train", "valid", "test")
_ENDS = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(?<!\\)%.*")
_FIELD = re.compile(r"([A-Za-z+]):(?![|:])\s*(.*)")
_PART = re.compile(r"%%elman:part\s+(\w+)\s*")
_BLOCK = re.compile(r"%%begin(\w+)")


class Line(NamedTuple):
    """One line: of a field its letter and what stands after the colon, of music no letter."""

    number: int  # in its file, from 1
    field: str
    text: str


@dataclass(frozen=True)
class Tune:
    """The lines of one tune, those of the file's head first. `place` is its number in the file."""

    place: int
    number: str  # as after X:, or empty
    part: str
    lines: tuple[Line, ...]


class Tunes(NamedTuple):
    tunes: list[Tune]
    outside: int  # lines of text that belong to no tune


def cut(text: str) -> Tunes:
    """The tunes of a file. Each begins with X:, or is a block of lines with a key (K:), and ends
    with an empty line. Fields above the first one are of all tunes."""
    head: tuple[Line, ...] = ()
    found: list[Tune] = []
    part, outside = "", 0
    for block in _blocks(text):
        for lines in _at_numbers(block):
            for line in lines:
                if told := _PART.fullmatch(line.text) if not line.field else None:
                    part = told[1] if told[1] in PARTS else ""
            read = [line for line in lines if line.field or line.text[:2] != "%%" or _used(line)]
            fields = {line.field for line in read}
            if "X" in fields or "K" in fields:
                number = next((line.text for line in read if line.field == "X"), "")
                found.append(Tune(len(found) + 1, number, part, (*head, *read)))
            elif not found and fields and "" not in fields:
                head = (*head, *read)
            else:
                outside += sum(line.text[:2] != "%%" for line in read)
    return Tunes(found, outside)


def _used(line: Line) -> bool:
    return line.text.startswith("%%MIDI program")


def _at_numbers(block: Sequence[Line]) -> Iterator[Sequence[Line]]:
    """A block of lines, cut before each X: but the first."""
    places = [k for k, line in enumerate(block) if line.field == "X"]
    cuts = [0, *places[1:], len(block)]
    for begin, end in pairwise(cuts):
        yield block[begin:end]


def _blocks(text: str) -> Iterator[list[Line]]:
    for blank, lines in groupby(_lines(text), lambda line: not line.text and not line.field):
        if not blank:
            yield list(lines)


def _lines(text: str) -> Iterator[Line]:
    """All lines but those that hold a comment alone; empty ones are kept, for they end a tune."""
    skipping = ""
    for number, whole in enumerate(_ENDS.split(text.removeprefix("\ufeff")), 1):
        raw = whole.strip()
        if skipping:
            skipping = "" if raw.startswith(skipping) else skipping
        elif raw.startswith("%%"):
            begins = _BLOCK.match(raw)
            skipping = f"%%end{begins[1]}" if begins else ""
            yield Line(number, "", raw)
        elif not raw.startswith("%"):
            bare = _COMMENT.sub("", raw).rstrip()
            field = _FIELD.fullmatch(bare)
            yield Line(number, *field.groups()) if field else Line(number, "", bare)
