"""States of a model, kept under names: gone on from, blended, taken along as files."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from nicegui import ui

from elman.apps.lab import frame
from elman.apps.lab.models import Model
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.writing import knobs

MOST = 50  # states of a model
_shelves: weakref.WeakKeyDictionary[Model, dict[str, Any]] = weakref.WeakKeyDictionary()


class Shelf:
    """What was kept of a model, shown on a page, and as long as the model is in memory.

    `stands` gives what is to be kept now, with `copy` and `save`; `go_on` is given what one goes
    on from; `opened` makes one of a file, `told` says in a few words what it is.
    """

    def __init__(
        self, page: Page, model: Model, *, stands: Callable[[], Any],
        go_on: Callable[[Any], Awaitable[None] | None], opened: Callable[[Path], Any],
        told: Callable[[Any], str],
    ) -> None:  # fmt: skip
        self._page, self._model = page, model
        self._stands, self._go_on, self._opened, self._told = stands, go_on, opened, told
        self.kept = _shelves.setdefault(model, {})
        frame.heading(page.say("writing.states"))
        ui.label(page.say("writing.states_what")).classes("lab-what")
        with ui.row().classes("items-center w-full"):
            self._name = ui.input(page.say("writing.state_name")).props("outlined dense")
            ui.button(page.say("writing.keep"), on_click=self._keep).props("outline no-caps")
        self._list = ui.element("ul").classes("lab-runs w-full")
        self.listeners: list[Callable[[], None]] = []
        knobs.files(page, page.say("writing.open_state"), self._open)
        self.show()

    def put(self, name: str, what: Any) -> None:
        """Keep something under a name; the oldest goes where there are too many."""
        self.kept.pop(name, None)
        self.kept[name] = what
        while len(self.kept) > MOST:
            del self.kept[next(iter(self.kept))]
        self.show()

    def show(self) -> None:
        """The list as it is now."""
        say = self._page.say
        self._list.clear()
        with self._list:
            for name, what in self.kept.items():
                with ui.element("li"), ui.row().classes("items-center"):
                    called = ui.label(name).classes("font-bold")
                    ui.label(self._told(what)).classes("lab-mono lab-faint")
                    for key, do in (
                        ("go_on", self._taken), ("to_file", self._save), ("forget", self._forget)
                    ):  # fmt: skip
                        button = ui.button(say(f"writing.{key}"), on_click=self._call(do, name))
                        button.props(f'flat dense no-caps aria-describedby="{called.html_id}"')
        for listener in self.listeners:
            listener()

    def _call(self, do: Callable[[str], Any], name: str) -> Callable[[], Any]:
        return lambda: do(name)

    async def _keep(self) -> None:
        number = self._page.say("writing.state_number", number=len(self.kept) + 1)
        name = (self._name.value or "").strip() or number

        def stands() -> Any:
            with self._model.lock:
                return self._stands().copy()

        found = await self._page.work(stands)
        if found is not None:
            self.put(name[:40], found)
            self._name.set_value("")

    async def _taken(self, name: str) -> None:
        result = self._go_on(self.kept[name].copy())
        if result is not None:
            await result

    def _forget(self, name: str) -> None:
        self.kept.pop(name, None)
        self.show()

    async def _save(self, name: str) -> None:
        what = self.kept[name]

        def written() -> bytes:
            with self._model.lock, tempfile.TemporaryDirectory(prefix="elman-") as folder:
                what.save(Path(folder) / "state")
                return (Path(folder) / "state").read_bytes()

        body = await self._page.work(written)
        if body is not None:
            ui.download(body, f"{name}.state")

    async def _open(self, name: str, body: bytes) -> None:
        def read() -> Any:
            with self._model.lock, tempfile.TemporaryDirectory(prefix="elman-") as folder:
                path = Path(folder) / "state"
                path.write_bytes(body)
                return self._opened(path)

        found = await self._page.work(read)
        if found is not None:
            self.put(name.removesuffix(".state")[:40], found)
