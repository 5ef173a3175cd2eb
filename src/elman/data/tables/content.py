"""Records of a table as they come out of whatever holds it, block by block; rows that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from elman.errors import UserError
from elman.wording import counted

AT_ONCE = 8_192  # records of a block, or about as many
SHOWN = 3  # of what was left out, in a warning
SKIP = "give --skip-bad-rows to leave such rows out"


@dataclass
class BadRows:
    """What becomes of rows that cannot be read: an error at the first, or left out and counted."""

    skip: bool
    count: int = 0
    first: list[str] = field(default_factory=list)  # of the first few, what is wrong
    advice: str = SKIP

    def add(self, where: str, what: str) -> None:
        """A row that is wrong. UserError, unless such rows are left out."""
        self.refuse(f"{where}: {what}")

    def refuse(self, told: str) -> None:
        """The same, for a line that tells already where it is."""
        if not self.skip:  # who is told of a better option needs no second one
            raise UserError(told if "--" in told else f"{told}; {self.advice}")
        self.count += 1
        if len(self.first) < 5:
            self.first.append(told)

    def told(self, one: str, many: str = "") -> list[str]:
        """The warning that so many were left out, with the first of them; none where none were."""
        if not self.count:
            return []
        return [
            f"{counted(self.count, one, many)} left out, such as {'; '.join(self.first[:SHOWN])}"
        ]

    def nothing_left(self, told: str) -> UserError:
        """The error where nothing could be read, with what is wrong with the first left out."""
        left_out = f", as what it has was left out; {self.first[0]}" if self.first else ""
        return UserError(told + left_out)


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
    nested: frozenset[str] = frozenset()  # columns out of JSON objects within objects
