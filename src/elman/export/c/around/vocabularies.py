"""Symbols as tables: texts to ids, and ids to texts."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from elman.export.c.around import numbers, piece
from elman.export.c.source import Source

UNKNOWN, LEFT_OUT = 0, -1  # ids of characters that a vocabulary does not know, or does not read


def can_encode(vocabulary: Mapping[str, Any]) -> bool:
    """Whether texts can be cut in C: words and pairs of bytes need tables of all of Unicode."""
    return vocabulary["level"] in ("characters", "bytes")


def encoder(source: Source, vocabulary: Mapping[str, Any]) -> str:
    """`name_encode`, as text of C."""
    if vocabulary["level"] == "bytes":
        ids = numbers("int16_t", "ids_of_bytes", [_of_byte(b, vocabulary) for b in range(256)])
        return f"{ids}\n{piece(source, 'bytes.c')}"
    known = characters(vocabulary)
    codes = sorted(known)
    tables = [
        numbers("uint32_t", "codes", codes),
        numbers("int32_t", "ids_of_codes", [known[code] for code in codes]),
    ]
    return "\n".join([*tables, code_point(source), piece(source, "characters.c")])


def looker(source: Source, vocabulary: Mapping[str, Any]) -> str:
    """`name_look_up`, which finds tokens whole, as text of C; after `encoder`, if there is one."""
    order = sorted((text, k) for k, text in enumerate(symbols(vocabulary)))
    starts = list(itertools.accumulate((len(text) for text, _ in order), initial=0))
    changed = _changed(vocabulary)
    tables = [
        numbers("unsigned char", "tokens_in_order", list(b"".join(t for t, _ in order)) or [0]),
        numbers("uint32_t", "starts_in_order", starts),
        numbers("int32_t", "ids_in_order", [k for _, k in order]),
        numbers("uint32_t", "codes_changed", list(changed) or [0]),
        numbers("int32_t", "codes_instead", list(changed.values()) or [0]),
    ]
    return "\n".join([*tables, piece(source, "look_up.c")])


def _changed(vocabulary: Mapping[str, Any]) -> dict[int, int]:
    """What each code point becomes before a token is looked up, -1 where it is left out."""
    found = {}
    for code in range(sys.maxunicode + 1):
        symbol = chr(code).lower() if vocabulary["lowercase"] else chr(code)
        if vocabulary["strip_digits"] and re.fullmatch(r"\d", symbol):
            found[code] = LEFT_OUT
        elif len(symbol) == 1 and ord(symbol) != code:
            found[code] = ord(symbol)
    return found


def code_point(source: Source) -> str:
    """How code points are read out of UTF-8, as text of C."""
    return piece(source, "code_point.c")


def decoder(source: Source, texts: Sequence[bytes]) -> str:
    """`name_decode` of symbols, as text of C."""
    starts = [0]
    for text in texts:
        starts.append(starts[-1] + len(text))
    whole = list(b"".join(texts)) or [0]
    tables = [
        numbers("unsigned char", "symbols", whole),
        numbers("uint32_t", "starts_of_symbols", starts),
    ]
    return "\n".join([*tables, piece(source, "decode.c")])


def symbols(vocabulary: Mapping[str, Any]) -> list[bytes]:
    """The text of each id."""
    if vocabulary["level"] == "bytes":
        return [bytes([byte]) for byte in range(256)]
    return [symbol.encode("utf-8", "surrogateescape") for symbol in vocabulary["symbols"]]


def characters(vocabulary: Mapping[str, Any]) -> dict[int, int]:
    """The id of each code point that is known or left out."""
    ids = {symbol: k for k, symbol in enumerate(vocabulary["symbols"])}
    if not (vocabulary["lowercase"] or vocabulary["strip_digits"]):
        return {ord(symbol): k for symbol, k in ids.items() if len(symbol) == 1}
    found = {}
    for code in range(sys.maxunicode + 1):
        symbol = chr(code).lower() if vocabulary["lowercase"] else chr(code)
        if vocabulary["strip_digits"] and re.fullmatch(r"\d", symbol):
            found[code] = LEFT_OUT
        elif symbol in ids:
            found[code] = ids[symbol]
    return found


def _of_byte(byte: int, vocabulary: Mapping[str, Any]) -> int:
    text = bytes([byte]).lower() if vocabulary["lowercase"] else bytes([byte])
    return LEFT_OUT if vocabulary["strip_digits"] and text.isdigit() else text[0]
