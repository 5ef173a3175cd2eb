"""Rows answered as `elman predict` answers a file of them."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from elman.data.tables.content import BadRows
from elman.errors import ElmanError
from elman.run.trained import Run
from elman.serve.desk import Wanted

NAME = "rows"  # what messages call a body
CSV, LINES, TEXT = ".csv", ".jsonl", ".txt"


class Answered(NamedTuple):
    """What `elman predict` would have written, and which rows were left out."""

    text: str
    left_out: list[str]


def answer(run: Run, body: bytes, ending: str, *, skip: bool) -> Callable[[Wanted], Answered]:
    """The work of answering a file of this ending. UserError, as of `Run.predict`."""

    def work(wanted: Wanted) -> Answered:
        with tempfile.TemporaryDirectory(prefix="elman-") as place:
            path = Path(place) / f"{NAME}{ending}"
            path.write_bytes(body)
            out, bad = _Watched(wanted), BadRows(skip, advice="set skip_bad_rows to leave it out")
            try:
                run.predict(path, out=out, bad=bad)
            except ElmanError as error:
                raise type(error)(str(error).replace(str(path), NAME)) from None
            return Answered(out.getvalue(), [one.replace(str(path), NAME) for one in bad.first])

    return work


def lines(rows: Sequence[Any]) -> bytes:
    """Rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def records(text: str) -> list[Any]:
    """JSON lines as rows; what is not a number is null."""
    return [json.loads(line, parse_constant=lambda _: None) for line in text.splitlines() if line]


class _Watched(io.StringIO):
    """Ends the work at the next row once nobody wants it."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(newline="")
        self._wanted = wanted

    def write(self, text: str) -> int:
        self._wanted.check()
        return super().write(text)
