"""Inside: what a run's network keeps, looks at and reckons, on sequences that it reads."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab.models import loaded
from elman.apps.lab.page import Page
from elman.apps.lab.rooms import Room
from elman.apps.lab.rooms.inside import answering, equations, lags, states
from elman.apps.lab.rooms.inside.looked import Looked, look
from elman.apps.lab.rooms.inside.view import View

PARTS = (states, answering, lags, equations)


def build(page: Page) -> None:
    """The parts, once the model and its data are loaded."""
    say = page.say
    with ui.element("div").classes("lab-room-part"):
        waiting = ui.label(say("inside.loading")).props('role="status"')
        reading = ui.element("div").classes("lab-room-part")
        parts = ui.element("div").classes("lab-room-part")

    async def fill(text: str = "", seed: int = 0) -> None:
        waiting.set_text(say("inside.loading"))
        model = await page.work(loaded, page.chosen)
        if model is None:
            waiting.set_text(say("inside.no_model"))
            return

        def read() -> Looked:
            with model.lock:
                return look(model.run, text, seed)

        found = await page.work(read)
        waiting.set_text("" if found is not None else say("inside.not_read"))
        if not reading.default_slot.children and (found is not None or model.run.task == "text"):
            with reading:
                choose(model.run.task)
        if found is None:
            return
        parts.clear()
        with parts:
            ui.label(say("inside.read", what=found.subject.what)).classes("lab-faint")
            view = View(page, model, found)
            for part in PARTS:
                part.build(view)
            view.tell()

    def choose(task: str) -> None:
        """Another text to read, or other sequences of the run's own data."""
        seed = 0

        async def others() -> None:
            nonlocal seed
            seed += 1
            await fill(seed=seed)

        if task == "text":
            text = ui.textarea(say("inside.text")).props("outlined autogrow dense")
            text.classes("w-full")
        with ui.element("div").classes("lab-row"):
            if task == "text":

                async def own() -> None:
                    await fill(text.value or "")

                ui.button(say("inside.read_it"), on_click=own).props("no-caps")
            ui.button(say("inside.others"), on_click=others).props("no-caps outline")

    ui.timer(0, fill, once=True)


ROOM = Room(order=4, build=build)
