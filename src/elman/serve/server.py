"""One process that answers: from a listening socket to its end, which lets requests finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from elman.serve.app import build
from elman.serve.contract import Sessions
from elman.serve.desk import Desk
from elman.serve.gate import Gate
from elman.serve.measures import Measures
from elman.serve.models import Models, load
from elman.serve.options import Limits, Listening
from elman.serve.serving import Serving
from elman.serve.sessions import open_sessions
from elman.serve.traffic import Traffic
from elman.wording import counted

ENDS = (signal.SIGTERM, signal.SIGINT)
SPARE = 100  # requests beside those that write and wait: such as ask how the server is
KEPT_ALIVE_S = 30  # that a connection is kept for the next request


@dataclass(frozen=True)
class Plan:
    """What a process serves: runs by their names, and how."""

    runs: dict[str, Path]
    device: str
    listening: Listening
    limits: Limits


def serve(plan: Plan, listener: socket.socket, ready: Callable[[Models], None]) -> None:
    """Answers until SIGTERM or SIGINT, and then until what runs has ended, or may run no longer.

    `ready` is called once requests are answered. UserError: a run that is none.
    """
    asyncio.run(_serve(plan, listener, ready))


async def _serve(plan: Plan, listener: socket.socket, ready: Callable[[Models], None]) -> None:
    models = load(plan.runs, plan.device)
    limits = plan.limits
    sessions = _sessions(plan, models)
    serving = Serving(
        models, sessions, limits, Measures(), Traffic(limits.live + limits.queue + SPARE),
        Gate(limits.live, limits.queue), Desk(limits.queue),
    )  # fmt: skip
    for name in ("uvicorn.error", "python_multipart", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)  # what clients do wrong is no news
    server = _Server(
        uvicorn.Config(
            build(serving, plan.listening), loop="asyncio", lifespan="off", ws="none",
            log_config=None, access_log=False, proxy_headers=False, server_header=False,
            timeout_keep_alive=KEPT_ALIVE_S, timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, _stop, stopped, server)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        ready(models)
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
        await _drain(serving.traffic, limits.drain_seconds, server)
        await running
    finally:
        serving.close()
        if sessions is not None:
            await sessions.close()


def _sessions(plan: Plan, models: Models) -> Sessions | None:
    runs = {name: models.by_name[name].run for name in models.names("completions")}
    if not runs:
        return None
    database, limits = plan.listening.database, plan.limits
    database.parent.mkdir(parents=True, exist_ok=True)
    return open_sessions(database, runs, limits.max_sessions, limits.body_bytes)


def _stop(stopped: asyncio.Event, server: _Server) -> None:
    if stopped.is_set():  # told twice: at once
        server.should_exit = server.force_exit = True
    stopped.set()


async def _drain(traffic: Traffic, seconds: float, server: _Server) -> None:
    """Lets requests end; new ones are refused meanwhile."""
    if traffic.running:
        told = f"ending; {counted(traffic.running, 'request')} may run for {seconds:g} s more"
        print(f"elman: {told}", file=sys.stderr)
    draining = asyncio.create_task(traffic.drain(seconds))
    while not draining.done() and not server.should_exit:
        await asyncio.wait({draining}, timeout=0.05)
    draining.cancel()
    server.should_exit = True


class _Server(uvicorn.Server):
    """Uvicorn's, but for signals, which end it only after requests have ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
