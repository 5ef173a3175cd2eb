"""Text to token ids and back, at four levels: characters, bytes, words, byte-level BPE."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import numpy as np
from numpy.typing import NDArray

from elman.data.texts.segmentation import SPACED, first_lines, is_tokenised
from elman.errors import UserError, unknown_name

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Ids = NDArray[np.int32]

LEVELS = ("characters", "bytes", "words", "bpe")
UNKNOWN = "<unk>"
WORDS_LIMIT = 10_000
BPE_LIMIT = 2_000
BPE_SAMPLE = 20_000_000  # characters that BPE is trained on, from the start of the text
LOOKED_AT = 1_000_000  # characters by which it is told whether words are what spaces part
WORDS_COUNTED = 500_000  # different words held while counting; beyond it the rarest are forgotten

# Han, kana, bopomofo, with their radicals and compatibility forms; Hangul puts spaces itself.
CJK: Final = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
CJK_MARKS: Final = (
    "\u3001-\u3003\u3008-\u301f\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)
# Marks are part of the letter before them, and so are the two joiners of Persian and Hindi.
MARKS: Final = "\u200c\u200d" + "".join(
    chr(code) for code in range(0x300, 0xFE30) if unicodedata.category(chr(code))[0] == "M"
)
_RUN = rf"[^\W{CJK}](?:[{MARKS}]|[^\W{CJK}])*"
WORD: Final = re.compile(rf"\n|<[A-Za-z][A-Za-z0-9_]{{0,30}}>|{_RUN}(?:['’-]{_RUN})*|\S")
"""The words of a text, in order:

a newline; a name in angle brackets (`<unk>`, `<eos>`); a run of letters, digits and underscores
with single apostrophes or hyphens inside; each Chinese or Japanese character; each other symbol.
Other whitespace separates and is dropped.
"""
_FULL_WIDTH = re.compile(rf"[{CJK}{CJK_MARKS}]")
_CLOSING = frozenset(".,;:!?)]}%…’”»")
_OPENING = frozenset("([{“‘«")


class Decoder(ABC):
    """Turns ids into text one by one, as they are made."""

    @abstractmethod
    def push(self, token: int) -> str:
        """The text that is certain once this id has come; empty inside a split character."""

    def flush(self) -> str:
        """What was held back, at the end."""
        return ""


class Vocabulary(ABC):
    """What a model's token ids mean. Ids run from 0 to `size` - 1; it never changes.

    `lowercase` and `strip_digits` belong to it, so that a prompt is treated as the training text.
    """

    level: ClassVar[str]
    lowercase: bool
    strip_digits: bool

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of ids."""

    @property
    def unknown(self) -> int | None:
        """The id of whatever the vocabulary does not hold; None where it holds everything."""
        return None

    def encode(self, text: str) -> Ids:
        """The ids of a text, int32 [tokens]; any string is fit, the empty one too."""
        return self.encode_clean(self.clean(text))

    def clean(self, text: str) -> str:
        """The text as the model reads it: in lower case, without digits, if so chosen."""
        return clean_text(text, self.lowercase, self.strip_digits)

    @abstractmethod
    def encode_clean(self, text: str) -> Ids:
        """The ids of a text that has passed `clean`."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids; a byte sequence that is no UTF-8 becomes U+FFFD."""
        decoder = self.decoder()
        return "".join([decoder.push(int(token)) for token in ids]) + decoder.flush()

    @abstractmethod
    def decoder(self) -> Decoder:
        """A fresh decoder. To go on after a prompt, push its ids first and drop what they give."""

    @abstractmethod
    def symbol(self, token: int) -> str:
        """The token as shown in a table: on one line, whitespace made visible."""

    def covers(self, text: str) -> list[str]:
        """The symbols of the text that are unknown, each once, in the order they come."""
        return []

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """All that `from_json` needs, in plain JSON types."""


class _Listed(Vocabulary):
    """Symbols kept in a list; id 0 is for all others, and is never to be generated."""

    symbols: tuple[str, ...]

    @property
    def size(self) -> int:
        return len(self.symbols)

    @property
    def unknown(self) -> int:
        return 0

    @abstractmethod
    def cut(self, text: str) -> list[str]:
        """The symbols of a text, those too that are unknown; as many as it has ids."""

    def join(self, symbols: Iterable[str]) -> str:
        """The text of symbols, known or not."""
        return "".join(symbols)

    def look_up(self, symbols: Iterable[str]) -> Ids:
        """The ids of symbols that need no cutting, such as the tokens of a table."""
        index = self._index
        return np.array([index.get(self.clean(symbol), 0) for symbol in symbols], dtype=np.int32)

    def symbol(self, token: int) -> str:
        return _visible(self.symbols[token])

    def to_json(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "lowercase": self.lowercase,
            "strip_digits": self.strip_digits,
            "symbols": list(self.symbols),
        }

    @cached_property
    def _index(self) -> dict[str, int]:
        return {symbol: token for token, symbol in enumerate(self.symbols)}


@final
@dataclass(frozen=True)
class Characters(_Listed):
    """Each Unicode character is a token."""

    level = "characters"
    symbols: tuple[str, ...]
    lowercase: bool = False
    strip_digits: bool = False

    @cached_property
    def _table(self) -> Ids:
        """From code point to id; its last entry serves every code point above the known ones."""
        codes = np.array([ord(symbol) for symbol in self.symbols[1:]], dtype=np.int64)
        table = np.zeros(int(codes.max(initial=0)) + 2, dtype=np.int32)
        table[codes] = np.arange(1, self.size)
        return table

    def encode_clean(self, text: str) -> Ids:
        codes = code_points(text)
        ids: Ids = self._table[np.minimum(codes, len(self._table) - 1)]
        return ids

    def decoder(self) -> Decoder:
        return _CharacterDecoder(self.symbols)

    def cut(self, text: str) -> list[str]:
        return list(self.clean(text))

    def covers(self, text: str) -> list[str]:
        letters = dict.fromkeys(self.clean(text))
        return [letter for letter in letters if letter not in self._index]


@final
class _CharacterDecoder(Decoder):
    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = symbols

    def push(self, token: int) -> str:
        return self.symbols[token]


@final
@dataclass(frozen=True)
class Words(_Listed):
    """Each match of `WORD` is a token; `<unk>` in the text is the unknown token itself.

    With `spaced` a token is what stands between spaces, as in texts that are tokenised already,
    and is written so.
    """

    level = "words"
    symbols: tuple[str, ...]
    lowercase: bool = False
    strip_digits: bool = False
    spaced: bool = False

    def encode_clean(self, text: str) -> Ids:
        index = self._index
        return np.array([index.get(word, 0) for word in self._rule.findall(text)], dtype=np.int32)

    def decoder(self) -> Decoder:
        return _WordDecoder(self.symbols, self.spaced)

    def cut(self, text: str) -> list[str]:
        return self._rule.findall(self.clean(text))

    def join(self, symbols: Iterable[str]) -> str:
        parts, before = [], "\n"
        for word in symbols:
            parts.append(" " + word if _spaced(before, word, self.spaced) else word)
            before = word
        return "".join(parts)

    def covers(self, text: str) -> list[str]:
        words = dict.fromkeys(self.cut(text))
        return [word for word in words if not self._index.get(word)]

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | ({"spaced": True} if self.spaced else {})

    @property
    def _rule(self) -> re.Pattern[str]:
        return SPACED if self.spaced else WORD


@final
class _WordDecoder(Decoder):
    """Puts a space between two words but: around newlines, before closing and after opening
    punctuation, and beside full-width characters unless a Latin word stands between them and it.
    Words that spaces part have one everywhere but around newlines.
    """

    def __init__(self, symbols: Sequence[str], spaced: bool) -> None:
        self.symbols = symbols
        self.spaced = spaced
        self.before = "\n"

    def push(self, token: int) -> str:
        before, word = self.before, self.symbols[token]
        self.before = word
        return " " + word if _spaced(before, word, self.spaced) else word


def _spaced(before: str, word: str, spaced: bool) -> bool:
    if "\n" in (before, word):
        return False
    if spaced:
        return True
    if before in _OPENING or word in _CLOSING:
        return False
    return not (_FULL_WIDTH.match(before) and _FULL_WIDTH.match(word))


class _ByteWise(Vocabulary):
    """Tokens that are sequences of bytes, so that every text is covered."""

    @abstractmethod
    def _bytes_of(self) -> Sequence[bytes]:
        """The bytes of every token, by id."""

    def decoder(self) -> Decoder:
        return _ByteDecoder(self._bytes_of())

    def symbol(self, token: int) -> str:
        data = self._bytes_of()[token]
        try:
            return _visible(data.decode())
        except UnicodeDecodeError:
            return "".join(f"\\x{byte:02x}" for byte in data)


@final
class _ByteDecoder(Decoder):
    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.tokens = tokens
        self.utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        return self.utf8.decode(self.tokens[token])

    def flush(self) -> str:
        return self.utf8.decode(b"", True)


@final
@dataclass(frozen=True)
class Bytes(_ByteWise):
    """Each byte is a token. Lower-casing and removing digits concern ASCII alone."""

    level = "bytes"
    lowercase: bool = False
    strip_digits: bool = False

    @property
    def size(self) -> int:
        return 256

    def clean(self, text: str) -> str:
        return self.clean_bytes(text.encode(errors="replace")).decode()

    def clean_bytes(self, data: bytes) -> bytes:
        """Like `clean`, for bytes of any kind."""
        if self.lowercase:
            data = data.lower()
        return data.translate(None, b"0123456789") if self.strip_digits else data

    def encode_clean(self, text: str) -> Ids:
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int32)

    def to_json(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "lowercase": self.lowercase,
            "strip_digits": self.strip_digits,
        }

    def _bytes_of(self) -> Sequence[bytes]:
        return _SINGLE_BYTES


_SINGLE_BYTES = tuple(bytes([byte]) for byte in range(256))


@final
@dataclass(frozen=True, eq=False)
class BPE(_ByteWise):
    """Byte-level byte pair encoding (Sennrich et al. 2016, arXiv 1508.07909), by `tokenizers`."""

    level = "bpe"
    tokenizer: Tokenizer
    lowercase: bool = False
    strip_digits: bool = False

    @property
    def size(self) -> int:
        return self.tokenizer.get_vocab_size()

    def encode_clean(self, text: str) -> Ids:
        # A lone surrogate cannot cross into Rust; it stands for a byte that was no text anyway.
        text = text.encode(errors="replace").decode()
        return np.array(self.tokenizer.encode(text).ids, dtype=np.int32)

    def to_json(self) -> dict[str, Any]:
        return {
            "level": self.level,
            "lowercase": self.lowercase,
            "strip_digits": self.strip_digits,
            "tokenizer": json.loads(self.tokenizer.to_str()),
        }

    @cached_property
    def _pieces(self) -> Sequence[bytes]:
        letters = _byte_letters()
        tokens = sorted((token, piece) for piece, token in self.tokenizer.get_vocab().items())
        if [token for token, _ in tokens] != list(range(len(tokens))):
            raise ValueError("ids with gaps")
        return [bytes(letters[letter] for letter in piece) for _, piece in tokens]

    def _bytes_of(self) -> Sequence[bytes]:
        return self._pieces


def build(
    level: str,
    pieces: Iterable[str],
    *,
    limit: int | None = None,
    lowercase: bool = False,
    strip_digits: bool = False,
    spaced: bool | None = None,
) -> Vocabulary:
    """The vocabulary of a text that comes in pieces, each cut where no word is split.

    `limit` is the largest size, the unknown token included; None is 10,000 for words, 2,000 for
    BPE, none for characters. Symbols are ordered by how often they come, then by code point.
    BPE learns from the first 20 million characters. `spaced` is whether words are what spaces
    part; seen from the beginning of the text if not given. Raises `UserError` for a level or a
    limit that does not exist.
    """
    check(level, limit)
    if level == "bytes":
        return Bytes(lowercase, strip_digits)
    clean: Iterator[str] = (clean_text(piece, lowercase, strip_digits) for piece in pieces)
    if level == "bpe":
        return BPE(_train_bpe(clean, limit or BPE_LIMIT), lowercase, strip_digits)
    if level == "words":
        if spaced is None:
            lines, clean = first_lines(clean, LOOKED_AT)
            spaced = is_tokenised(lines)
        words = _count_words(clean, limit or WORDS_LIMIT, SPACED if spaced else WORD)
        return Words((UNKNOWN, *words), lowercase, strip_digits, spaced)
    return Characters((UNKNOWN, *_count_characters(clean, limit)), lowercase, strip_digits)


def check(level: str, limit: int | None) -> None:
    """UserError for a level that does not exist, and a limit too small for it."""
    if level not in LEVELS:
        raise unknown_name("level", level, LEVELS)
    least = {"characters": 2, "words": 2, "bytes": 256, "bpe": 257}[level]
    if limit is not None and limit < least:
        raise UserError(
            f"a vocabulary limit of {limit:,} is too small for {level}; give {least:,} or more"
        )


def listed(
    level: str, symbols: Sequence[str], lowercase: bool, strip_digits: bool, spaced: bool
) -> Characters | Words:
    """The vocabulary of these symbols, the most frequent first, and of the unknown one."""
    if level == "words":
        return Words((UNKNOWN, *symbols), lowercase, strip_digits, spaced)
    return Characters((UNKNOWN, *symbols), lowercase, strip_digits)


def from_json(data: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary that gave this `to_json`. Raises `UserError` where it is damaged."""
    try:
        level, lowercase, strip_digits = data["level"], data["lowercase"], data["strip_digits"]
        if not (isinstance(lowercase, bool) and isinstance(strip_digits, bool)):
            raise TypeError("lowercase and strip_digits are true or false")
        if level == "bytes":
            return Bytes(lowercase, strip_digits)
        if level == "bpe":
            return _bpe_from_json(data["tokenizer"], lowercase, strip_digits)
        symbols = tuple(data["symbols"])
        if symbols[:1] != (UNKNOWN,) or len(set(symbols)) != len(symbols):
            raise ValueError("symbols begin with <unk> and come once each")
        if not all(isinstance(symbol, str) and symbol for symbol in symbols):
            raise TypeError("symbols are strings")
        if level == "words":
            spaced = data.get("spaced", False)
            if not isinstance(spaced, bool):
                raise TypeError("spaced is true or false")
            return Words(symbols, lowercase, strip_digits, spaced)
        if level != "characters" or any(len(symbol) != 1 for symbol in symbols[1:]):
            raise ValueError("a level that exists, and single characters")
        return Characters(symbols, lowercase, strip_digits)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the vocabulary is damaged ({error}); take the file from its source again"
        ) from None


def _bpe_from_json(tokenizer: object, lowercase: bool, strip_digits: bool) -> BPE:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    try:
        made = Tokenizer.from_str(json.dumps(tokenizer))
    except Exception as error:  # tokenizers raises nothing more exact
        raise ValueError(str(error)) from None
    if not (
        isinstance(made.model, models.BPE)
        and isinstance(made.pre_tokenizer, pre_tokenizers.ByteLevel)
        and isinstance(made.decoder, decoders.ByteLevel)
    ):
        raise ValueError("no byte-level BPE")
    bpe = BPE(made, lowercase, strip_digits)
    if not set(_SINGLE_BYTES) <= set(bpe._bytes_of()):
        raise ValueError("some bytes have no token")
    return bpe


def _count_characters(pieces: Iterable[str], limit: int | None) -> list[str]:
    counts = np.zeros(0x110000, dtype=np.int64)
    for piece in pieces:
        here = np.bincount(code_points(piece))
        counts[: len(here)] += here
    known = np.flatnonzero(counts)
    # A stable sort keeps code point order among characters that are equally frequent.
    known = known[np.argsort(-counts[known], kind="stable")]
    return [chr(code) for code in (known if limit is None else known[: limit - 1])]


def _count_words(pieces: Iterable[str], limit: int, rule: re.Pattern[str]) -> list[str]:
    counts: Counter[str] = Counter()
    most = max(WORDS_COUNTED, 4 * limit)
    for piece in pieces:
        counts.update(rule.findall(piece))
        rare = 1
        while len(counts) > most:
            counts = Counter({word: n for word, n in counts.items() if n > rare})
            rare *= 2
    counts.pop(UNKNOWN, None)
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return ordered[: limit - 1]


def _train_bpe(pieces: Iterable[str], limit: int) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=limit,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_first(pieces, BPE_SAMPLE), trainer)
    return tokenizer


def _first(pieces: Iterable[str], characters: int) -> Iterable[str]:
    for piece in pieces:
        yield piece
        characters -= len(piece)
        if characters <= 0:
            return


def _byte_letters() -> dict[str, int]:
    """The letter that byte-level BPE writes for each byte: itself if printable, else one of the
    letters from U+0100 on, in order."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {
        chr(0x100 + place): byte for place, byte in enumerate(others)
    }


def clean_text(text: str, lowercase: bool, strip_digits: bool) -> str:
    if lowercase:
        text = text.lower()
    return re.sub(r"\d+", "", text) if strip_digits else text


def code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def _visible(text: str) -> str:
    return "".join(
        "␣" if letter == " " else letter if letter.isprintable() else ascii(letter)[1:-1]
        for letter in text
    )
