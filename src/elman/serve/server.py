"""One process that answers: from a listening socket to its end, which lets requests finish."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Iterator

import uvicorn

from elman.serve.app import build
from elman.serve.contract import Sessions
from elman.serve.desk import Desk
from elman.serve.gate import Gate
from elman.serve.measures import Measures
from elman.serve.models import Models, load
from elman.serve.options import Listening
from elman.serve.patience import patient
from elman.serve.plan import ENDS, Plan
from elman.serve.serving import Serving
from elman.serve.sessions import open_sessions
from elman.serve.traffic import Traffic
from elman.wording import counted

SPARE = 100  # requests beside those that write and wait: such as ask how the server is
KEPT_ALIVE_S = 30  # that a connection is kept for the next request


def serve(plan: Plan, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Answers until SIGTERM or SIGINT, and then until what runs has ended, or may run no longer.

    `ready` is called once requests are answered. UserError: a run that is none.
    """
    asyncio.run(_serve(plan, listener, ready))


async def _serve(plan: Plan, listener: socket.socket, ready: Callable[[], None]) -> None:
    limits = plan.limits
    async with contextlib.AsyncExitStack() as ends:
        models = load(plan.runs, plan.device)
        ends.callback(models.close)
        sessions = _sessions(plan, models)
        if sessions is not None:
            ends.push_async_callback(sessions.close)
        desk = Desk(limits.queue)
        ends.callback(desk.close)
        serving = Serving(
            models, sessions, limits, Measures(), Traffic(limits.live + limits.queue + SPARE),
            Gate(limits.live, limits.queue), desk,
        )  # fmt: skip
        await _answer(serving, plan.listening, listener, ready)


async def _answer(
    serving: Serving, listening: Listening, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Answers requests until it is told to end and they have ended."""
    for name in ("uvicorn.error", "python_multipart", "asyncio"):
        logging.getLogger(name).setLevel(logging.ERROR)  # what clients do wrong is no news
    server = _Server(
        uvicorn.Config(
            build(serving, listening), loop="asyncio", lifespan="off", ws="none",
            http=patient(serving.limits.body_seconds),
            log_config=None, access_log=False, proxy_headers=False, server_header=False,
            timeout_keep_alive=KEPT_ALIVE_S, timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in ENDS:
        loop.add_signal_handler(number, _stop, stopped, serving.traffic)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not running.done():
        await asyncio.sleep(0.01)
    ready()
    await stopped.wait()
    await _drain(serving.traffic, serving.limits.drain_seconds)
    server.should_exit = True
    await running


def _sessions(plan: Plan, models: Models) -> Sessions | None:
    kept = (*models.names("completions"), *models.names("compose"))
    runs = {name: models.by_name[name].run for name in kept}
    if not runs:
        return None
    database, limits = plan.listening.database, plan.limits
    database.parent.mkdir(parents=True, exist_ok=True)
    return open_sessions(database, runs, limits.max_sessions, limits.body_bytes)


def _stop(stopped: asyncio.Event, traffic: Traffic) -> None:
    if stopped.is_set():  # told twice: at once
        traffic.cut_off()
    stopped.set()


async def _drain(traffic: Traffic, seconds: float) -> None:
    """Lets requests end; new ones are refused meanwhile."""
    if traffic.running:
        told = f"ending; {counted(traffic.running, 'request')} may run for {seconds:g} s more"
        print(f"elman: {told}", file=sys.stderr)
    await traffic.drain(seconds)
    if traffic.cut:
        print("elman: some had not ended, and were cut off", file=sys.stderr)
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would tell of each


class _Server(uvicorn.Server):
    """Uvicorn's, but for signals, which end it only after requests have ended."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
