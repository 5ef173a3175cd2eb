"""The application: routes behind what every request has to pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import HTMLResponse
from starlette.routing import compile_path
from starlette.types import ASGIApp

from elman import __version__
from elman.errors import ElmanError
from elman.serve.bodies import Bodies
from elman.serve.connection import Gone
from elman.serve.contract import Refused
from elman.serve.description import describe
from elman.serve.errors import answer
from elman.serve.guard import Guard
from elman.serve.measures import Measured
from elman.serve.options import Listening
from elman.serve.page import POLICY, page
from elman.serve.rates import Rates
from elman.serve.route import BadBody
from elman.serve.routes import completions, compose, rows, sessions, sound, state, translate
from elman.serve.serving import Serving
from elman.serve.traffic import Counted

ROUTERS = (completions, sessions, sound, rows, translate, compose, state)
JSON = "application/json"
CLOSED = 499  # the client has closed the connection; nobody reads this


def build(serving: Serving, listening: Listening) -> ASGIApp:
    """What answers requests, from the first check to the last."""
    limits = serving.limits
    app: ASGIApp = api(serving)
    app = Bodies(app, limits.body_bytes, limits.body_seconds)
    app = Rates(app, limits.rate)
    app = Guard(app, listening.token, listening.allow_origin)
    if listening.allow_origin:
        app = CORSMiddleware(
            app, allow_origins=listening.allow_origin, allow_methods=["*"], allow_headers=["*"],
            expose_headers=["Retry-After"],
        )  # fmt: skip
    app = Counted(app, serving.traffic)
    return Measured(app, serving.measures)


def api(serving: Serving) -> FastAPI:
    """The routes, and how their errors are told."""
    app = FastAPI(
        title="elman serve",
        summary="Recurrent networks over HTTP.",
        version=__version__,
        docs_url=None,
        redoc_url=None,
    )
    for module in ROUTERS:
        app.include_router(module.router(serving))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        headers = {"content-security-policy": POLICY}
        return HTMLResponse(page(app.openapi()), headers=headers)

    app.openapi = lambda: describe(app, serving)  # type: ignore[method-assign]
    app.add_exception_handler(ElmanError, _answered)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Gone, _gone)
    app.add_exception_handler(Exception, _answered)
    return app


async def _answered(request: Request, error: Exception) -> Response:
    return answer(error)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLOSED)


async def _http(request: Request, error: Exception) -> Response:
    if isinstance(error, BadBody):
        return answer(error.refused)
    assert isinstance(error, HTTPException)
    told, code = error.detail, "invalid_request"
    if error.status_code == 404:
        told, code = f"no such address: {request.url.path[:200]}; /docs lists all", "unknown_url"
    if error.status_code == 405:
        allowed = methods(request)
        told, code = f"{request.url.path} takes {allowed}, not {request.method}", "wrong_method"
        response = answer(Refused(405, code, told))
        response.headers["Allow"] = allowed
        return response
    return answer(Refused(error.status_code, code, told))


def methods(request: Request) -> str:
    """What methods an address takes."""
    known: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    found = (
        method.upper()
        for template, routes in known.items()
        if compile_path(template)[0].match(request.url.path)
        for method in routes
    )
    return ", ".join(sorted(found))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if error.errors()[0]["loc"] == ("body",) and kind != JSON:
        told = f"content-type {kind[:60] or 'is missing'}: needs {JSON}"
        return answer(Refused(415, "unsupported_type", told))
    return answer(invalid(error.errors()))


def invalid(errors: Sequence[Any]) -> Refused:
    """What is wrong with the first field that is wrong, in a line."""
    first = errors[0]["loc"][1] if len(errors[0]["loc"]) > 1 else None
    if first is None:
        return Refused(400, "invalid_type", "the body has to be a JSON object; see /docs")
    own = [one for one in errors if one["loc"][1:2] == (first,)]
    kinds = {one["type"] for one in own}
    if "extra_forbidden" in kinds:
        return Refused(400, "unknown_parameter", f"unknown parameter: {first}", str(first))
    if "missing" in kinds and len(own[0]["loc"]) == 2:
        return Refused(400, "missing_parameter", f"{first} is missing", str(first))
    told = "; or ".join(dict.fromkeys(one["msg"] for one in own))
    return Refused(400, "invalid_value", f"{first}: {told}", str(first))
