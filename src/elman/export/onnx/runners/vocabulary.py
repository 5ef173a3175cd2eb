"""Text ↔ ids of tokens: characters, bytes, words, byte-level BPE."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any

# Han, kana, bopomofo, with their radicals and compatibility forms; marks that are as wide.
CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
CJK_MARKS = "\u3001-\u3003\u3008-\u301f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
FULL_WIDTH = re.compile(f"[{CJK}{CJK_MARKS}]")
CLOSING, OPENING = frozenset(".,;:!?)]}%…’”»"), frozenset("([{“‘«")
SPACED = re.compile(r"\n|\S+")  # what stands between spaces, in texts that are tokenised already

# What Unicode counts as white space; of a text in which letters have become L, digits N, blanks a
# space, other white space S and all else O, the stretches within which bytes are joined.
WHITE = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | frozenset(
    map(chr, range(0x2000, 0x200B))
)
STRETCHES = re.compile(r" ?L+| ?N+| ?O+|[ S]+(?![LNO])|[ S]+")
CONTRACTION = re.compile("'(?:s|t|re|ve|m|ll|d)")


class Vocabulary:
    """What ids mean, of its record in the model. `unknown` is the id of all that the vocabulary
    does not hold, or None."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.level = record["level"]
        self._lowercase, self._strip_digits = record["lowercase"], record["strip_digits"]
        self._spaced: bool = record.get("spaced", False)
        self.unknown = 0 if self.level in ("characters", "words") else None
        self.symbols: list[str] = record.get("symbols", [])
        self.bytes = [bytes([byte]) for byte in range(256)]  # of each id, where ids are bytes
        if self.level == "bpe":
            self._letters = letters_of_bytes()
            byte_of = {letter: byte for byte, letter in enumerate(self._letters)}
            model = record["tokenizer"]["model"]
            self.symbols = sorted(model["vocab"], key=model["vocab"].__getitem__)
            self.bytes = [bytes(map(byte_of.__getitem__, symbol)) for symbol in self.symbols]
            pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
            self._rank = {tuple(pair): rank for rank, pair in enumerate(pairs)}
        self._index = {symbol: token for token, symbol in enumerate(self.symbols)}

    @property
    def size(self) -> int:
        return len(self.symbols) or len(self.bytes)

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""
        return self._ids(self.cut(text))

    def look_up(self, symbols: Iterable[str]) -> list[int]:
        """The ids of symbols that need no cutting."""
        return self._ids(map(self.clean, symbols))

    def _ids(self, symbols: Iterable[Any]) -> list[int]:
        if self.level == "bytes":
            return list(symbols)
        return [self._index.get(symbol, self.unknown or 0) for symbol in symbols]

    def cut(self, text: str) -> list[Any]:
        """The symbols of a text, known or not; of `bytes` the bytes."""
        text = self.clean(text)
        match self.level:
            case "characters":
                return list(text)
            case "bytes":
                return list(text.encode())
            case "words":
                return (SPACED if self._spaced else words()).findall(text)
        return [piece for stretch in stretches(text) for piece in self._joined(stretch)]

    def clean(self, text: str) -> str:
        """The text as the network reads it: in lower case, without digits, if so chosen."""
        if self.level == "bytes":
            data = text.encode(errors="replace")
            data = data.lower() if self._lowercase else data
            return (data.translate(None, b"0123456789") if self._strip_digits else data).decode()
        text = text.lower() if self._lowercase else text
        return re.sub(r"\d+", "", text) if self._strip_digits else text

    def _joined(self, stretch: str) -> list[str]:
        """The letters of its bytes, of which the pair that was learnt first is joined, and so on
        (Sennrich et al. 2016, arXiv:1508.07909)."""
        pieces = [self._letters[byte] for byte in stretch.encode(errors="replace")]
        while len(pieces) > 1:
            ranks = [self._rank.get(pair, len(self._rank)) for pair in pairwise(pieces)]
            first = min(ranks)
            if first == len(self._rank):
                break
            k = ranks.index(first)
            pieces[k : k + 2] = [pieces[k] + pieces[k + 1]]
        return pieces

    def between(self, before: str, word: str) -> bool:
        """Whether a space stands between two words."""
        if self.level != "words" or "\n" in (before, word):
            return False
        if self._spaced:
            return True
        if before in OPENING or word in CLOSING:
            return False
        return not (FULL_WIDTH.match(before) and FULL_WIDTH.match(word))

    def join(self, symbols: Iterable[str]) -> str:
        """The text of symbols, known or not."""
        parts, before = [], "\n"
        for symbol in symbols:
            parts.append(" " + symbol if self.between(before, symbol) else symbol)
            before = symbol
        return "".join(parts)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids; bytes that are no UTF-8 become U+FFFD."""
        decoder = Decoder(self)
        return "".join([decoder.push(token) for token in ids]) + decoder.flush()


class Decoder:
    """Ids → text, one by one as they are made."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._before = vocabulary, "\n"
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        """The text that is certain once this id has come; empty inside a split character."""
        known = self._vocabulary
        if known.level in ("bytes", "bpe"):
            return self._utf8.decode(known.bytes[token])
        before, self._before = self._before, known.symbols[token]
        return " " + self._before if known.between(before, self._before) else self._before

    def flush(self) -> str:
        """What was held back, at the end."""
        return self._utf8.decode(b"", True)


@cache
def words() -> re.Pattern[str]:
    """What a word is: a newline; a name in angle brackets; a run of letters, digits and underscores
    with single apostrophes or hyphens inside; a Chinese or Japanese character; another symbol."""
    marks = "\u200c\u200d" + "".join(
        chr(code) for code in range(0x300, 0xFE30) if unicodedata.category(chr(code))[0] == "M"
    )
    run = rf"[^\W{CJK}](?:[{marks}]|[^\W{CJK}])*"
    return re.compile(rf"\n|<[A-Za-z][A-Za-z0-9_]{{0,30}}>|{run}(?:['’-]{run})*|\S")


def letters_of_bytes() -> str:
    """The letter that stands for each byte in pairs: itself if printable, else one from U+0100 on,
    in order."""
    own = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return "".join(chr(byte if byte in own else next(others)) for byte in range(256))


def stretches(text: str) -> Iterator[str]:
    """A text cut where bytes are never joined: words with the blank before them, numbers, signs."""
    kinds = "".join(map(kind, text))
    place = 0
    while place < len(text):
        found = CONTRACTION.match(text, place) or STRETCHES.match(kinds, place)
        assert found is not None  # every kind of character begins a stretch
        yield text[place : found.end()]
        place = found.end()


@cache
def kind(letter: str) -> str:
    """L, N, S, O or a blank."""
    if letter in WHITE:
        return " " if letter == " " else "S"
    category = unicodedata.category(letter)[0]
    return category if category in "LN" else "O"
