"""How much bytes, read in an encoding, look like a language: by how common the letters are, how
they follow one another, and whether words keep to one script.

A cost is -log of a rough probability, in nats, so that encodings which make more or fewer letters
of the same bytes can be compared:

ba dc bf ec    GB18030 很快, two of the most common characters: about 15
               Windows-1252 ºÜ¿ì, a symbol, a capital, a symbol, a letter of Italian: about 40
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from elman.data.encodings.letters import LETTERS

ASCII = 3.3  # of a letter of the alphabet
BESIDE = 3.0  # of a letter beyond ASCII among others; of a word in another script
MIXED = 6.0  # of a letter of another alphabet beside one of ASCII
MIXED_SIGNS = 3.0  # the same in scripts that often have such words among theirs
BROKEN = 25.0  # of bytes that are no letter, and of letters of nobody
CAPITAL = 3.0  # of a capital after a small letter
WITHIN = 5.0  # of a symbol between two letters
ALONE = 6.0  # of a byte that is a word of its own, and in this encoding a letter that hardly is
RARE = 10.0  # of a letter beyond those listed, in a script with few letters
RARE_SIGN = 12.0  # the same, in a script with thousands
FIRST_OF_THOUSANDS = "\u0800"  # before it, two bytes of UTF-8, are scripts with few letters
MARKS = "’“”«»–…„°€—‘£•§·²©®™³µ×½¿¡±\u00a0"  # known everywhere, most frequent first
BETWEEN = "’‘“”–—…·\u00ad\ufffd"  # that may stand between two letters of a word
MARK = 4.0  # of the first of them
IDEOGRAPHIC = "　、。「」，．：；？！（）％～"
HALF_WIDTH = range(0xFF61, 0xFFA0)
HALF = 6.0  # of a half-width kana
WEST = (
    "English", "German", "French", "Spanish", "Italian", "Portuguese", "Swedish", "Danish",
    "Norwegian", "Finnish", "Dutch", "Icelandic", "Catalan",
)  # fmt: skip
CENTRAL = ("Polish", "Czech", "Hungarian", "Romanian", "Croatian", "Slovak", "Slovenian")
OLD = 4.0  # prior of encodings that hardly anyone writes any more, and more
NO_LETTER_ALONE = frozenset({"Thai", "Hebrew", "Arabic"})  # is a word
CYRILLIC = ("Russian", "Ukrainian", "Bulgarian", "Serbian", "Macedonian", "Belarusian")
BALTIC = ("Lithuanian", "Latvian", "Estonian")
SIGNS = frozenset({"simplified Chinese", "traditional Chinese", "Japanese", "Korean"})


@dataclass(frozen=True)
class Codec:
    """An encoding, by the name of Python's codec; `told` is how a user knows it.

    `prior` is a cost of its own: between encodings that read the same, the more usual is taken.
    """

    name: str
    told: str
    languages: tuple[str, ...]
    prior: float = 0.0

    @property
    def single(self) -> bool:
        """Whether each byte is a letter."""
        return not SIGNS & set(self.languages)


CODECS = (
    Codec("cp1252", "Windows-1252", WEST),
    Codec("gb18030", "GB18030", ("simplified Chinese", "traditional Chinese")),
    Codec("cp950", "Big5", ("traditional Chinese",), 1),
    Codec("cp932", "Shift-JIS", ("Japanese",), 1),
    Codec("euc_jp", "EUC-JP", ("Japanese",), 1),
    Codec("cp949", "EUC-KR", ("Korean",), 1),
    Codec("cp1250", "Windows-1250", CENTRAL, 1),
    Codec("cp1251", "Windows-1251", CYRILLIC, 1),
    Codec("cp1253", "Windows-1253", ("Greek",), 1),
    Codec("cp1254", "Windows-1254", ("Turkish",), 1),
    Codec("cp1255", "Windows-1255", ("Hebrew",), 1),
    Codec("cp1256", "Windows-1256", ("Arabic", "Persian"), 1),
    Codec("cp1257", "Windows-1257", BALTIC, 2),
    Codec("cp874", "Windows-874", ("Thai",), 1),
    Codec("big5hkscs", "Big5-HKSCS", ("traditional Chinese",), 2),
    Codec("iso8859_2", "ISO-8859-2", CENTRAL, 2),
    Codec("iso8859_15", "ISO-8859-15", WEST, 3),
    Codec("iso8859_5", "ISO-8859-5", CYRILLIC, 3),
    Codec("iso8859_7", "ISO-8859-7", ("Greek",), 3),
    Codec("iso8859_6", "ISO-8859-6", ("Arabic",), 3),
    Codec("koi8_r", "KOI8-R", ("Russian", "Bulgarian"), 2),
    Codec("koi8_u", "KOI8-U", ("Ukrainian",), 3),
    Codec("cp866", "DOS code page 866", CYRILLIC, 4),
    Codec("cp850", "DOS code page 850", WEST, 7),
    Codec("cp852", "DOS code page 852", CENTRAL, 7),
    Codec("mac_roman", "Mac Roman", WEST, 7),
)
UTF8 = Codec("utf-8", "", tuple(LETTERS))  # if with mistakes


def ranked(sample: bytes) -> list[tuple[float, Codec]]:
    """All encodings with their costs, UTF-8 among them, the likeliest first.

    `sample` is words that are parted by spaces, none of them cut within a letter.
    """
    costs = ((_cost(sample, codec), codec) for codec in (UTF8, *CODECS))
    return sorted(costs, key=lambda pair: pair[0])


def plausible(text: str) -> bool:
    """Whether most letters beyond ASCII are those that some language uses often."""
    counts = Counter(letter for letter in text if letter > "\x7f")
    usual = sum(count for letter, count in counts.items() if letter in _usual())
    return 2 * usual >= counts.total()


@functools.cache
def _usual() -> frozenset[str]:
    return frozenset("".join(LETTERS.values())) | frozenset(MARKS + IDEOGRAPHIC)


def _cost(sample: bytes, codec: Codec) -> float:
    text = sample.decode(codec.name, errors="replace")
    counts = Counter(text)
    beyond = {letter: n for letter, n in counts.items() if letter > "\x7f"}
    ascii_letters = len(text) - sum(beyond.values())
    letters = min(
        sum(_letter(c, of, codec) * n for c, n in beyond.items()) for of in _tables(codec)
    )
    beside = codec.languages[0] in (*WEST, *CENTRAL, *BALTIC, "Turkish")
    cost = codec.prior + ASCII * ascii_letters + letters
    if beside:
        cost += BESIDE * sum(beyond.values())
    else:
        cost += BESIDE * len((_LETTERS if codec.single else _RUN).findall(text))
        mixed = MIXED if codec.single else MIXED_SIGNS
        cost += mixed * len(_BESIDE_ASCII.findall(text))
    if codec.single:
        capital, within = _patterns(codec.name)
        cost += CAPITAL * len(capital.findall(text)) + WITHIN * len(within.findall(text))
        cost += ALONE * _alone(sample, text, codec)
    return cost


# Beside numbers, in brackets, at the end of a cell: 12,50 €
_EURO = re.compile(rb"(?<![A-Za-z\x80-\x9f\xa1-\xff])\x80(?![A-Za-z\x80-\x9f\xa1-\xff])")


def _alone(sample: bytes, text: str, codec: Codec) -> int:
    """How many bytes that stand alone are no word in this encoding: 0x80 where it is no €, and in
    the encodings of old systems any letter, as Windows' signs (€ – § “) are letters there."""
    has_euro = b"\x80".decode(codec.name, errors="replace") == "€"
    count = 0 if has_euro else len(_EURO.findall(sample))
    if codec.prior >= OLD or codec.languages[0] in NO_LETTER_ALONE:
        count += len(_LONE.findall(text))
    return count


# Words of one letter of Cyrillic are left out.
_LONE = re.compile(r"(?<![^\W\d_])(?=[^\x00-\x7f])(?![авикосуя])[^\W\d_](?![^\W\d_])", re.I)


_RUN = re.compile(r"[^\x00-\x7f]+")
# A sign that every script has counts by itself, as it does beside letters of ASCII.
_LETTERS = re.compile(rf"[^\x00-\x7f{MARKS}]+|[{MARKS}]")
_BESIDE_ASCII = re.compile(r"[A-Za-z][^\x00-\x7f’“”«»–—…]|[^\x00-\x7f’“”«»–—…][A-Za-z]")


def _letter(letter: str, costs: Mapping[str, float], codec: Codec) -> float:
    if (known := costs.get(letter)) is not None:
        return known
    if letter == "\ufffd" or not (codec is UTF8 or letter.isprintable()):
        return BROKEN
    if ord(letter) in HALF_WIDTH:
        return HALF
    few = codec.single or (codec is UTF8 and letter < FIRST_OF_THOUSANDS)
    return RARE if few else RARE_SIGN


def _tables(codec: Codec) -> Iterator[Mapping[str, float]]:
    return map(_costs, codec.languages)


@functools.cache
def _costs(language: str) -> Mapping[str, float]:
    """The cost of each letter that the language uses often, as 1 / (rank + a few)."""
    letters = LETTERS[language]
    letters += "".join(
        c.upper() for c in letters if len(c.upper()) == 1 and c.upper() not in letters
    )
    flat = 20 if language in SIGNS else 3
    total = math.log((len(letters) + flat) / flat)
    costs = {mark: MARK + math.log(1 + rank / 4) for rank, mark in enumerate(MARKS)}
    costs |= dict.fromkeys(IDEOGRAPHIC, 6.0) if language in SIGNS else {}
    costs |= {c: math.log((rank + flat) * total) for rank, c in enumerate(letters)}
    return costs


@functools.cache
def _patterns(name: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A capital after a small letter, one of them beyond ASCII; a symbol between two letters."""
    high = bytes(range(128, 256)).decode(name, errors="ignore")
    small, large = ("".join(c for c in high if is_one(c)) for is_one in (str.islower, str.isupper))
    symbols = "".join(c for c in high if not c.isalpha() and c not in BETWEEN)
    symbols = re.escape("".join(c for c in symbols if c.isprintable() or c == "\u00a0"))
    others = "".join(c for c in high if c.isalpha())
    letters = "A-Za-z" + others
    nothing = "(?!)"
    capital = f"[{others}](?=[0-9])|(?<=[0-9])[{others}]"
    if small and large:
        capital += f"|[a-z{small}](?=[{large}])|[{small}](?=[A-Z])"
    within = f"(?<=[{letters}])[{symbols}](?=[{letters}])" if symbols else nothing
    return re.compile(capital), re.compile(within)
