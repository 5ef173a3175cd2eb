"""How often a client may ask: a bucket of requests for each, filled at a steady rate."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from elman.serve.contract import Refused
from elman.serve.errors import answer
from elman.serve.guard import OPEN

CLIENTS = 10_000  # that are remembered
ROUNDED = 1e-9  # of a request: many small sums of it


class Rates:
    """Refuses a client, known by its address, that has asked `rate` times in the last minute."""

    def __init__(
        self, app: ASGIApp, rate: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.app, self.rate, self.clock = app, rate, clock
        self._buckets = OrderedDict[str, tuple[float, float]]()  # what is left, and when

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self.rate and scope["path"] not in OPEN:
            wait = self.take(scope["client"][0] if scope.get("client") else "")
            if wait:
                told = f"more than {self.rate:,} requests a minute; ask again in {wait} s"
                error = Refused(429, "rate_limit_exceeded", told, retry_after=wait)
                await answer(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def take(self, client: str) -> int:
        """Takes one request; 0, or the whole seconds after which there will be one."""
        now = self.clock()
        left, then = self._buckets.pop(client, (float(self.rate), now))
        left = min(self.rate, left + (now - then) * self.rate / 60)
        taken = left > 1 - ROUNDED
        self._buckets[client] = (left - taken, now)
        if len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        return 0 if taken else math.ceil((1 - left) * 60 / self.rate)
