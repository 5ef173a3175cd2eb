"""How a date is written, as a pattern: that of strptime, and what it lacks.

%d/%m/%Y %H:%M     31/12/2010 13:00
%-d. %B %Y         5. Januar 2010
%Y-%m-%dT%H:%M:%S.%3f%z   2010-01-05T13:00:00.000Z
%YQ%q              2010Q1

%-d is written without its zero; %3f are three digits of a second's fraction; %q is a quarter, %n
half a year, %o what follows an ordinal number (1st). Python's own strptime is not used: its names
depend on the locale, and it takes 100 times as long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from elman.data.dates.month_names import A_HALF
from elman.data.dates.zones import A_ZONE
from elman.errors import UserError

A_NAME: Final = r"[^\W\d_]+(?:-feira)?\.?"
ORDINAL: Final = r"(?:st|nd|rd|th|er|o|a|°)"
EXPANDED: Mapping[str, str] = {
    "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%D": "%m/%d/%y", "%e": "%-d",
    "%h": "%b", "%Z": "%z", "%:z": "%z", "%L": "%3f",
}  # fmt: skip
WIDTHS: Mapping[str, str] = {
    "Y": r"\d{4}", "G": r"\d{4}", "y": r"\d{2}", "m": r"\d{1,2}", "d": r"\d{1,2}",
    "H": r"\d{1,2}", "I": r"\d{1,2}", "M": r"\d{2}", "S": r"\d{2}", "f": r"\d{1,9}",
    "V": r"\d{1,2}", "u": r"\d", "q": r"\d",
    "n": r"\d", "j": r"\d{3}", "B": A_NAME, "b": A_NAME, "A": A_NAME,
    "a": A_NAME, "p": A_HALF, "z": A_ZONE, "o": ORDINAL,
}  # fmt: skip
DIGITS: Final = frozenset("YGymdHIMSfVuqnj")  # directives that are written in digits
CLOCK: Final = frozenset("HIMSfpz")
# What makes a date: one of these sets must be there.
WHOLE: Final = tuple(
    map(frozenset, ("Ymd", "Yj", "GVu", "GV", "Yq", "Yn", "Ym", "Y"))
)  # fmt: skip
SPELLING: Mapping[str, str] = {"y": "Y", "B": "m", "b": "m", "I": "H"}
_DIRECTIVE = re.compile(r"%([-\d]?)([A-Za-z%])")
_JOIN = r"(?:[Tt]|\s+)"
_FRACTION = r"(?:[.,](?P<f>\d{1,9}))?"


@dataclass(frozen=True)
class Token:
    """A directive with its flag ("-", a number of digits), or text that stands as it is."""

    letter: str
    flag: str = ""
    text: str = ""


@lru_cache(maxsize=256)
def tokens(pattern: str) -> tuple[Token, ...]:
    """The parts of a pattern. UserError: a directive that there is not, or that comes twice."""
    for short, full in EXPANDED.items():
        pattern = pattern.replace(short, full)
    made: list[Token] = []
    end = 0
    for match in _DIRECTIVE.finditer(pattern):
        flag, letter = match.groups()
        text = pattern[end : match.start()] + "%" * (letter == "%")
        end = match.end()
        if text:
            made.append(Token("", text=text))
        if letter == "%":
            continue
        if letter not in WIDTHS:
            raise UserError(
                f'date_format: no "%{letter}" in "{pattern}"; there are %Y %y %m %d %B %b %H %I %M '
                "%S %f %p %z %j %a %G %V %u %q %n, and %s for seconds since 1970"
            )
        if any(SPELLING.get(letter, letter) == SPELLING.get(t.letter, t.letter) for t in made):
            raise UserError(f'date_format: "{pattern}" says %{letter} twice')
        made.append(Token(letter, flag))
    if pattern[end:]:
        made.append(Token("", text=pattern[end:]))
    return tuple(made)


def letters(pattern: str) -> frozenset[str]:
    """What a pattern says of a date, however it is spelt: a year is Y, a month m, an hour H."""
    return frozenset(SPELLING.get(t.letter, t.letter) for t in tokens(pattern) if t.letter)


def require_whole(pattern: str) -> None:
    """UserError: a pattern of which no date can be made, such as %d/%m."""
    said = letters(pattern)
    if not any(whole <= said for whole in WHOLE) or ("m" not in said and "d" in said):
        raise UserError(
            f'date_format: "{pattern}" makes no date; a year is needed, as in %d/%m/%Y or %Y-%m'
        )


@lru_cache(maxsize=256)
def regex(pattern: str, exact: bool) -> re.Pattern[str]:
    """What a cell written in this pattern matches, a group for each directive.

    Unless `exact`: the time of day may be missing (it is midnight) or end with its minutes or
    seconds, T or a space stand before it, and there may be a zero before a digit or none.
    """
    parts = tokens(pattern)
    if exact:
        return re.compile(_plain(parts, exact))
    start = _clock(parts)
    if start is not None:
        joined = _plain(parts[start : start + 1], exact)
        joined = _JOIN if parts[start].text.strip() in ("", "T", "t") else joined
        return re.compile(f"{_plain(parts[:start], exact)}(?:{joined}{_time(parts[start + 1 :])})?")
    made = _plain(parts, exact)
    if {"d"} <= letters(pattern) and not letters(pattern) & CLOCK and not _packed(parts):
        made += rf"(?:{_JOIN}(?P<H>\d{{1,2}}):(?P<M>\d{{2}})(?::(?P<S>\d{{2}}){_FRACTION})?)?"
    return re.compile(made)


def _plain(parts: Sequence[Token], exact: bool) -> str:
    made = ""
    named = not exact and any(t.letter in ("B", "b") for t in parts)
    for place, token in enumerate(parts):
        if not token.letter:
            made += _literal(token.text)
            continue
        made += f"(?P<{token.letter}>{_width(parts, place, exact)})"
        if named and token.letter == "d" and parts[min(place + 1, len(parts) - 1)].letter != "o":
            made += f"{ORDINAL}?"  # 1er janvier, where the others are 2 janvier
    return made


def _time(parts: Sequence[Token]) -> str:
    """A time of day of which seconds and their fraction may be missing."""
    said = [token.letter for token in parts]
    if "S" in said:
        at = said.index("S")
        mark = parts[at - 1].text if at and not parts[at - 1].letter else ""
        end = at + 3 if said[at + 1 : at + 3] == ["", "f"] else at + 1
        seconds = rf"(?P<S>\d{{2}}){_FRACTION}"
        if mark in (":", "."):
            seconds = f"(?:{re.escape(mark)}{seconds})?"
            return _plain(parts[: at - 1], False) + seconds + _plain(parts[end:], False)
        return _plain(parts[:at], False) + seconds + _plain(parts[end:], False)
    if "M" in said and parts[max(said.index("M") - 1, 0)].text == ":":
        at = said.index("M") + 1
        seconds = rf"(?::(?P<S>\d{{2}}){_FRACTION})?"
        return _plain(parts[:at], False) + seconds + _plain(parts[at:], False)
    return _plain(parts, False)


def _packed(parts: Sequence[Token]) -> bool:
    """Whether digits of the date follow one another with nothing between."""
    return any(a.letter in DIGITS and b.letter in DIGITS for a, b in pairwise(parts))


def _clock(parts: Sequence[Token]) -> int | None:
    """Where the text before the time of day stands, if all of the date stands before it."""
    first = next((k for k, t in enumerate(parts) if t.letter in CLOCK), 0)
    after = {t.letter for t in parts[first:]} - {""}
    before = {t.letter for t in parts[:first]}
    fits = after <= CLOCK and {"H", "I"} & after and {"d", "j", "u"} & before
    return first - 1 if first and not parts[first - 1].letter and fits else None


def _width(parts: Sequence[Token], place: int, exact: bool) -> str:
    letter = parts[place].letter
    around = [parts[k].letter for k in (place - 1, place + 1) if 0 <= k < len(parts)]
    if letter in "mdHIMSV" and any(a and a in DIGITS for a in around):
        return r"\d{2}"
    return r"\d{1,2}" if letter in "MS" and exact else WIDTHS[letter]


def _literal(text: str) -> str:
    """Text as it is, but for how many blanks there are."""
    return "".join(
        r"\s+" if part.isspace() else re.escape(part) for part in re.split(r"(\s+)", text) if part
    )
