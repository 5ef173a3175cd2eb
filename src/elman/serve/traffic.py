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
        self.most, self.running, self.draining = most, 0, False
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

    def begin(self) -> None:
        """One more is being answered."""
        self.running += 1
        self._idle.clear()

    def end(self) -> None:
        """One has been answered."""
        self.running -= 1
        if not self.running:
            self._idle.set()

    async def drain(self, seconds: float) -> bool:
        """Answers what is there and refuses the rest; whether all ended within `seconds`."""
        self.draining = True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


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
        self.traffic.begin()
        try:
            await self.app(scope, receive, send)
        finally:
            self.traffic.end()
