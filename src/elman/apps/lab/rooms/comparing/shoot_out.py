"""A shoot-out on the page: begun, followed, stopped, gone on with; one table with intervals."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from nicegui import run, ui

from elman import cells, tasks
from elman.apps.lab import frame
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.comparing.races import Races, Seen
from elman.comparison.options import CELLS
from elman.errors import ElmanError
from elman.run.folder import RunFolder

EVERY = 2.0  # seconds between two looks
LONG = 40  # characters of a cell that is given room
races_of = cache(Races)  # one for each folder of runs, which knows its processes


class ShootOut:
    """The part of the room of one tab."""

    def __init__(self, page: Page) -> None:
        self.page, self.races = page, races_of(page.workspace.root)
        self.seen: Seen | None = None
        self.own, self.data = self._own()
        say = page.say
        frame.heading(say("comparing.race"))
        ui.label(say("comparing.race_what")).classes("lab-what")
        with ui.element("div").classes("lab-fields"):
            self._task = ui.select(
                list(tasks.names()), value=self.own or "text", label=say("comparing.task"),
                on_change=lambda: self._tell_data(),
            )  # fmt: skip
            self._cells = ui.select(
                list(cells.names()), value=list(CELLS), multiple=True, label=say("comparing.cells")
            )
            self._seeds = ui.number(say("comparing.seeds"), value=3, min=1, max=100, precision=0)
            self._minutes = ui.number(say("comparing.minutes"), value=0.5, min=0.1, max=600)
            self._equal = ui.select(
                {key: say(f"comparing.equal_{key}") for key in ("weights", "minutes")},
                value="weights", label=say("comparing.equal"),
            )  # fmt: skip
        for field in (self._task, self._cells, self._seeds, self._minutes, self._equal):
            field.props("outlined dense").classes("w-full")
        self._of = ui.label("").classes("lab-faint")
        ui.button(say("comparing.begin"), on_click=self.begin).props("no-caps")
        with ui.element("section").props('aria-live="polite"').classes("w-full"):
            self._which = ui.select([], label=say("comparing.which"), on_change=self._changed)
            self._which.props("outlined dense").classes("lab-run")
            with ui.row():
                self._stop = ui.button(say("comparing.stop"), on_click=self.stop)
                self._go_on = ui.button(say("comparing.go_on"), on_click=self.go_on)
            self._place = ui.column().classes("w-full")
        for button in (self._stop, self._go_on):
            button.props("no-caps outline")
        self._tell_data()
        self._list(None)
        page.every(EVERY, self.follow)

    def _own(self) -> tuple[str, list[str]]:
        """Task and data of the chosen run; nothing where there is none, or a damaged one."""
        if self.page.run is None:
            return "", []
        try:
            tables = RunFolder(self.page.run).options()
        except ElmanError:
            return "", []
        data = tables.get("data", [])
        known = tables["task"] in tasks.names() and isinstance(data, list)
        return (tables["task"], [str(item) for item in data]) if known else ("", [])

    def _data(self) -> list[str]:
        return self.data if self._task.value == self.own else []

    def _tell_data(self) -> None:
        data = self._data()
        names = ", ".join(n if n.startswith("name:") else Path(n).name for n in data)
        say = self.page.say
        self._of.set_text(
            say("comparing.own_data", data=names) if data else say("comparing.built_in")
        )

    async def begin(self) -> None:
        how = {
            "cells": tuple(self._cells.value), "seeds": int(self._seeds.value or 1),
            "equal": self._equal.value,
        }  # fmt: skip
        values = {"minutes": float(self._minutes.value or 0)}
        name = await self.page.work(self.races.begin, self._task.value, self._data(), values, how)
        if name is not None:
            self._list(name)
            await self.follow()

    def stop(self) -> None:
        self.races.stop(self._which.value)

    async def go_on(self) -> None:
        await self.page.work(self.races.go_on, self._which.value)
        await self.follow()

    async def _changed(self) -> None:
        self.seen = None
        self._place.clear()
        await self.follow()

    async def follow(self) -> None:
        """Show how far the chosen comparison has come, where that is something new."""
        name = self._which.value
        if name is None:
            return
        try:
            seen = await run.io_bound(self.races.look, name)
        except ElmanError as error:
            seen = Seen(False, (), (), (), (), refused=self.page.refusal(error))
        if seen is None or seen == self.seen or self.page.client.is_deleted:
            return
        self.seen = seen
        self._stop.set_enabled(seen.running)
        self._go_on.set_enabled(not seen.running)
        self._place.clear()
        with self._place:
            self._show(seen)

    def _show(self, seen: Seen) -> None:
        say = self.page.say
        ui.label(say("comparing.running" if seen.running else "comparing.resting"))
        if seen.refused:
            ui.label(seen.refused).classes("lab-error").props('role="alert"')
        said = seen.told if seen.running or not seen.heads else ()
        if not (seen.heads or seen.notes or said):
            return
        with frame.printed(say, "elman compare"):
            if seen.heads:
                grid(seen.heads, seen.rows, say("comparing.race"))
            for note in seen.notes:
                ui.label(note)
            for line in said:
                ui.label(line).classes("lab-mono lab-faint lab-text")

    def _list(self, chosen: str | None) -> None:
        names = self.races.names()
        self._which.set_options(names, value=chosen or next(iter(names), None))
        for made in (self._which, self._stop, self._go_on):
            made.set_visibility(bool(names))


def grid(heads: Any, rows: Any, label: str, *, printed: Collection[int] = ()) -> None:
    """A plain table of texts, whose first column names its rows; in the columns of these numbers
    stands what a command prints, in English."""
    with (
        ui.element("div").style("overflow-x: auto").classes("w-full"),
        ui.element("table").props(f'aria-label="{label}"').classes("lab-table"),
    ):
        with ui.element("thead"), ui.element("tr"):
            for head in heads:
                with ui.element("th").props('scope="col"'):
                    ui.label(head)
        with ui.element("tbody"):
            for row in rows:
                with ui.element("tr"):
                    for k, cell in enumerate(row):
                        made = ui.element("td" if k else "th").props("" if k else 'scope="row"')
                        if k in printed:
                            made.props('lang="en"')
                        with made.classes("lab-long" if len(cell) > LONG else ""):
                            ui.label(cell).classes("lab-text")
