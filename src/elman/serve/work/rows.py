"""Rows answered as `elman predict` answers a file of them, as long as somebody waits for them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

from elman.data.tables.content import BadRows
from elman.run import rows
from elman.run.trained import Run
from elman.serve.desk import Wanted


class Answered(NamedTuple):
    """What `elman predict` would have written, and which rows were left out."""

    text: str
    left_out: list[str]


def answer(run: Run, body: bytes, ending: str, *, skip: bool) -> Callable[[Wanted], Answered]:
    """The work of answering a file of this ending. UserError, as of `Run.predict`."""

    def work(wanted: Wanted) -> Answered:
        out, bad = _Watched(wanted), BadRows(skip, advice="set skip_bad_rows to leave it out")
        left_out = rows.answer(run, body, ending, out, bad)
        return Answered(out.getvalue(), left_out)

    return work


class _Watched(io.StringIO):
    """Ends the work at the next row once nobody wants it."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(newline="")
        self._wanted = wanted

    def write(self, text: str) -> int:
        self._wanted.check()
        return super().write(text)
