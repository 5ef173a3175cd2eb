"""Who is let in: whoever shows the token, under this server's own name, from its own pages.

Other users of the machine reach the port too, and so does every web page that is open in the
browser: both are refused, at websockets as well. The token comes once, in the address; then a
cookie holds it, which neither scripts nor other sites' links carry along.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Scripts and styles come from this server alone, and nothing is asked of another one. Inline and
# evaluated ones are what Vue compiles its templates with.
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",  # the token is in the first address
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
CLOSED = 4401  # how a websocket is told


class Gate:
    """Around an application that listens at `port`."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.names = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"elman_lab_{port}"  # cookies are shared between ports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refused = self._refused(scope, Headers(scope=scope))
        if refused is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": CLOSED})
        else:
            await refused(scope, receive, _with_headers(send))

    def _refused(self, scope: Scope, headers: Headers) -> Response | None:
        """What whoever is not let in is answered."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self.names:
            return PlainTextResponse("elman lab: call this server 127.0.0.1\n", 403)
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("elman lab: pages of other sites may not ask\n", 403)
        shown = parse_qs(scope["query_string"].decode("latin-1"))
        if self._is_token(shown.pop("token", [""])[0]):
            return self._welcome(scope["path"], shown)
        if self._is_token(_cookie(headers.getlist("cookie"), self.cookie)):
            return None
        told = "elman lab: open the address that `elman lab` printed, with its token\n"
        return PlainTextResponse(told, 401)

    def _welcome(self, path: str, query: dict[str, list[str]]) -> Response:
        """The same address without the token, which then stands in no history."""
        rest = urlencode(query, doseq=True)
        place = "/" + path.lstrip("/\\") + (f"?{rest}" if rest else "")
        answer = RedirectResponse(place, 303)
        answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict", path="/")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="replace"), self.token.encode())


def _cookie(lines: Iterable[str], name: str) -> str:
    """The value of a cookie; empty where there is none."""
    for line in lines:
        try:
            found = SimpleCookie(line).get(name)
        except CookieError:
            continue
        if found is not None:
            return found.value
    return ""


def _with_headers(send: Send) -> Send:
    async def headed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return headed
