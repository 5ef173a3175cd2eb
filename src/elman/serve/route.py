"""A route whose JSON is read strictly, and whose work ends when its client goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from elman.serve import bodies
from elman.serve.connection import while_connected
from elman.serve.contract import Refused

LONG = 100_000  # bytes, which are read in a millisecond or two


class BadBody(HTTPException):
    """A body that is no JSON: FastAPI lets this pass where it would hide any other error."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.status, str(refused))
        self.refused = refused


class StrictRequest(Request):
    """A request whose JSON holds no surprises."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            if len(body) < LONG:
                return bodies.parse(body)
            return await asyncio.to_thread(bodies.parse, body)  # others are answered meanwhile
        except Refused as refused:
            raise BadBody(refused) from None


class Route(APIRoute):
    """What every route of the server is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            strict = StrictRequest(request.scope, request.receive)
            await strict.body()
            return await while_connected(request.receive, answer(strict))

        return handler
