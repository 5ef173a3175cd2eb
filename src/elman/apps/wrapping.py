"""Long lines broken between words, as wide as a terminal shows them: 狐 takes two columns of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len

NARROWEST = 20  # columns; a terminal that claims less is left to break lines itself
CLOSING = "，。、；：！？）」』”’》】…"  # never at the beginning of a line


def wrapped(line: str, width: int) -> list[str]:
    """A line as lines of at most `width` columns, broken at spaces and between wide characters.

    Words that are wider stay whole, so that paths can be copied.
    """
    if width < NARROWEST or cell_len(line) <= width:
        return [line]
    lines, taken = [""], 0
    for piece in _pieces(line):
        columns = cell_len(piece.rstrip())
        if taken + columns > width and lines[-1].strip():
            lines.append("")
            taken = 0
        lines[-1] += piece
        taken += cell_len(piece)
    return [made.rstrip() for made in lines]


def _pieces(line: str) -> Iterator[str]:
    """Words with the spaces after them, and wide characters with what may not be parted from them.

    They are the whole line together.
    """
    for word in re.findall(r"^\s+|\S+\s*", line):
        start = 0
        for k in range(1, len(word)):
            parted = _is_wide(word[k - 1]) or _is_wide(word[k])
            if parted and word[k] not in CLOSING and not word[k].isspace():
                yield word[start:k]
                start = k
        yield word[start:]


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"
