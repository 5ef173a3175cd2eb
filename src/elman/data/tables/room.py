"""Whether the rows of a table have room in memory: told early, before the system ends the process.

rows.csv: all of its rows would take about 47.1 GB of memory, and 18.3 GB were free; …
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from elman.data.tables.content import BadRows, Block
from elman.errors import UserError

GROWN = 200_000_000  # bytes that rows have taken before it is told what the rest would take
TOLD_BY = 0.02  # the same as a share of what is free
MADE = 2.0  # times as much as the rows, all that is made of them takes together with them
LEAST = 0.001  # share of a file that tells something of all of it
RESERVE = 0.05  # share of what was free that has to stay free where nothing tells how far it is
MEMINFO = Path("/proc/meminfo")
STATM = Path("/proc/self/statm")
GROUP = Path("/sys/fs/cgroup")


class Room:
    """Watches what the rows of one file take while they are read; of a `size` in bytes, 0 where
    that says nothing. `beside` listens to what has passed, too. Without Linux's /proc nothing is
    watched.
    """

    def __init__(self, shown: str, beside: Callable[[int], object] | None) -> None:
        self._shown, self._beside = shown, beside
        self._read = self.size = 0

    def passed(self, count: int) -> None:
        """So many more bytes of the file are read."""
        self._read += count
        if self._beside is not None:
            self._beside(count)

    def watching(
        self, content: Callable[[BadRows], Iterator[Block]]
    ) -> Callable[[BadRows], Iterator[Block]]:
        """The same blocks. UserError between two of them: the rest will not fit."""

        def watched(bad: BadRows) -> Iterator[Block]:
            self._read, free = 0, free_bytes()
            rows = before = read = 0
            for block in content(bad):
                yield block
                if free is None:
                    continue
                rows += len(block.numbers)
                if not before:  # what is loaded with the first rows is no part of the others
                    before, read, rows = resident_bytes(), self._read, 0
                else:
                    self._check(rows, self._read - read, resident_bytes() - before, free)

        return watched

    def _check(self, rows: int, read: int, grown: int, free: int) -> None:
        """UserError where rows that took so much leave not enough for the rest."""
        if grown < max(GROWN, free * TOLD_BY):
            return
        share = min(1.0, read / self.size) if self.size else 1.0
        if MADE * grown / max(share, LEAST) <= free * (1 if share < 1 else 1 - RESERVE):
            return
        wanted = (
            f"all of its rows would take about {_told(MADE * grown / share)} of memory"
            if share >= LEAST and self.size
            else f"{rows:,} of its rows take {_told(MADE * grown)} of memory"
        )
        fit = int(rows * free / grown / MADE / 2)
        fit -= fit % 10 ** max(0, len(str(fit)) - 2)
        raise UserError(
            f"{self._shown}: {wanted}, and {_told(free)} were free; give a part of it, such as "
            f"{fit:,} rows drawn from all over it, or take a machine with more"
        )


def free_bytes() -> int | None:
    """Memory that this process may still take; None where the system does not tell."""
    try:
        lines = MEMINFO.read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None
    free *= 1024
    with suppress(OSError, ValueError):  # no limit, or "max"
        limit = int((GROUP / "memory.max").read_text())
        used = int((GROUP / "memory.current").read_text())
        free = min(free, max(0, limit - used))
    return free


def resident_bytes() -> int:
    """Memory that this process has; 0 where the system does not tell."""
    try:
        return int(STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _told(count: float) -> str:
    if count < 1e9:
        return f"{count / 1e6:,.0f} MB"
    return f"{count / 1e9:,.1f} GB"
