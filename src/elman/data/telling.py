"""How far a long reading of data is, told to whoever listens.

encoding the text: 34 %, 3.4 of 10.0 GB, 21.3 MB/s, 5:10 left
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from elman.wording import minutes

EVERY = 0.5  # seconds between two tellings
SLOW = 3.0  # seconds from which a reading is told at all


class Stage(NamedTuple):
    """What is done, how much of it, in [0, 1], where that is known, and all of it in words."""

    what: str
    share: float | None
    told: str

    def __str__(self) -> str:
        return f"{self.what}: {self.told}"


Listener = Callable[[Stage], None]
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def telling(listener: Listener) -> Iterator[None]:
    """Within it, `listener` is called with each stage of a reading that takes long."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def tell(stage: Stage) -> None:
    """A stage, to whoever listens."""
    if (listener := _listener.get()) is not None:
        listener(stage)


class Pace:
    """One long piece of work on so many bytes of data, None where that is not known."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what, self.total = what, total
        self._began = self._last = time.monotonic()
        self._slow = self._began + SLOW

    def at(self, done: int, fresh: int) -> Stage | None:
        """So many bytes are done; of them `fresh` now, and not in an earlier sitting. Gives what
        was told, if it was time."""
        now = time.monotonic()
        if now < max(self._last + EVERY, self._slow):
            return None
        self._last = now
        stage = self._stage(done, fresh, now - self._began)
        tell(stage)
        return stage

    def _stage(self, done: int, fresh: int, seconds: float) -> Stage:
        speed = fresh / seconds
        at = f", {speed / 1e6:,.1f} MB/s" if fresh else ""
        if not self.total:
            return Stage(self._what, None, f"{done / 1e9:,.2f} GB{at}")
        share = min(1.0, done / self.total)
        told = f"{share:.0%}, {done / 1e9:,.2f} of {self.total / 1e9:,.2f} GB{at}"
        if fresh:
            told += f", {minutes(max(0, self.total - done) / speed)} left"
        return Stage(self._what, share, told)
