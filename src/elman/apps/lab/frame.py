"""What stands around every room: links to all of them, the run, language, light or dark."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from nicegui import ui
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from elman.apps.lab import rooms
from elman.apps.lab.page import Page
from elman.apps.lab.pieces.shade import FOLLOW
from elman.apps.lab.words import LANGUAGES, Say

LANGUAGE, SHADE = "elman_language", "elman_shade"  # cookies: what the visitor chose
SHADES = {"auto": None, "light": False, "dark": True}
STYLE = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
YEAR = 31_536_000  # seconds


@contextlib.contextmanager
def around(page: Page, name: str, shade: str) -> Iterator[None]:
    """The frame of a room; within it the room itself is built, below its heading."""
    say = page.say
    ui.add_css(STYLE)
    ui.add_body_html(f"<script>{FOLLOW}</script>")
    ui.link(say("frame.skip"), "#room").classes("lab-skip")
    with ui.element("header").classes("lab-header"):
        with ui.element("nav").props(f'aria-label="{say("frame.rooms")}"').classes("lab-rooms"):
            for other in rooms.names():
                link = ui.link(say(f"{other}.title"), page.address(other))
                if other == name:
                    link.props('aria-current="page"')
        with ui.element("div").classes("lab-choices"):
            _choose_run(page, name)
            _choose_language(page, name)
            _choose_shade(page, shade)
    # Not a main: NiceGUI has one around the whole page.
    with ui.element("section").props('id="room" tabindex="-1"').classes("lab-room"):
        heading(say(f"{name}.title"), 1)
        ui.label(say(f"{name}.what")).classes("lab-what")
        yield


def heading(text: str, level: int = 2) -> ui.element:
    """A heading as screen readers know it; a room's parts are of level 2."""
    with ui.element(f"h{level}") as made:
        ui.label(text).style("display: inline")
    return made


@contextlib.contextmanager
def printed(say: Say, command: str) -> Iterator[None]:
    """Lines that a command prints, in English whatever the page's language, under its name."""
    with ui.element("div").classes("lab-printed"):
        ui.label(say("frame.printed", command=command)).classes("lab-help")
        with ui.element("div").props('lang="en"'):
            yield


def choose(page: Page, name: str) -> None:
    """What a room that needs a run shows where none is chosen: those that there are."""
    runs = page.workspace.runs()
    if not runs:
        ui.label(page.say("frame.no_runs"))
        ui.link(page.say("frame.to_start"), page.address("start"))
        return
    ui.label(page.say("frame.which"))
    with ui.element("ul").classes("lab-runs"):
        for run in runs[:100]:
            with ui.element("li"):
                ui.link(run.name, page.address(name, run))


def _choose_run(page: Page, name: str) -> None:
    names = [run.name for run in page.workspace.runs()]
    chosen = (page.run.name if page.run is not None else page.asked) or None
    if chosen is not None and chosen not in names:
        names.append(chosen)
    if names:
        ui.select(
            names, value=chosen, label=page.say("frame.run"),
            on_change=lambda event: page.go(name, event.value),
        ).props("dense outlined options-dense").classes("lab-run")  # fmt: skip


def _choose_language(page: Page, name: str) -> None:
    for language, own_name in LANGUAGES.items():
        if language != page.language:
            there = page.address(name).replace(f"/{page.language}/", f"/{language}/", 1)
            ui.link(own_name, there).props(f'lang="{language}" hreflang="{language}"')


def _choose_shade(page: Page, shade: str) -> None:
    dark = ui.dark_mode(SHADES.get(shade))
    names = list(SHADES)

    def turn() -> None:
        current = next(name for name, value in SHADES.items() if value is dark.value)
        following = names[(names.index(current) + 1) % len(names)]
        dark.set_value(SHADES[following])
        _keep_shade(following)
        button.set_text(page.say(f"frame.{following}"))

    first = shade if shade in SHADES else "auto"
    button = ui.button(page.say(f"frame.{first}"), on_click=turn).props("flat dense no-caps")


def _keep_shade(value: str) -> None:
    """Keeps a choice, one of our own words, in the visitor's browser."""
    ui.run_javascript(f"document.cookie = '{kept(SHADE, value)}'")


def kept(cookie: str, value: str) -> str:
    """A cookie that keeps a choice for a year."""
    return f"{cookie}={value}; path=/; max-age={YEAR}; samesite=strict"


class Remembering:
    """Around an application: whoever opens a page of a language is given that one again."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        language = scope.get("path", "").partition("/")[2].partition("/")[0]

        async def remembered(message: Message) -> None:
            if message["type"] == "http.response.start" and language in LANGUAGES:
                MutableHeaders(scope=message).append("set-cookie", kept(LANGUAGE, language))
            await send(message)

        await self.app(scope, receive, remembered)
