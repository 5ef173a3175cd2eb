"""Errors as OpenAI's clients read them: {"error": {"message", "type", "param", "code"}}."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse

from elman.errors import RunError, UserError
from elman.serve.contract import Refused

LONGEST = 600  # characters of a message


class Told(BaseModel):
    """What went wrong, in one line."""

    message: str
    type: str
    param: str | None
    code: str | None


class Problem(BaseModel):
    """The body of every answer that is no success."""

    error: Told


MEANINGS = {
    400: "The request is not as it has to be",
    401: "The token is missing or wrong",
    403: "Asked by a page of another site, or by a name that is not this server's",
    404: "No such model, session or address",
    405: "This address takes another method",
    408: "The request did not arrive in time",
    409: "The session is in use by another request",
    413: "The request, or something in it, is larger than is allowed",
    415: "The body is of another type than this address takes",
    422: "The request is well formed, but not what the model can use",
    429: "Too many requests; the header Retry-After says when to ask again",
    500: "The server failed",
    503: "The server is about to end",
}


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the description of a route says of its failures."""
    always = (400, 401, 403, 405, 408, 413, 415, 422, 429, 500, 503)
    return {
        status: {"model": Problem, "description": MEANINGS[status]}
        for status in sorted({*always, *statuses})
    }


def kind_of(status: int) -> str:
    """The type of an error as OpenAI names it."""
    names = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return names.get(status, "server_error" if status >= 500 else "invalid_request_error")


def body_of(status: int, message: str, code: str | None, param: str | None) -> dict[str, Any]:
    """The body that tells of an error."""
    line = " ".join(message.split())
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"
    told = Told(message=line, type=kind_of(status), param=param, code=code)
    return Problem(error=told).model_dump()


def answer(error: Exception) -> JSONResponse:
    """The answer to a request in which `error` was raised."""
    refused = as_refused(error)
    headers = {"Retry-After": str(refused.retry_after)} if refused.retry_after else {}
    if refused.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    content = body_of(refused.status, str(refused), refused.code, refused.param)
    return Plain(content, refused.status, headers)


def as_refused(error: Exception) -> Refused:
    """Any error as one with a status: what a model cannot use is 422, all else is our fault."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UserError):
        return Refused(422, "unfit", _without_flags(str(error)))
    if isinstance(error, RunError):
        return Refused(500, "run_failed", str(error))
    return Refused(500, "internal_error", "the server failed; its log tells more")


def _without_flags(message: str) -> str:
    """--top-p, as the command line has it, is top_p in a request."""
    return re.sub(r"--([a-z][a-z-]*)", lambda flag: flag[1].replace("-", "_"), message)


class Plain(JSONResponse):
    """JSON in which any text can be said: a lone surrogate, which UTF-8 cannot hold, is escaped."""

    def render(self, content: Any) -> bytes:
        return dumped(content)


def dumped(content: Any) -> bytes:
    """A value as JSON. ValueError where a number in it is not finite."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
