"""The body of a request: no larger than allowed, there in time, and JSON without surprises."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from elman.serve.contract import Refused
from elman.serve.errors import answer

DEEPEST = 64  # lists and objects within one another


class Bodies:
    """Refuses a body that is larger than `most` bytes or takes more than `seconds` to arrive."""

    def __init__(self, app: ASGIApp, most: int, seconds: float) -> None:
        self.app, self.most, self.seconds = app, most, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            body = await self._read(Headers(scope=scope), receive)
        except Refused as error:
            # What the client still sends would be read as its next request.
            response = answer(error)
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        if body is None:
            return
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body; None where the client went away before its end."""
        told = headers.get("content-length", "0")
        if told.isdecimal() and len(told) < 20 and int(told) > self.most:
            raise self._too_large()
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    part = message.get("body", b"")
                    parts.append(part)
                    size += len(part)
                    if size > self.most:
                        raise self._too_large()
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            told = f"the body did not arrive within {self.seconds:g} seconds; send it again"
            raise Refused(408, "body_too_slow", told) from None

    def _too_large(self) -> Refused:
        return Refused(413, "body_too_large", f"the body is larger than {self.most:,} bytes")


def parse(body: bytes) -> Any:
    """A body as JSON. Refused where it is none, where a name is given twice, a number is not finite
    or is too long to be read, or where it is deeper than `DEEPEST`."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise _bad(f"the body is no UTF-8 (byte {error.start:,})") from None
    try:
        found = json.loads(
            text, parse_constant=_no_constant, parse_float=_number, object_pairs_hook=_once
        )
    except json.JSONDecodeError as error:
        raise _bad(f"the body is no JSON: {error.msg} (character {error.pos:,})") from None
    except RecursionError:
        raise _bad("the body is nested too deeply") from None
    except ValueError as error:  # Python reads no integer of more than 4,300 digits
        told = "a number has thousands of digits" if "digits" in str(error) else str(error)
        raise _bad(told) from None
    if _deeper(found, DEEPEST):
        raise _bad(f"the body is nested more than {DEEPEST} deep")
    return found


def _bad(message: str) -> Refused:
    return Refused(400, "invalid_json", message)


def _no_constant(name: str) -> Any:
    raise _bad(f"{name} is no JSON; numbers are finite")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _bad(f"{text[:40]} is too large a number")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _bad(f'"{twice[:60]}" is given twice; give it once')
    return found


def _deeper(value: Any, left: int) -> bool:
    """Whether a value has more than `left` lists and objects within one another."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return left == 0 or any(_deeper(item, left - 1) for item in value)
