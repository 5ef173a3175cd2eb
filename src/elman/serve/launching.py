"""`elman serve`, from what was asked for to the end."""

from __future__ import annotations

import resource
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from elman.errors import RunError
from elman.serve.options import Limits, Listening
from elman.serve.plan import Plan, named
from elman.serve.workers import supervise
from elman.wording import listed

CONNECTIONS = 65_536  # that may be open at once, where the system allows it


def launch(runs: Sequence[Path], listening: Listening, limits: Limits, device: str) -> None:
    """Serves runs until SIGTERM or Ctrl-C. UserError: one is none; RunError: the port is taken."""
    plan = Plan(named(runs), device, listening, limits)
    told = f"serves {listed(plan.told(), 10)}; {limits.told()}"
    _allow_connections()
    with listen(listening.host, listening.port) as listener:

        def ready() -> None:
            print(f"elman: {url(listening.host, listener)} {told}", file=sys.stderr, flush=True)

        if listening.workers == 1:
            from elman.serve.server import serve

            serve(plan, listener, ready)
        else:
            supervise(plan, listener, ready)


def _allow_connections() -> None:
    """Raises the number of open files, of which each connection is one, as far as is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. RunError: it cannot."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise RunError(f"{host}, port {port}: {told}; give another --port or --host") from None


def url(host: str, listener: socket.socket) -> str:
    """Where clients find it."""
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
