"""The application: one address for each room and language, the gate around it, and a server."""

from __future__ import annotations

import inspect
import socket
from pathlib import Path
from typing import Any, cast

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from nicegui import Client, ui
from nicegui import run as loading
from nicegui.language import Language

from elman.apps.lab import frame, rooms
from elman.apps.lab.gate import Gate
from elman.apps.lab.leaving import Leaving
from elman.apps.lab.page import Page
from elman.apps.lab.trainings import Trainings
from elman.apps.lab.words import LANGUAGES, QUASAR, preferred, saying
from elman.apps.lab.workspace import Workspace

FIRST = "start"
LOADED = 120  # seconds that a room may take to be loaded, on a machine that is busy


def serve(runs: Path, listener: socket.socket, token: str) -> None:
    """Answers at a listening socket until SIGINT or SIGTERM."""
    config = uvicorn.Config(
        application(runs, listener.getsockname()[1], token),
        log_level="warning", timeout_graceful_shutdown=1, ws_max_size=2**22, lifespan="on",
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


def application(runs: Path, port: int, token: str) -> Gate:
    """The lab on a folder of runs, behind its gate."""
    app = FastAPI(openapi_url=None)
    trainings = Trainings(Workspace(runs))

    @app.get("/")
    def first(request: Request) -> RedirectResponse:
        kept = request.cookies.get(frame.LANGUAGE, "")
        asked = request.headers.get("accept-language", "")
        language = kept if kept in LANGUAGES else preferred(asked)
        return RedirectResponse(f"/{language}/{FIRST}", 303)

    for language in LANGUAGES:
        for name in rooms.names():
            _add(name, language, trainings)
    ui.run_with(
        app, title="elman lab", dark=None, favicon=Path(__file__).parent / "icon.svg",
        reconnect_timeout=30, show_welcome_message=False,
    )  # fmt: skip
    return Gate(Leaving(frame.Remembering(app)), token, port)


def _add(name: str, language: str, trainings: Trainings) -> None:
    say, workspace = saying(language), trainings.workspace

    async def shown(request: Request, client: Client, run: str = "") -> None:
        room = await loading.io_bound(rooms.room, name)
        if room is None:  # the server ends
            return
        known = run if trainings.is_known(run) else ""
        page = Page(say, language, workspace, trainings, client, known, workspace.run(run))
        with frame.around(page, name, request.cookies.get(frame.SHADE, "auto")):
            if room.needs_run and page.run is None:
                frame.choose(page, name)
                return
            result = room.build(page)
            if inspect.isawaitable(result):
                await result

    title = f"{say(f'{name}.title')} · elman lab"
    path = f"/{language}/{name}"
    made = ui.page(
        path, title=title, language=cast(Language, QUASAR[language]), response_timeout=LOADED
    )
    made(cast(Any, shown))
