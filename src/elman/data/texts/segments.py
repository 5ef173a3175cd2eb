"""A long text encoded in segments, each by itself, in whatever process, into a file of its own.

{"digest": "9f…", "characters": 4194310, "tokens": 801334, "dtype": "uint16", "symbols": 31204, …}
and below that line the symbols of the segment with their counts, then its ids.

Where the vocabulary is still to be made of the whole text, ids are numbers of the symbols that the
segment has; which ids these have in the vocabulary is known once all segments are counted.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.cache import replacing
from elman.data.texts.segmentation import SPACED
from elman.data.texts.vocabulary import (
    UNKNOWN,
    WORD,
    Bytes,
    Vocabulary,
    clean_text,
    code_points,
    listed,
)
from elman.data.texts.vocabulary import from_json as vocabulary_from

SYMBOLS_COUNTED = 2_000_000  # different symbols of segments that are counted in one dictionary
KEYS = 1 << 32  # a symbol's key is a CRC-32
HEAD = frozenset(("digest", "characters", "tokens", "dtype", "symbols", "crc32"))

Pieces = Sequence[str]


@dataclass(frozen=True)
class Symbols:
    """The symbols of a segment and how often each comes, ordered by their keys.

    `text` is all of them as UTF-8, each up to its entry in `ends`.
    """

    keys: NDArray[np.uint32]
    counts: NDArray[np.int64]
    ends: NDArray[np.int64]
    text: bytes

    def __len__(self) -> int:
        return len(self.keys)

    def each(self) -> list[str]:
        """The symbols themselves."""
        starts = [0, *self.ends.tolist()]
        return [
            self.text[start:end].decode(errors="surrogatepass")
            for start, end in itertools.pairwise(starts)
        ]

    def between(self, low: int, high: int) -> Symbols:
        """Those whose keys are `low` or more, and less than `high`."""
        first, last = _range(self.keys, low, high)
        before = int(self.ends[first - 1]) if first else 0
        until = int(self.ends[last - 1]) if last else 0
        ends = self.ends[first:last] - before
        return Symbols(
            self.keys[first:last], self.counts[first:last], ends, self.text[before:until]
        )


NO_SYMBOLS = Symbols(np.empty(0, "<u4"), np.empty(0, "<i8"), np.empty(0, "<i8"), b"")


@dataclass(frozen=True)
class Segment:
    """Ids of a stretch of text, which stand for so many `characters`: those of a vocabulary, or
    else numbers of `symbols`."""

    ids: NDArray[Any]
    characters: int
    symbols: Symbols = NO_SYMBOLS

    @property
    def distinct(self) -> int:
        """How many symbols it has that are to be counted."""
        return len(self.symbols)

    def between(self, low: int, high: int) -> Symbols:
        """See `Symbols.between`."""
        return self.symbols.between(low, high)

    def load(self) -> Segment:
        """Itself: what is sealed has to be read first."""
        return self


@dataclass(frozen=True)
class Rule:
    """How a stretch of text becomes a segment: by a vocabulary or, where that is still to be made,
    by its characters or words."""

    level: str
    lowercase: bool = False
    strip_digits: bool = False
    spaced: bool = False
    limit: int | None = None  # the largest size of a vocabulary that is to be made
    vocabulary: Vocabulary | None = None

    def segment(self, pieces: Pieces) -> Segment:
        """Pieces that are cut where no symbol is split, as one segment."""
        if self.vocabulary is not None:
            return _known(self.vocabulary, pieces)
        cleaned = [clean_text(piece, self.lowercase, self.strip_digits) for piece in pieces]
        if self.level == "words":
            ids, symbols, counts = _words(cleaned, SPACED if self.spaced else WORD)
        else:
            ids, symbols, counts = _characters(cleaned)
        return _ordered(ids, symbols, counts, sum(map(len, cleaned)))

    def settled(
        self, segments: Sequence[Segment | Sealed]
    ) -> tuple[Vocabulary, Mapping[str, int] | None]:
        """The vocabulary of a text, all segments of which are there, and the ids of its symbols in
        it; None for these where segments have such ids already.

        Symbols are counted exactly, so that it is the same however the text was cut.
        """
        if self.vocabulary is not None:
            return self.vocabulary, None
        symbols = most_frequent(segments, None if self.limit is None else self.limit - 1)
        made = listed(self.level, symbols, self.lowercase, self.strip_digits, self.spaced)
        return made, {symbol: token for token, symbol in enumerate(made.symbols)}

    def to_json(self) -> dict[str, Any]:
        """All that `from_json` needs, in plain JSON types."""
        known = None if self.vocabulary is None else self.vocabulary.to_json()
        return {
            "level": self.level, "lowercase": self.lowercase, "strip_digits": self.strip_digits,
            "spaced": self.spaced, "limit": self.limit, "vocabulary": known,
        }  # fmt: skip

    @cached_property
    def digest(self) -> str:
        """Equal for equal rules."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rule:
        """The rule that gave this `to_json`."""
        known = data["vocabulary"]
        return cls(**{**data, "vocabulary": None if known is None else vocabulary_from(known)})


class Sealed:
    """A segment in a file. ValueError or OSError where it is none, or a damaged one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            line = stream.readline()
            self._head = head = json.loads(line)
            if not isinstance(head, dict) or set(head) != HEAD:
                raise ValueError("not the head of a segment")
            self._start = len(line)
        self.digest: str = head["digest"]
        self.characters: int = head["characters"]
        self.distinct: int = head["symbols"]

    def check(self) -> None:
        """ValueError where the file is damaged."""
        with self.path.open("rb") as stream:
            stream.seek(self._start)
            checksum = 0
            while block := stream.read(1 << 20):
                checksum = zlib.crc32(block, checksum)
        if checksum != self._head["crc32"]:
            raise ValueError("damaged")

    def between(self, low: int, high: int) -> Symbols:
        """See `Symbols.between`; only these are read."""
        if not self.distinct:
            return NO_SYMBOLS
        count = self.distinct
        with self.path.open("rb") as stream:

            def part(dtype: str, at: int, first: int, last: int) -> NDArray[Any]:
                size = np.dtype(dtype).itemsize
                stream.seek(self._start + at + first * size)
                return np.frombuffer(stream.read((last - first) * size), dtype)

            keys = part("<u4", 0, 0, count)
            first, last = _range(keys, low, high)
            counts = part("<i8", 4 * count, first, last)
            ends = part("<i8", 12 * count, max(0, first - 1), last)
            before = int(ends[0]) if first else 0
            ends = ends[1:] if first else ends
            until = int(ends[-1]) if len(ends) else before
            stream.seek(self._start + 20 * count + before)
            return Symbols(keys[first:last], counts, ends - before, stream.read(until - before))

    def load(self) -> Segment:
        """All of it. ValueError where it is damaged."""
        self.check()
        symbols = self.between(0, KEYS)
        dtype = np.dtype(self._head["dtype"])
        with self.path.open("rb") as stream:
            stream.seek(-self._head["tokens"] * dtype.itemsize, 2)
            ids = np.frombuffer(stream.read(), dtype)
        return Segment(ids, self.characters, symbols)


def seal(segment: Segment, digest: str, path: Path) -> None:
    """Writes a segment beside `path`, then renames it; `digest` is that of its text."""
    symbols = segment.symbols
    parts = [
        symbols.keys.astype("<u4").tobytes(), symbols.counts.astype("<i8").tobytes(),
        symbols.ends.astype("<i8").tobytes(), symbols.text,
        segment.ids.astype(segment.ids.dtype.newbyteorder("<")).tobytes(),
    ]  # fmt: skip
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    head = {
        "digest": digest, "characters": segment.characters, "tokens": len(segment.ids),
        "dtype": segment.ids.dtype.newbyteorder("<").str, "symbols": len(symbols),
        "crc32": checksum,
    }  # fmt: skip
    with replacing(path) as beside, beside.open("wb") as stream:
        stream.write(json.dumps(head).encode() + b"\n")
        for part in parts:
            stream.write(part)


def digest_of(pieces: Pieces, rule: Rule) -> str:
    """Equal for the same pieces encoded by the same rule."""
    whole = hashlib.blake2b(rule.digest.encode(), digest_size=16)
    for piece in pieces:
        data = piece.encode(errors="surrogatepass")
        whole.update(len(data).to_bytes(8, "little"))
        whole.update(data)
    return whole.hexdigest()


def most_frequent(segments: Sequence[Segment | Sealed], most: int | None) -> list[str]:
    """The symbols that come most often in all segments, at most so many; of equally frequent ones
    those whose code points come first.

    Counted exactly in bounded memory: where there are too many for one dictionary, those of one
    range of keys after those of another.
    """
    parts = max(1, -(-sum(segment.distinct for segment in segments) // SYMBOLS_COUNTED))
    bounds = [KEYS * k // parts for k in range(parts + 1)]
    best: list[tuple[int, str]] = []
    for low, high in itertools.pairwise(bounds):
        counts = Counter[str]()
        for segment in segments:
            here = segment.between(low, high)
            for symbol, count in zip(here.each(), here.counts.tolist(), strict=True):
                counts[symbol] += count
        counts.pop(UNKNOWN, None)
        best += ((-count, symbol) for symbol, count in counts.items())
        best = sorted(best) if most is None else heapq.nsmallest(most, best)
    return [symbol for _, symbol in best]


def in_vocabulary(segment: Segment, index: Mapping[str, int] | None) -> NDArray[Any]:
    """The ids of a segment in a vocabulary, which `index` gives for each symbol; without one they
    are such ids."""
    if index is None:
        return segment.ids
    table = np.array([index.get(symbol, 0) for symbol in segment.symbols.each()], dtype=np.int64)
    ids: NDArray[Any] = table[segment.ids]
    return ids


def _known(vocabulary: Vocabulary, pieces: Pieces) -> Segment:
    dtype = np.min_scalar_type(vocabulary.size - 1)
    parts, characters = [], 0
    for piece in pieces:
        text = vocabulary.clean(piece)
        ids = vocabulary.encode_clean(text)
        parts.append(ids.astype(dtype))
        characters += len(ids) if isinstance(vocabulary, Bytes) else len(text)
    return Segment(np.concatenate(parts), characters)


def _words(
    pieces: Pieces, rule: re.Pattern[str]
) -> tuple[NDArray[Any], list[str], NDArray[np.int64]]:
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__  # a word that is new has the next number
    ids = np.concatenate(
        [np.array([numbers[word] for word in rule.findall(piece)], np.int32) for piece in pieces]
    )
    return ids, list(numbers), np.bincount(ids, minlength=len(numbers))


def _characters(pieces: Pieces) -> tuple[NDArray[Any], list[str], NDArray[np.int64]]:
    codes = np.concatenate([code_points(piece) for piece in pieces])
    counts = np.bincount(codes)
    known = np.flatnonzero(counts)
    numbers = np.zeros(len(counts), dtype=np.int32)
    numbers[known] = np.arange(len(known))
    return numbers[codes], list(map(chr, known.tolist())), counts[known]


def _ordered(
    ids: NDArray[Any], symbols: Sequence[str], counts: NDArray[np.int64], characters: int
) -> Segment:
    """A segment whose symbols are numbered by their keys."""
    if not symbols:
        return Segment(np.empty(0, np.uint8), characters)
    encoded = [symbol.encode(errors="surrogatepass") for symbol in symbols]
    keys = np.array(list(map(zlib.crc32, encoded)), dtype="<u4")
    order = np.argsort(keys, kind="stable")
    numbers = np.empty(len(order), dtype=np.min_scalar_type(len(order) - 1))
    numbers[order] = np.arange(len(order))
    text = [encoded[k] for k in order.tolist()]
    ends = np.cumsum(list(map(len, text)), dtype=np.int64)
    return Segment(
        numbers[ids], characters, Symbols(keys[order], counts[order], ends, b"".join(text))
    )


def _range(keys: NDArray[np.uint32], low: int, high: int) -> tuple[int, int]:
    first, last = np.searchsorted(keys.astype(np.int64), [low, high]).tolist()
    return first, last
