"""The systems of the tutorials, each on a page of its own with the live thing in it."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab.page import Page
from elman.apps.lab.rooms import Room
from elman.apps.lab.rooms.learning import by_heart, digits, one_step, translating, vanishing

LESSONS = {
    "one_step": one_step.build,
    "by_heart": by_heart.build,
    "digits": digits.build,
    "translating": translating.build,
    "vanishing": vanishing.build,
}


def build(page: Page) -> None:
    say = page.say
    with ui.tabs().props("no-caps inline-label outside-arrows mobile-arrows") as tabs:
        for name in LESSONS:
            ui.tab(name, label=say(f"learning.{name}"))
    with ui.tab_panels(tabs, value=next(iter(LESSONS)), animated=False).classes("w-full"):
        for name, lesson in LESSONS.items():
            with ui.tab_panel(name).classes("lab-room-part items-stretch p-0"):
                ui.label(say(f"learning.{name}_what")).classes("lab-what")
                lesson(page)


ROOM = Room(order=6, build=build, needs_run=False)
