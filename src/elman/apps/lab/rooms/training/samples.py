"""What the model makes, the latest first, each with the minute at which it made it."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab.frame import heading
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.training.history import SAMPLES, History
from elman.wording import minutes

LONGEST = 3_000  # characters


class Samples:
    """Places for as many samples as are kept; those that are empty are not seen."""

    def __init__(self, page: Page, seen: History) -> None:
        self._say, self._seen = page.say, seen
        with ui.element("section") as self._all:
            heading(page.say("training.samples"))
            with ui.element("div").classes("lab-two"):
                self._places = [self._place() for _ in range(SAMPLES)]

    def show(self, runs: bool, grown: bool) -> None:
        """The samples that there are."""
        samples = self._seen.samples[::-1]
        self._all.set_visibility(bool(samples))
        for k, (box, when, text) in enumerate(self._places):
            box.set_visibility(k < len(samples))
            if k < len(samples):
                after, sample = samples[k]
                when.set_text(self._say("training.after", minutes=minutes(60 * after)))
                text.set_text(sample[:LONGEST])

    def _place(self) -> tuple[ui.element, ui.label, ui.label]:
        with ui.element("div").classes("lab-sample") as box:
            when = ui.label().classes("lab-faint")
            text = ui.label().classes("lab-text lab-mono")
        return box, when, text
