"""Standard input line by line, as it arrives."""

from __future__ import annotations

import select
import sys
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from elman.data.source import stream_text
from elman.data.tables.delimited import line_blocks

ENCODING = "the right --encoding"
STANDARD_INPUT = "standard input"


class Arriving(Iterator[str]):
    """The lines of a stream as they arrive."""

    def __init__(
        self, shown: str, stream: BinaryIO, encoding: str | None = None, expected: str = ""
    ) -> None:
        texts = stream_text(shown, stream, encoding=encoding, expected=expected, instead=ENCODING)
        self._stream, self._blocks = stream, line_blocks(shown, texts)
        self._ready: deque[str] = deque()

    def __next__(self) -> str:
        while not self._ready:
            self._ready.extend(next(self._blocks))
        return self._ready.popleft()

    def waiting(self) -> bool:
        """Whether the next line is not there yet; False where that cannot be told."""
        try:
            return not self._ready and not select.select([self._stream], [], [], 0)[0]
        except (OSError, ValueError):  # no file of the system's
            return False


def standard_input(encoding: str | None = None, expected: str = "") -> Arriving:
    """The lines of standard input, in this encoding, or in the one that they have."""
    return Arriving(STANDARD_INPUT, sys.stdin.buffer, encoding, expected)
