"""How the server is: for what watches over it."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from elman.serve.errors import responses
from elman.serve.route import Route
from elman.serve.serving import Serving

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class Health(BaseModel):
    """How the server is."""

    status: Literal["ok", "ready"]


def router(serving: Serving) -> APIRouter:
    """Addresses that concern the server itself."""
    routes = APIRouter(route_class=Route, tags=["Server"])

    @routes.get("/health", responses=responses())
    async def health() -> Health:
        """The server is alive."""
        return Health(status="ok")

    @routes.get("/ready", responses=responses())
    async def ready() -> Health:
        """The server takes requests: 503 once it is about to end."""
        return Health(status="ready")

    @routes.get(
        "/metrics", responses={200: {"content": {PROMETHEUS: {}}}, **responses()},
        response_class=Response,
    )  # fmt: skip
    async def metrics() -> Response:
        """Figures for Prometheus."""
        sessions = 0 if serving.sessions is None else await serving.sessions.count()
        serving.measures.now(serving.texts.held, serving.waiting, sessions)
        return Response(serving.measures.text(), media_type=PROMETHEUS)

    return routes
