"""A stream of server-sent events that ends when its client goes."""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from elman.errors import ElmanError
from elman.serve.connection import Gone, while_connected
from elman.serve.errors import as_refused, body_of, dumped

HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-store"}
DONE = b"data: [DONE]\n\n"


class Events(Response):
    """Objects as events, the first of which is there already, and `[DONE]`.

    What goes wrong after the first is told as an event that holds an error, and ends the stream.
    """

    def __init__(self, first: dict[str, Any], rest: AsyncGenerator[dict[str, Any], None]) -> None:
        super().__init__(None, headers=HEADERS)
        del self.headers["content-length"]
        self._first, self._rest = first, rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await while_connected(receive, self._send(send))
        except (Gone, OSError):
            pass
        finally:
            await self._rest.aclose()

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        await send(_body(event(self._first)))
        try:
            async for one in self._rest:
                await send(_body(event(one)))
        except Exception as error:
            if not isinstance(error, ElmanError):
                traceback.print_exception(error)
            await send(_body(_failure(error), more=False))
            return
        await send(_body(DONE, more=False))


async def stream(chunks: AsyncGenerator[dict[str, Any], None]) -> Events:
    """The response once the first object is there: what fails before is answered as an error."""
    return Events(await anext(chunks), chunks)


def event(content: dict[str, Any]) -> bytes:
    """An object as an event."""
    return b"data: " + dumped(content) + b"\n\n"


def _failure(error: Exception) -> bytes:
    refused = as_refused(error)
    return event(body_of(refused.status, str(refused), refused.code, refused.param))


def _body(content: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}
