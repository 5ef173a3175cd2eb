"""Who may ask at all: by token, by the name it calls this server, by the web page it comes from."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from elman.serve.contract import Refused
from elman.serve.errors import answer
from elman.serve.options import is_loopback

OPEN = ("/health", "/ready")  # tell nothing, and are asked by what watches over servers
HARMLESS = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Refuses whoever may not ask.

    With a token every request needs it. Without one only this machine reaches the server, but so
    does each web page that is open on it: a request that names another host (DNS rebinding), or
    that a page of another origin posts, is refused.
    """

    def __init__(self, app: ASGIApp, token: str | None, origins: Sequence[str]) -> None:
        self.app, self.token, self.origins = app, token, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._check(scope["method"], scope["path"], Headers(scope=scope))
            except Refused as error:
                await answer(error)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _check(self, method: str, path: str, headers: Headers) -> None:
        origin, host = headers.get("origin"), headers.get("host", "")
        own = origin is not None and urlsplit(origin).netloc == host
        allowed = "*" in self.origins or origin in self.origins
        crossing = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if method not in HARMLESS and not own and not allowed and (origin or crossing):
            told = f"pages of {origin or 'other sites'} may not ask; start with --allow-origin"
            raise Refused(403, "origin_not_allowed", told)
        if path in OPEN:
            return
        if self.token is None:
            if not _is_own_name(host):
                told = f'"{host[:60]}" is not this server; call it localhost or 127.0.0.1'
                raise Refused(403, "host_not_allowed", told)
        elif method != "OPTIONS":
            self._check_token(headers.get("authorization", ""), self.token)

    def _check_token(self, shown: str, token: str) -> None:
        kind, _, given = shown.partition(" ")
        good = hmac.compare_digest(given.strip().encode(), token.encode())
        if kind.lower() != "bearer" or not good:
            told = "give the header Authorization: Bearer TOKEN, with the token of this server"
            raise Refused(401, "invalid_api_key", told)


def _is_own_name(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
