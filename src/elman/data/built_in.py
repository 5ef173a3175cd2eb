"""The data sets that come with Python or with Elman, so that every task runs without a network."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

from elman.data.python_tags import python_tags

CATEGORIES: Mapping[str, str] = {
    "L": "letter",
    "M": "mark",
    "N": "number",
    "P": "punctuation",
    "S": "symbol",
}
IDEOGRAPH = "IDEOGRAPH-"  # whose names are numbers


def topics() -> bytes:
    """The help texts of Python, one after the other."""
    from pydoc_data.topics import topics

    return "\n".join(topics[topic] for topic in sorted(topics)).encode()


def unicode() -> bytes:
    """The names of Unicode's characters, and what each is: a letter, a mark, a symbol, …

    name,kind
    GREEK SMALL LETTER ALPHA,letter
    """
    rows = ["name,kind"]
    for code in range(0x80, 0x20000):
        name, kind = unicodedata.name(chr(code), ""), unicodedata.category(chr(code))[0]
        if name and kind in CATEGORIES and IDEOGRAPH not in name and "HANGUL SYLLABLE" not in name:
            rows.append(f"{name},{CATEGORIES[kind]}")
    return "\n".join(rows).encode() + b"\n"


def sunspots() -> bytes:
    """The mean number of sunspots of each year.

    year,sunspots
    1700,5
    """
    from elman.data.sunspots import FIGURES, FIRST

    rows = [f"{FIRST + k},{figure}" for k, figure in enumerate(FIGURES.split())]
    return "\n".join(["year,sunspots", *rows]).encode() + b"\n"


MADE: Mapping[str, Callable[[], bytes]] = {
    "topics": topics,
    "unicode": unicode,
    "python-tags": python_tags,
    "sunspots": sunspots,
}
