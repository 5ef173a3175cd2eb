"""The requests that are being answered: counted, and let run to their end when the server stops."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from elman.serve.contract import Refused
from elman.serve.errors import answer
from elman.serve.guard import OPEN


class Traffic:
    """Counts the requests of one process; once `draining`, and past `most`, refuses new ones."""

    def __init__(self, most: int) -> None:
        self.most, self.draining, self.cut = most, False, False
        self._running = set[asyncio.Task[None]]()
        self._idle = asyncio.Event()
        self._idle.set()

    def refusal(self, path: str) -> Refused | None:
        """Why a request for `path` is not answered now, if it is not."""
        if self.draining and path != "/health":
            told = "the server is about to end; ask again in a moment"
            return Refused(503, "shutting_down", told, retry_after=5)
        if self.running >= self.most and path not in OPEN:
            told = f"{self.most:,} requests are being answered; ask again in a moment"
            return Refused(429, "too_many_requests", told, retry_after=1)
        return None

    @property
    def running(self) -> int:
        """Requests that are being answered."""
        return len(self._running)

    def begin(self, task: asyncio.Task[None]) -> None:
        """One more is being answered, by this task."""
        self._running.add(task)
        self._idle.clear()

    def end(self, task: asyncio.Task[None]) -> None:
        """It has been answered."""
        self._running.discard(task)
        if not self._running:
            self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Refuses new requests, and cuts off those that have not been answered within `seconds`."""
        self.draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            self.cut_off()

    def cut_off(self) -> None:
        """Ends all requests at once."""
        self.cut = True
        for task in self._running:
            task.cancel()


class Counted:
    """The middleware by which requests are counted in a `Traffic`."""

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self.app, self.traffic = app, traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refused = self.traffic.refusal(scope["path"])
        if refused is not None:
            response = answer(refused)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        task = asyncio.current_task()
        assert task is not None
        self.traffic.begin(task)
        try:
            await self.app(scope, receive, send)
        except asyncio.CancelledError:
            if not self.traffic.cut:
                raise
        finally:
            self.traffic.end(task)
