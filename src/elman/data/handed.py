"""Data as it is named in Python: paths, or data frames and data sets in memory.

elman.train("forecast", frame)      a frame of pandas or polars, a data set of Hugging Face
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from elman.data import source
from elman.data.forms import frames
from elman.data.tables.content import BadRows, Content
from elman.errors import UserError

Data: TypeAlias = Any  # str | Path, or what `frames.is_frame` knows


def items(data: Iterable[Data]) -> list[str]:
    """The items of data by names that everything else reads them by. UserError: another thing."""
    return [_item(one, f"data frame {k + 1}") for k, one in enumerate(data)]


def _item(one: Data, shown: str) -> str:
    if isinstance(one, str | Path):
        return str(one)
    if not frames.is_frame(one):
        raise UserError(
            f"data of type {type(one).__name__}: needs a path, or a data frame of pandas or polars"
        )
    content = frames.open_frame(one, shown)
    return source.lend(shown, lambda stream: _write(content, stream))


def _write(content: Content, stream: BinaryIO) -> None:
    """The rows as JSON lines, which keep what is a number, a text, a list, or missing."""
    for _, rows in content.blocks(BadRows(skip=False)):
        for cells in rows:
            record = dict(zip(content.columns, cells, strict=True))
            stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
