"""Rows that somebody hands over as bytes, answered as `Run.predict` answers a file of them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from elman.data.tables.content import BadRows
from elman.errors import ElmanError
from elman.run.trained import Run

NAME = "rows"  # what messages call them
CSV, LINES, TEXT = ".csv", ".jsonl", ".txt"


def answer(
    run: Run, body: bytes, ending: str, out: TextIO, bad: BadRows, name: str = NAME
) -> list[str]:
    """Write the answers to a file with this ending; what is wrong with the first rows left out.

    Messages call the file `name`. Raises what `Run.predict` does.
    """
    with tempfile.TemporaryDirectory(prefix="elman-") as place:
        path = Path(place) / f"{NAME}{ending}"
        path.write_bytes(body)
        try:
            run.predict(path, out=out, bad=bad)
        except ElmanError as error:
            raise type(error)(str(error).replace(str(path), name)) from None
        return [one.replace(str(path), name) for one in bad.first]


def lines(rows: Sequence[Any]) -> bytes:
    """Rows as JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def records(text: str) -> list[Any]:
    """JSON lines as rows; what is not a number is null."""
    return [json.loads(line, parse_constant=lambda _: None) for line in text.splitlines() if line]
