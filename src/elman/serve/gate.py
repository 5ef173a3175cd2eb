"""So many at once: who comes later waits in a line, and past the end of the line is sent away."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from elman.serve.contract import Refused


class Gate:
    """`places` to be held at once, given in the order of asking, and a line of `line` requests.

    A request may hold several places. Refused with 429, and the time that the line is likely to
    take, where the line is full.
    """

    def __init__(self, places: int, line: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.places, self.line, self._clock = places, line, clock
        self.held = 0
        self._line = deque[tuple[int, asyncio.Future[None]]]()
        self._seconds = 1.0  # that a place was held of late

    @property
    def waiting(self) -> int:
        """Requests in the line."""
        return len(self._line)

    @asynccontextmanager
    async def hold(self, count: int = 1) -> AsyncIterator[None]:
        """Hold so many places. Refused: more than there are, or the line is full."""
        await self.enter(count)
        began = self._clock()
        try:
            yield
        finally:
            self._seconds += 0.1 * (self._clock() - began - self._seconds)
            self.leave(count)

    async def enter(self, count: int) -> None:
        """Takes places, which `leave` gives back."""
        if count > self.places:
            told = f"asks for {count:,} texts at once; at most {self.places:,} are written"
            raise Refused(400, "too_many_texts", told, "n")
        if not self._line and self.held + count <= self.places:
            self.held += count
            return
        if len(self._line) >= self.line:
            wait = max(1, math.ceil(self._seconds * (len(self._line) + 1) / self.places))
            told = f"busy, and {self.line:,} requests are waiting; ask again in {wait} s"
            raise Refused(429, "queue_full", told, retry_after=wait)
        turn = asyncio.get_running_loop().create_future()
        self._line.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._advance()
            else:  # its turn came at the same moment
                self.leave(count)
            raise

    def leave(self, count: int) -> None:
        """Gives places back, to those who wait."""
        self.held -= count
        self._advance()

    def _advance(self) -> None:
        self._line = deque(one for one in self._line if not one[1].cancelled())
        while self._line and self.held + self._line[0][0] <= self.places:
            count, turn = self._line.popleft()
            self.held += count
            turn.set_result(None)
