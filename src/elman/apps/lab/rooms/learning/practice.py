"""A small run that a lesson trains: an ordinary one, in the folder of runs, begun by a button."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from nicegui import ui

from elman.apps.lab.frame import printed
from elman.apps.lab.page import Page
from elman.apps.lab.pieces.curves import BLUE, Curves, Line
from elman.apps.lab.pieces.explained import explained
from elman.apps.lab.rooms.training.history import History, history
from elman.errors import ElmanError
from elman.run.folder import RunFolder

Plan = tuple[str, list[str], Mapping[str, str]]  # task, data, options of the command line
SECONDS = 1.0  # between two looks
LONGEST = 2000  # characters, from its end, of what a process said that ended too early


class Practice:
    """Begins runs of the name `learn-NAME`, and follows the latest, also after a reload.

    `plan` tells what is trained; `grown` is called with what the run has told so far, `ended` with
    its folder once it has a model and nothing trains it.
    """

    def __init__(
        self,
        page: Page,
        name: str,
        plan: Callable[[], Plan],
        ended: Callable[[Path], Awaitable[None]],
        grown: Callable[[History], None] = lambda seen: None,
    ) -> None:
        self.page, self.name = page, f"learn-{name}"
        self._plan, self._ended, self._grown = plan, ended, grown
        say = page.say
        with ui.element("div").classes("lab-row"):
            self._begin = ui.button(say("learning.begin"), on_click=self.begin).props("no-caps")
            self._stop = ui.button(say("learning.stop"), on_click=self.stop)
            self._stop.props("no-caps outline")
        self._state = ui.label("").props('role="status"').classes("lab-state")
        with ui.element("div") as self._why, printed(say, "elman train"):
            self._told = ui.label("").classes("lab-text lab-mono")
        self._why.set_visibility(False)
        with explained(say, "learning.loss"):
            self._curves = Curves([Line(say("learning.loss_line"), BLUE)], say("learning.seconds"),
                                  say("learning.nats"))  # fmt: skip
        self._run = self._latest()
        self._seen = history(RunFolder(page.workspace.root / (self._run or self.name)))
        self._shown: str | None = None  # the run whose end was shown
        page.every(SECONDS, self._look)

    def _latest(self) -> str | None:
        names = [run.name for run in self.page.workspace.runs()]
        return next((name for name in names if name.startswith(self.name)), None)

    async def begin(self) -> None:
        try:
            task, data, options = self._plan()
            self._run = self.page.trainings.train(task, data, options, self.name)
        except ElmanError as error:
            self.page.tell(error)
            return
        self._seen, self._shown = history(RunFolder(self.page.workspace.root / self._run)), None
        await self._look()

    def stop(self) -> None:
        if self._run is not None:
            self.page.trainings.stop(self._run)

    async def _look(self) -> None:
        if self._run is None:
            self._stop.disable()
            return
        say, runs = self.page.say, self.page.trainings.is_running(self._run)
        self._begin.set_enabled(not runs)
        self._stop.set_enabled(runs)
        self._begin.set_text(say("learning.again"))
        if self._seen.grow():
            curve = [(60 * minutes, loss) for minutes, loss in self._seen.train]
            last = f"{curve[-1][1]:.3f}" if curve else "–"
            self._curves.show([curve], say("learning.loss_words", loss=last))
            self._grown(self._seen)
        folder = self.page.workspace.root / self._run
        done = not runs and (folder / "scores.json").is_file()
        state = "running" if runs else "done" if done else "stopped"
        self._state.set_text(say(f"learning.{state}"))
        told = [] if runs or done else self.page.trainings.told(self._run)
        self._told.set_text("\n".join(told).strip()[-LONGEST:])
        self._why.set_visibility(bool(told))
        if done and self._shown != self._run:
            self._shown = self._run
            await self._ended(folder)
