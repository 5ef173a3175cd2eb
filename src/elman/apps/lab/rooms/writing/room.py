"""Write and ask: what a trained model is for, by its task."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nicegui import ui

from elman.apps.lab.models import Model, loaded
from elman.apps.lab.page import Page
from elman.apps.lab.rooms import Room
from elman.apps.lab.rooms.writing import music, recordings, rows, sentences, series, texts

ASKING: Mapping[str, Callable[[Page, Model], None]] = {
    "text": texts.build,
    "music": music.build,
    "classify": rows.build,
    "tag": sentences.build_tags,
    "translate": sentences.build_translation,
    "regress": series.build_values,
    "forecast": series.build_forecast,
    "speech": recordings.build,
}


def build(page: Page) -> None:
    """The parts that this run's task has, once its model is loaded."""
    whole = ui.column().classes("w-full")
    with whole:
        waiting = ui.label(page.say("writing.loading")).props('role="status"')

    async def fill() -> None:
        model = await page.work(loaded, page.chosen)
        if model is None:
            waiting.set_text(page.say("writing.no_model"))
            return
        with whole:
            waiting.delete()
            if model.run.task in ASKING:
                ASKING[model.run.task](page, model)
            else:
                ui.label(page.say("writing.other_task", task=model.run.task))

    ui.timer(0, fill, once=True)


ROOM = Room(order=3, build=build)
