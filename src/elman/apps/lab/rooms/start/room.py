"""Data, what was read of it, and the training that begins: one after the other on one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from nicegui import run, ui

from elman import tasks
from elman.apps.lab.asking import ask
from elman.apps.lab.frame import heading, printed
from elman.apps.lab.page import Page
from elman.apps.lab.rooms import Room
from elman.apps.lab.rooms.start import choosing, opening
from elman.apps.lab.rooms.start.plan import Plan
from elman.errors import ElmanError
from elman.tasks.naming import stem


class Start:
    """The room of one tab."""

    def __init__(self, page: Page) -> None:
        self.page = page
        choosing.build(page, self.read)
        self.place = ui.element("section").props('aria-live="polite"').classes("lab-room-part")
        opening.build(page)

    async def read(self, data: Sequence[str], task: str | None = None) -> None:
        """Show what training would read of this data, and what may be chosen; or why it cannot."""
        say = self.page.say
        self.place.clear()
        with self.place, ui.element("div").classes("lab-row"):
            ui.spinner()
            ui.label(say("start.reading"))
        how = () if task is None else ("--task", task)
        try:
            told = await run.io_bound(ask, "doctor", *data, *how, "--json")
        except ElmanError as error:
            self.place.clear()
            with self.place:
                with ui.element("div").props('role="alert"'), printed(say, "elman doctor"):
                    ui.label(str(error)).classes("lab-error")
                if task is not None:
                    self._choose_task(data, task)
            return
        if told is None:  # the server ends
            return
        self.place.clear()
        with self.place:
            self._show(data, json.loads(told))

    def _show(self, data: Sequence[str], told: dict[str, Any]) -> None:
        say, page = self.page.say, self.page
        heading(say("start.read"))
        task, read = told["task"], told["page"]
        with printed(say, "elman doctor"), ui.element("ul").classes("lab-lines"):
            _line(read["headline"])
            for line in read["warnings"]:
                _line(say("start.warning", line=line), "lab-warns")
            for line in read["facts"]:
                _line(line)
        self._choose_task(data, task, told["why"])
        plan = Plan(page, task)

        async def go() -> None:
            try:
                options = plan.options()
                name = stem(data, task) if data else task
                begun = page.trainings.train(task, data, options, name)
            except ElmanError as error:
                page.tell(error)
                return
            page.go("training", begun)

        ui.button(say("start.go"), on_click=go).props("no-caps unelevated size=lg")

    def _choose_task(self, data: Sequence[str], task: str, why: str = "") -> None:
        say = self.page.say
        names = {name: f"{name} · {say(f'start.task_{name}')}" for name in tasks.names()}
        ui.select(
            names, value=task, label=say("start.task"),
            on_change=lambda event: self.read(data, event.value),
        ).props("outlined").classes("lab-wide")  # fmt: skip
        if why:
            ui.label(say("start.why", why=why)).classes("lab-help")


def _line(text: str, classes: str = "") -> None:
    with ui.element("li").classes(classes):
        ui.label(text)


def build(page: Page) -> None:
    Start(page)


ROOM = Room(order=1, build=build, needs_run=False)
