"""Connections that are closed where nobody says, in time, what is wanted of them."""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def patient(seconds: float) -> type[H11Protocol]:
    """Uvicorn's connection, but that it is closed where the head of a request does not arrive
    within `seconds`: else whoever sends a byte now and then would keep connections for ever."""

    class Patient(H11Protocol):
        waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._look()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._look()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._stop()

        def _look(self) -> None:
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self.waiting is None:
                self.waiting = self.loop.call_later(seconds, self.transport.close)

        def _stop(self) -> None:
            if self.waiting is not None:
                self.waiting.cancel()
                self.waiting = None

    return Patient
