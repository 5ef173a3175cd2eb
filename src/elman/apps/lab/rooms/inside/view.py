"""What the visitor looks at: layer, sequence, step, unit; parts are told when it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from nicegui import ui

from elman.apps.lab.models import Model
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.inside.looked import Extract, Looked

T = TypeVar("T")


class View:
    """One tab's place in what was looked at."""

    def __init__(self, page: Page, model: Model, looked: Looked) -> None:
        self.page, self.model, self.looked = page, model, looked
        self.layer, self.sequence, self.step, self.unit = 0, 0, 0, 0
        self.name = looked.names(0)[0]  # of a state or a gate
        self._told: list[Callable[[], None]] = []

    def on_change(self, do: Callable[[], None]) -> None:
        self._told.append(do)

    def tell(self) -> None:
        """Something was chosen: what no longer fits is brought within bounds, and parts see it."""
        if self.name not in self.looked.names(self.layer):
            self.name = self.looked.names(self.layer)[0]
        self.sequence = min(self.sequence, self.looked.sequences(self.layer) - 1)
        self.step = min(self.step, self.looked.length(self.layer, self.sequence) - 1)
        self.unit = min(self.unit, self.looked.passes[self.layer].hidden_size - 1)
        for do in self._told:
            do()

    async def ask(
        self, question: Callable[..., T], *arguments: object, **named: object
    ) -> T | None:
        """An answer of `looked`, made in a worker thread while nobody else uses the model."""

        def asked() -> T:
            with self.model.lock:
                return question(*arguments, **named)

        return await self.page.work(asked)

    def extracts(self, found: list[Extract], number: str, go: Callable[[Extract], None]) -> None:
        """A list of places in what was read; each can be gone to."""
        say = self.page.say
        with ui.element("ol").classes("lab-places"):
            for one in found:
                with ui.element("li"), ui.element("div").classes("lab-place"):
                    place = say("inside.place", sequence=one.sequence + 1, step=one.start + 1)
                    button = ui.button(place, on_click=lambda one=one: go(one))
                    button.props("flat dense no-caps size=sm")
                    ui.label(f"{number} {one.number:.3g}").classes("lab-faint lab-number")
                    with ui.element("span").classes("lab-mono lab-text"):
                        ui.label(one.before).classes("lab-inline lab-faint")
                        ui.label(one.text).classes("lab-inline lab-hit")
                        ui.label(one.after).classes("lab-inline lab-faint")
