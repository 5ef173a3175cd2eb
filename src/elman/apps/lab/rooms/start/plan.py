"""How to train: minutes and what matters most in sight, every other option folded away."""

from __future__ import annotations

import dataclasses

from nicegui import ui

from elman import tasks
from elman.apps.lab.frame import heading
from elman.apps.lab.page import Page
from elman.apps.lab.pieces.fields import fields, names_of
from elman.run.options import TrainOptions, parse

FIRST = ("cell", "hidden_size", "num_layers")
OURS = ("run", "force", "minutes")  # chosen by the page
MINUTES = 1.0


class Plan:
    """The form; built where it is made."""

    def __init__(self, page: Page, task: str) -> None:
        say, self.task = page.say, task
        own = tasks.options(task)
        heading(say("start.how"))
        self._minutes = (
            ui.number(say("start.minutes"), value=MINUTES, min=0.1, max=100_000, step=0.5)
            .props("outlined")
            .classes("lab-wide")
        )
        ui.label(say("start.minutes_help")).classes("lab-help")
        first = [f.name for f in dataclasses.fields(own) if f.name in FIRST]
        self._first = fields(own, first, page.language, lambda name: say(f"start.{name}"))
        with ui.expansion(say("start.more")).props("dense"):
            ui.label(say("start.more_help")).classes("lab-faint")
            heading(say("start.training"), 3)
            self._training = fields(TrainOptions, names_of(TrainOptions, OURS), page.language)
            heading(say("start.model"), 3)
            self._more = fields(own, names_of(own, FIRST), page.language)

    def options(self) -> dict[str, str]:
        """Options as the command line takes them. UserError where one does not fit."""
        given = self._first.given() | self._more.given() | self._training.given()
        if "epochs" not in given:
            given["minutes"] = f"{self._minutes.value or MINUTES:g}"
        parse(self.task, given)
        return given
