"""A line of music cut into what it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from elman.data.symbolic.abc.fields import Wrong

LENGTH: Final = r"\d*/*\d*"
NOTE: Final = rf"(?:\^\^|\^|__|_|=)?[A-Ga-g][,']*{LENGTH}"
# Accents of a single letter, and those that U: defines; they do not sound.
ACCENTS: Final = r"[.~H-WYh-w]"

KINDS: Final = {
    "text": r'"[^"]*"',
    "field": r"\[[A-Za-z]:[^\]]*\]",
    "ending": r"(?<=[|:])\d[\d,-]*|\[\d[\d,-]*",
    "bar": r"\.?:*\[?\|[|\]]*:*|::+",
    "chord": r"\[(?![|\d])",
    "chord_end": rf"\]{LENGTH}",
    "tuplet": r"\(\d(?::\d*){0,2}",
    "note": NOTE,
    "rest": rf"[zx]{LENGTH}",
    "bars_rest": r"[ZX]\d*",
    "space": rf"y{LENGTH}",
    "grace": r"\{[^}]*\}",
    "broken": r">+|<+",
    "tie": r"\.?-",
    "slur": r"\.?\(|\)",
    "accent": rf"![^!|\[\]:]+!|{ACCENTS}",
    "plus": r"\+",
    "overlay": r"&+",
    "reserved": r"[#*;?@$`!]",
    "blank": r"\s+|\\$",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))
_OLD_CHORD = re.compile(rf"\+((?:{NOTE}|-)+)\+")
_WORD = re.compile(r"\+[a-z.()0-9<>]+\+(?![A-Ga-g])")


class Token(NamedTuple):
    kind: str  # one of `KINDS`
    text: str


def tokens(line: str) -> Iterator[Token]:
    """What a line is made of, blanks left aside. Raises `Wrong` for what is no music."""
    at = 0
    while at < len(line):
        found = _TOKEN.match(line, at)
        if found is None:
            raise Wrong(_told(line, at))
        kind = str(found.lastgroup)
        if kind == "plus":
            yield from _plus(line, at)
            old = _OLD_CHORD.match(line, at) or _WORD.match(line, at)
            at = old.end() if old else at + 1
            continue
        if kind != "blank":
            yield Token(kind, found[0])
        at = found.end()


def _plus(line: str, at: int) -> Iterator[Token]:
    """`+CEG+` is a chord of ABC 1, `+trill+` an accent; a mark that stands alone means nothing."""
    if chord := _OLD_CHORD.match(line, at):
        yield Token("chord", "[")
        for note in re.findall(rf"{NOTE}|-", chord[1]):
            yield Token("tie" if note == "-" else "note", note)
        yield Token("chord_end", "]")
    elif _WORD.match(line, at):
        yield Token("accent", "+")
    else:
        yield Token("reserved", "+")


def _told(line: str, at: int) -> str:
    sign = line[at]
    if sign == '"':
        return f"the quotation mark in {_shown(line, at)} is not closed"
    if sign in "^_=":
        return f"no note follows the sign in {_shown(line, at)}"
    if sign == "{":
        return f"the grace notes in {_shown(line, at)} are not closed"
    if sign == "/":
        return f"no note stands before the length in {_shown(line, at)}"
    return f'"{sign}" in {_shown(line, at)} is no music'


def _shown(line: str, at: int) -> str:
    return f'"{line[max(at - 5, 0) : at + 10].strip()}"'
