"""Work that one process has at a time: a lock that ends with the process that holds it.

A lock that a killed process would leave behind has no age at which it may be taken for dead: of a
process that was only stopped for a while it would be taken too early.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from elman.data.cache import is_at
from elman.run import files


@contextlib.contextmanager
def claimed(lock: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether what `lock` stands for is ours for the time of the block; not, while another process
    has it, unless we `wait`. UserError: the file cannot be written."""
    while True:
        with files.writing(lock):
            lock.parent.mkdir(parents=wait, exist_ok=True)
            file = lock.open("w")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            if is_at(file, lock):
                yield True
                return
