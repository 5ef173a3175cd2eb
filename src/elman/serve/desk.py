"""Work that keeps a processor busy, one piece after the other, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from elman.serve.gate import Gate

T = TypeVar("T")


class Unwanted(Exception):
    """Nobody waits for the work any more."""


class Wanted:
    """Asked now and then by work that takes long, so that it ends when its client is gone."""

    def __init__(self) -> None:
        self._gone = threading.Event()

    def drop(self) -> None:
        """Nobody waits any more."""
        self._gone.set()

    def check(self) -> None:
        """Unwanted: nobody waits any more."""
        if self._gone.is_set():
            raise Unwanted


class Desk:
    """Does one piece of work at a time; so many more wait in line."""

    def __init__(self, line: int) -> None:
        self.gate = Gate(1, line)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")

    async def do(self, work: Callable[[Wanted], T]) -> T:
        """What `work` gives, in its turn; cancelled, it is told so. Refused: the line is full."""
        async with self.gate.hold():
            wanted = Wanted()
            running = asyncio.get_running_loop().run_in_executor(self._thread, work, wanted)
            try:
                return await asyncio.shield(running)
            except asyncio.CancelledError:
                wanted.drop()
                # Its place is free only when the thread is: whoever comes next would wait there.
                await asyncio.gather(running, return_exceptions=True)
                raise

    def close(self) -> None:
        """Ends the thread once its work is done."""
        self._thread.shutdown(wait=True, cancel_futures=True)
