"""What the process of a run says: the doctor's lines, the plan, the error that ended it."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab.frame import printed
from elman.apps.lab.page import Page

MARK = "elman: "
INTERRUPTED = f"{MARK}interrupted"


class Telling:
    """The lines, folded once the run has curves to show; an error stands by itself."""

    def __init__(self, page: Page, name: str) -> None:
        self._page, self._name = page, name
        with ui.element("div").props('role="alert"') as self._alert, printed(page.say, "elman"):
            self._error = ui.label().classes("lab-error")
        self._fold = ui.expansion(page.say("training.told")).props("dense")
        with self._fold, printed(page.say, "elman train"):
            self._lines = ui.label().classes("lab-text lab-mono")

    def show(self, runs: bool, grown: bool) -> None:
        """What was said until now."""
        lines = self._page.trainings.told(self._name)
        self._fold.set_visibility(bool(lines))
        self._lines.set_text("\n".join(lines).strip()[-20_000:])
        last = next((line for line in reversed(lines) if line.strip()), "")
        failed = not runs and last.startswith(MARK) and not last.startswith(INTERRUPTED)
        self._alert.set_visibility(failed)
        self._error.set_text(last.removeprefix(MARK) if failed else "")
