"""JSON read value by value out of a text that comes piece by piece, within bounds.

NaN is nothing; Infinity is a number; whole numbers have no more than 300 digits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

LONGEST = 1 << 24  # characters of a record
LARGEST = 1 << 27  # characters of a file that has to be read at once
DEEPEST = 64  # objects and lists within one another
MOST_DIGITS = 300  # of whole numbers: a float holds no more
PIECE = 1 << 18  # characters asked for at once, at least
_BLANK = re.compile(r"[ \t\n\r\ufeff]*")


class BadJson(Exception):
    """What is no JSON, and its line."""

    def __init__(self, line: int, told: str) -> None:
        super().__init__(told)
        self.line, self.told = line, told


class TooLong(BadJson):
    """A value that may be JSON and is longer than allowed."""


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number of too many digits")
    return int(text)


def _constant(text: str) -> float | None:
    return None if text == "NaN" else float(text)


_DECODER = json.JSONDecoder(parse_int=_whole, parse_constant=_constant)


def value_of(text: str) -> Any:
    """The value that a text is. ValueError: it is no JSON, or out of bounds."""
    value = _DECODER.decode(text)
    check(text, value)
    return value


def object_of(text: str) -> dict[str, Any] | None:
    """The object that a text is; None where it is none, or out of bounds."""
    try:
        value = value_of(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def check(text: str, value: Any) -> None:
    """ValueError: nested too deeply, or half of a pair of surrogates, which no file can hold."""
    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise ValueError(f"more than {DEEPEST} lists and objects within one another")
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level:
        level = [
            item
            for inner in level
            if isinstance(inner, dict | list)
            for item in (inner.values() if isinstance(inner, dict) else inner)
        ]
        deepest += 1
    return deepest


class JsonText:
    """A text of JSON and the place up to which it has been read."""

    def __init__(self, shown: str, texts: Iterable[str]) -> None:
        self.shown = shown
        self.buffer = ""
        self.place = 0
        self.line = 1  # of the place
        self._texts = iter(texts)

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            end = _BLANK.match(self.buffer, self.place).end()  # type: ignore[union-attr]
            self._go(end)
            if end < len(self.buffer):
                return self.buffer[end]
            if not self._more(PIECE):
                return ""

    def take(self, expected: str) -> None:
        """Passes over one character. BadJson: it is another one."""
        found = self.peek()
        if found != expected:
            told = f"found {found!r}" if found else "the file ends too early"
            raise BadJson(self.line, f"no JSON: {told} where {expected!r} should be")
        self._go(self.place + 1)

    def members(self) -> Iterator[str]:
        """The keys of an object; whoever asks takes the value after each of them."""
        self.take("{")
        if self.peek() == "}":
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise BadJson(self.line, f"no JSON: {key!r} is no key")
            self.take(":")
            yield key
            if self.peek() != ",":
                return
            self.take(",")

    def value(self, longest: int = LONGEST) -> Any:
        """The next value. BadJson, TooLong."""
        self.peek()
        self._drop()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.buffer, self.place)
            except json.JSONDecodeError as error:
                # What goes on in the next piece ends in an error near the end of this one.
                ends = error.pos >= len(self.buffer) - 16 or error.msg.startswith("Unterminated")
                if not ends or not self._longer(longest):
                    line = self.line + self.buffer.count("\n", self.place, error.pos)
                    raise BadJson(line, f"no JSON: {error.msg}") from None
                continue
            except (ValueError, RecursionError) as error:
                raise BadJson(self.line, f"out of bounds: {error}") from None
            if end == len(self.buffer) and self.buffer[end - 1] not in '}]"' and self._more(PIECE):
                continue  # a number may go on
            try:
                check(self.buffer[self.place : end], value)
            except ValueError as error:
                told = "half of a pair of surrogates" if isinstance(error, UnicodeError) else error
                raise BadJson(self.line, f"out of bounds: {told}") from None
            self._go(end)
            return value

    def _longer(self, longest: int) -> bool:
        """Twice as much text, or False where there is no more."""
        held = len(self.buffer) - self.place
        if held > longest:
            raise TooLong(self.line, f"a value of more than {longest:,} characters")
        return self._more(max(PIECE, held))

    def _more(self, wanted: int) -> bool:
        pieces = [self.buffer]
        added = 0
        while added < wanted and (piece := next(self._texts, None)) is not None:
            pieces.append(piece)
            added += len(piece)
        self.buffer = "".join(pieces)
        return added > 0

    def _go(self, place: int) -> None:
        self.line += self.buffer.count("\n", self.place, place)
        self.place = place

    def _drop(self) -> None:
        if self.place > PIECE:
            self.buffer, self.place = self.buffer[self.place :], 0
