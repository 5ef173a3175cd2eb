"""What `elman serve` may be asked for: where it listens, to whom, and how much at most."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from elman.options import require, require_range

TOKEN = "ELMAN_TOKEN"
SHORTEST_TOKEN = 8


@dataclass(frozen=True)
class Listening:
    """Where the server listens, and to whom.

    Parameters
    ----------
    host
        Address to listen at. Any but this machine's own needs a token.
    port
        Port to listen at; 0 for one that is free.
    token
        What clients must show as "Authorization: Bearer TOKEN"; ELMAN_TOKEN if not given.
    allow_origin
        Web pages that may ask from a browser, such as https://example.org; * for all of them.
    workers
        Processes that answer. Each loads every model; they share sessions.
    sessions
        The database of the sessions; sessions.db in the folder of this user's state if not given.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    allow_origin: tuple[str, ...] = ()
    workers: int = 1
    sessions: Path | None = None

    def __post_init__(self) -> None:
        require_range(self, ("port",), 0, 65_535)
        require_range(self, ("workers",), 1, 256)
        if self.token is not None:
            plain = self.token.isascii() and self.token.isprintable() and " " not in self.token
            fits = f"{SHORTEST_TOKEN} characters of ASCII or more, without spaces"
            require(self, "token", plain and len(self.token) >= SHORTEST_TOKEN, fits)
        elif not is_loopback(self.host):
            fits = f"--token or {TOKEN} beside it, since others can reach it"
            require(self, "host", False, fits)
        for origin in self.allow_origin:
            known = origin == "*" or origin.startswith(("http://", "https://"))
            require(self, "allow_origin", known and origin[-1:] != "/", "https://HOST, or *")

    @property
    def database(self) -> Path:
        """Where the sessions are kept."""
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return self.sessions or Path(state) / "elman" / "sessions.db"


@dataclass(frozen=True)
class Limits:
    """How much may be asked for.

    Parameters
    ----------
    live
        Texts that a worker writes at once.
    queue
        Requests that wait in a worker for others to end; more are told to come again.
    rate
        Requests a minute of one client, by its address; 0 for any number.
    body_mb
        Megabytes of a request.
    body_seconds
        Time in which a request has to arrive.
    prompt_tokens
        Tokens of the prompts of one request.
    max_tokens
        Tokens that one text may be asked to have.
    rows
        Rows of one request.
    beam
        Hypotheses of a search.
    bars
        Bars of a piece.
    audio_seconds
        Seconds of a recording.
    max_sessions
        Sessions that are kept at once.
    session_minutes
        Minutes that a session is kept after its last use, at most.
    drain_seconds
        Time that running requests are given to end when the server is told to.
    """

    live: int = 1_000
    queue: int = 100
    rate: int = 0
    body_mb: float = 32.0
    body_seconds: float = 30.0
    prompt_tokens: int = 16_384
    max_tokens: int = 16_384
    rows: int = 10_000
    beam: int = 100
    bars: int = 1_000
    audio_seconds: float = 3_600.0
    max_sessions: int = 10_000
    session_minutes: float = 1_440.0
    drain_seconds: float = 30.0

    def __post_init__(self) -> None:
        require_range(self, ("live", "prompt_tokens", "max_tokens", "rows", "bars"), 1, 10_000_000)
        require_range(self, ("beam",), 8, 100_000)  # as many as are kept if nobody asks
        require_range(self, ("queue", "rate", "max_sessions"), 0, 10_000_000)
        require_range(self, ("body_mb",), 0.001, 10_000)
        require_range(self, ("body_seconds", "audio_seconds", "session_minutes"), 0.01, 1e7)
        require_range(self, ("drain_seconds",), 0, 86_400)

    @property
    def body_bytes(self) -> int:
        """Bytes of a request."""
        return round(self.body_mb * 1e6)

    def told(self) -> str:
        """The limits that clients meet first, in a line."""
        rate = f"{self.rate:,} requests a minute a client, " if self.rate else ""
        return (
            f"{rate}{self.live:,} texts at once, {self.queue:,} waiting, {self.body_mb:g} MB a "
            f"request, {self.prompt_tokens:,} tokens a prompt, {self.max_tokens:,} a text, "
            f"{self.rows:,} rows, {self.audio_seconds:g} s of sound"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
