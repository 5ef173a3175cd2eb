"""The encoding of a file, found from all its bytes.

Café     43 61 66 c3 a9    UTF-8
Café     43 61 66 e9       Windows-1252: one byte, a letter after a letter
很快     ba dc bf ec       GB18030: two bytes each, both characters among the most frequent

A mark at the start is believed, and bytes that are UTF-8 throughout are UTF-8. Of what is left, an
encoding must fit every byte; among those that do, that one is taken in which the words beyond
ASCII look most like a language.
"""

from __future__ import annotations

import codecs
import random
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias

from elman.data.encodings.likeness import CODECS, UTF8, plausible, ranked

START = 1 << 16  # bytes that tell a mark, and UTF-16 without one
WINDOW = 1 << 16  # bytes from each of which a stretch is drawn
STRETCH = 1 << 12  # bytes of words beyond ASCII
STRETCHES = 8  # kept of all that are drawn
KEPT = 1 << 16  # bytes of words that are UTF-8, kept in case that what comes is not
UTF8_FOR_SURE = 1000  # bytes of sequences that nothing but UTF-8 has by chance
SURE = 1.0  # nats a byte beyond ASCII, by which the best encoding is beyond doubt
PAIRS = 0.6  # share of two letters of ASCII from which they are no letter of UTF-16
NEAR = 3  # encodings that are named where none fits
MARKS = (  # that of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8 with a mark"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32 with a mark"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32 with a mark"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16 with a mark"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16 with a mark"),
)
WIDE = (("utf-16-le", "UTF-16 without a mark"), ("utf-16-be", "UTF-16, high byte first"))
# A byte below "0" is a letter of its own in every encoding that has ASCII in it.
_BEYOND = re.compile(rb"[\x80-\xff][\x30-\xff]*")
_BEFORE = re.compile(rb"[\x30-\x7f]*\Z")
_BESIDE = re.compile(rb"[0-9:;<=>?|]+")  # of cells beside a word
LONGEST_BEFORE = 32  # letters of ASCII before the first beyond it
SPACES = "\t\n\r\b\a\f\v\x1a\x1b"  # control characters that stand in texts


Misfit: TypeAlias = tuple[int, int]  # the offset of a byte, and the byte


@dataclass(frozen=True)
class Found:
    """`encoding` is the name of Python's codec; `told` is in words, "" for plain UTF-8."""

    encoding: str
    told: str = ""


class Unreadable(Exception):
    """Bytes that are text in no encoding known here.

    `offset` is that of the first byte that does not fit, counted from 0; `near` are the encodings,
    by codec, that fit best, the first of them that which does not fit at `offset`.
    """

    def __init__(self, offset: int, byte: int, near: tuple[str, ...] = ()) -> None:
        super().__init__(offset, byte, near)
        self.offset, self.byte, self.near = offset, byte, near


def found(blocks: Iterable[bytes], expected: str = "") -> Found:
    """The encoding of a whole file, in one pass and bounded memory; `Unreadable` if none fits.

    `expected` is the encoding of data of the same kind: where the bytes are not UTF-8 and fit it,
    it is taken.
    """
    rest, start = iter(blocks), b""
    for block in rest:
        start += block
        if len(start) >= START:
            break
    for mark, encoding, told in MARKS:
        if start.startswith(mark):
            return _strict(Found(encoding, told), chain([start], rest))
    if wide := _wide(start):
        return _strict(wide, chain([start], rest))
    unicode = bool(expected) and codecs.lookup(expected).name.startswith("utf")
    seen = _Seen("" if unicode else expected)  # what is UTF-16 has been seen already
    for block in _whole_words(chain([start], rest)):
        seen.add(block)
    return seen.found()


def told(encoding: str) -> str:
    """An encoding in words, by the name of its codec; "" of plain UTF-8."""
    name = codecs.lookup(encoding).name
    words = {"utf-8": "", "ascii": ""} | {each: told for _, each, told in MARKS} | dict(WIDE)
    words |= {codecs.lookup(codec.name).name: codec.told for codec in CODECS}
    return words.get(name, name.upper())


def _strict(one: Found, blocks: Iterable[bytes]) -> Found:
    """That encoding, if all bytes fit it."""
    decoder = codecs.getincrementaldecoder(one.encoding)()
    at = 0
    for block in chain(blocks, [b""]):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(block, not block)
        except UnicodeDecodeError as error:
            at += error.start - held
            raise Unreadable(at, error.object[error.start], (one.encoding,)) from None
        at += len(block)
    return one


def _wide(start: bytes) -> Found | None:
    """UTF-16 without a mark: the letters of ASCII have a zero byte, always on the same side, and
    the others are not pairs of such letters."""
    import numpy as np  # not for what only names sources, as --help does

    units = np.frombuffer(start[: len(start) // 2 * 2], np.uint8).reshape(-1, 2)
    first, second = np.count_nonzero(units == 0, axis=0).tolist()
    if max(first, second) < 0.9 * (first + second) or not first + second:
        return None
    others = units[(units != 0).all(axis=1)]
    pairs = int(((others >= 0x20) & (others < 0x7F)).all(axis=1).sum())
    encoding, told = WIDE[0 if second > first else 1]
    text = units.tobytes().decode(encoding, errors="ignore")
    if pairs > PAIRS * len(others) or "\0" in text or not _without_control(text):
        return None
    return Found(encoding, told) if plausible(text) else None


def _whole_words(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, cut where no encoding can have a letter."""
    held = b""
    for block in blocks:
        block = held + block
        end = 1 + max(map(block.rfind, (b"\n", b"\r", b" ", b",", b"\t")))
        if not end and len(block) > 1 << 24:
            end = len(block)
        held = block[end:]
        if end:
            yield block[:end]
    if held:
        yield held


class _Seen:
    """What is known of the bytes so far: whether they are UTF-8, and once they are not, which
    encodings they fit, and stretches of words beyond ASCII from all over them."""

    def __init__(self, expected: str) -> None:
        self._expected = expected
        self._at = 0
        self._not_utf8: Misfit | None = None
        self._utf8_bytes = 0  # of sequences beyond ASCII, as long as all is UTF-8
        self._kept: list[tuple[int, bytes]] = []  # the words that they stand in, and where
        self._misfits: dict[str, Misfit | None] = {}  # of encodings in which a letter is several
        self._first: dict[int, int] = {}  # where each byte beyond ASCII first stands
        self._stretches: list[bytes] = []
        self._drawn = 0
        self._draw = random.Random(0)

    def add(self, block: bytes) -> None:
        """More bytes, that end where no letter is cut."""
        if (zero := block.find(0)) >= 0:
            raise Unreadable(self._at + zero, 0)
        if self._not_utf8:
            self._add_other(block, self._at)
        elif not block.isascii():
            self._not_utf8 = _misfit(block, "utf-8", self._at)
            if self._not_utf8:
                self._begin_other(block)
            elif self._utf8_bytes <= UTF8_FOR_SURE:
                self._utf8_bytes += sum(byte > 0x7F for byte in block)
                self._kept += [(self._at + at, word) for at, word in _words(block, KEPT)]
        self._at += len(block)

    def found(self) -> Found:
        """The encoding of all that was added."""
        if not self._not_utf8:
            return Found("utf-8")
        # A word that comes again, as a month in a table does, tells nothing new.
        words = b" ".join(self._stretches).split(b" ")
        sample = b" ".join({_BESIDE.sub(b"0", word): word for word in words}.values())
        costs = ranked(sample)
        if costs[0][1] is UTF8:
            raise Unreadable(*self._not_utf8, (UTF8.name,))
        if self._expected and not self._misfit(self._expected):
            return Found(self._expected, told(self._expected))
        beyond = sum(byte > 0x7F for byte in sample)
        near = tuple(codec.name for _, codec in costs[:NEAR])
        for cost, codec in costs:
            if cost > costs[0][0] + SURE * beyond:
                break
            if not self._misfit(codec.name):
                return Found(codec.name, codec.told)
        raise Unreadable(*(self._misfit(near[0]) or self._not_utf8), near)

    def _begin_other(self, block: bytes) -> None:
        if self._not_utf8 and self._utf8_bytes > UTF8_FOR_SURE:
            raise Unreadable(*self._not_utf8, ("utf-8",))
        self._misfits = {codec.name: None for codec in CODECS if not codec.single}
        if self._expected:
            self._misfits[self._expected] = None
        for at, word in self._kept:
            self._add_other(word, at)
        self._add_other(block, self._at)

    def _add_other(self, block: bytes, at: int) -> None:
        import numpy as np

        for name, misfit in self._misfits.items():
            self._misfits[name] = misfit or _misfit(block, name, at)
        counts = np.bincount(np.frombuffer(block, np.uint8), minlength=256)
        for byte in np.flatnonzero(counts).tolist():
            if byte not in self._first:
                self._first[byte] = at + block.find(byte)
        for start in range(0, len(block), WINDOW):
            window = block[start : start + WINDOW]
            if not window.isascii():
                self._draw_from(window)

    def _draw_from(self, window: bytes) -> None:
        """Each window gives a stretch with the same chance, however many will come."""
        self._drawn += 1
        place = self._draw.randrange(self._drawn) if self._drawn > STRETCHES else STRETCHES
        if place < STRETCHES or self._drawn <= STRETCHES:
            stretch = b" ".join(word for _, word in _words(window, STRETCH))
            self._stretches[place : place + 1] = [stretch]

    def _misfit(self, encoding: str) -> Misfit | None:
        """The first byte that does not fit, or is no letter and no mark in that encoding."""
        if encoding in self._misfits:
            return self._misfits[encoding]
        none = {byte for byte in self._first if not _is_text(byte, encoding)}
        return min(((self._first[byte], byte) for byte in none), default=None)


def _without_control(text: str) -> bool:
    return all(letter in SPACES for letter in set(text) if unicodedata.category(letter) == "Cc")


def _is_text(byte: int, encoding: str) -> bool:
    letter = bytes([byte]).decode(encoding, errors="replace")
    return (
        letter != "\ufffd"
        and unicodedata.category(letter) not in ("Cn", "Co")
        and (unicodedata.category(letter) != "Cc" or letter in SPACES)
    )


def _misfit(block: bytes, encoding: str, at: int) -> Misfit | None:
    try:
        block.decode(encoding)
    except UnicodeDecodeError as error:
        return at + error.start, block[error.start]
    return None


def _words(block: bytes, limit: int) -> Iterator[tuple[int, bytes]]:
    """The words that hold a byte beyond ASCII, and where; of them up to `limit` bytes."""
    for match in _BEYOND.finditer(block):
        start = match.start()
        before = _BEFORE.search(block, max(0, start - LONGEST_BEFORE), start)
        assert before is not None  # it may be empty
        word = before[0] + match[0][:limit]
        yield before.start(), word
        limit -= len(word)
        if limit <= 0:
            return
