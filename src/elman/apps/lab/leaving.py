"""A visitor who leaves before an answer is there, which is no error."""

from __future__ import annotations

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Leaving:
    """Around an application: a request that has come whole is answered, whoever still waits.

    Told in the middle of its answer that nobody waits, Starlette raises an error, which would stand
    in the terminal as one of the lab. The server throws such an answer away.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given, whole = False, not ("content-length" in headers or "transfer-encoding" in headers)

        async def received() -> Message:
            nonlocal given, whole
            message = await receive()
            if message["type"] == "http.disconnect" and whole:
                if given:
                    await anyio.sleep_forever()  # until the answer is made, which ends whoever asks
                message = {"type": "http.request", "body": b"", "more_body": False}
            given, whole = True, whole or not message.get("more_body", False)
            return message

        await self.app(scope, received, send)
