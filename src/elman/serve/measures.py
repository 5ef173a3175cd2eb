"""What is counted for Prometheus: requests, tokens, how long they take, who waits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where workers put their figures
SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
PACE = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class Measures:
    """The figures of one process; `text` gives those of all workers."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "elman_requests", "Requests, by address and status", ["path", "status"],
            registry=registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "elman_request_seconds", "Time from a request to the end of its answer", ["path"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._tokens = Counter(
            "elman_tokens", "Tokens, by model: read in prompts, or written", ["model", "kind"],
            registry=registry,
        )  # fmt: skip
        self._first = Histogram(
            "elman_first_token_seconds", "Time from a request to its first token", ["model"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        self._pace = Histogram(
            "elman_token_seconds", "Time for a token of a text, once it has begun", ["model"],
            buckets=PACE, registry=registry,
        )  # fmt: skip
        self._live = Gauge(
            "elman_live_texts", "Texts that are being written", registry=registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._waiting = Gauge(
            "elman_waiting_requests", "Requests that wait for their turn", registry=registry,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._sessions = Gauge(
            "elman_sessions", "Sessions that are alive, of all workers", registry=registry,
            multiprocess_mode="mostrecent",
        )  # fmt: skip

    def answered(self, path: str, status: int, seconds: float) -> None:
        """A request has been answered."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def read(self, model: str, tokens: int) -> None:
        """So many tokens were read in prompts."""
        self._tokens.labels(model, "prompt").inc(tokens)

    def written(self, model: str, tokens: int, first: float, seconds: float) -> None:
        """A text was written: the first of so many tokens after so long, all of them after so
        long."""
        if tokens:
            self._tokens.labels(model, "completion").inc(tokens)
            self._first.labels(model).observe(first)
        if tokens > 1:
            self._pace.labels(model).observe((seconds - first) / (tokens - 1))

    def now(self, live: int, waiting: int, sessions: int) -> None:
        """How many there are at this moment."""
        self._live.set(live)
        self._waiting.set(waiting)
        self._sessions.set(sessions)

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)


class Measured:
    """The middleware that counts requests: by the route that answers, as addresses are endless."""

    def __init__(
        self, app: ASGIApp, measures: Measures, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.app, self.measures, self.clock = app, measures, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = self.clock(), 499  # where the client went before it had an answer

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.measures.answered(route, status, self.clock() - began)
