"""Scripts, by which it is told whether a text is one that a model can read at all."""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter


@functools.cache
def script_of(letter: str) -> str:
    """The first word of a letter's name in Unicode: Latin, Cyrillic, CJK; empty for no letter.

    Wide, narrow and stylised forms, Ａ or ｱ or 𝐀, are of the script of what they stand for.
    """
    if not letter.isalpha():
        return ""
    plain = next(filter(str.isalpha, unicodedata.normalize("NFKC", letter)), letter)
    word = unicodedata.name(plain, "").replace("-", " ").split(" ")[0]
    return "CJK" if word in ("CJK", "IDEOGRAPHIC") else word.capitalize()


def scripts(text: str) -> Counter[str]:
    """The scripts of a text, each with its letters counted."""
    counts = Counter[str]()
    for letter, count in Counter(text).items():
        if script := script_of(letter):
            counts[script] += count
    return counts


def main_script(text: str) -> str:
    """That of most of a text's letters; empty where it has none."""
    counts = scripts(text)
    return counts.most_common(1)[0][0] if counts else ""
