"""Records of a table as they come out of whatever holds it, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from elman.data.tables.table import BadRows

AT_ONCE = 8_192  # records of a block, or about as many


class Block(NamedTuple):
    """Records in order: the numbers of their lines or rows, from 1, and the cells of each."""

    numbers: Sequence[int]
    cells: Sequence[Sequence[Any]]  # as many as there are columns


class Content(NamedTuple):
    """A table that is no delimited text. Dates in its cells are ISO 8601 texts."""

    columns: tuple[str, ...]
    blocks: Callable[[BadRows], Iterator[Block]]
    unit: str = "row"  # what `numbers` count, for messages
    facts: tuple[str, ...] = ()  # for the user, such as sheets that are not read
