"""Stop, go on, another learning rate, take away: what `elman resume` and `package` do."""

from __future__ import annotations

import math
import time

from nicegui import run, ui

from elman.apps.lab.asking import ask
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.training.figures import is_done
from elman.errors import ElmanError, UserError
from elman.options import make
from elman.run.folder import RunFolder
from elman.run.options import TrainOptions

PATIENCE = 600  # seconds that a step may take before a training ends
AGAIN = 60  # seconds until a training may be asked to stop once more


class Steering:
    """The buttons. What cannot be done now cannot be pressed."""

    def __init__(self, page: Page, folder: RunFolder) -> None:
        self._page, self._folder, self._name = page, folder, folder.path.name
        self._changes = False  # whether it is stopped to go on with another rate
        self._asked = -math.inf  # when it was asked to stop, on time.monotonic's clock
        say = page.say
        with ui.element("div").classes("lab-row"):
            self._stop = ui.button(say("training.stop"), on_click=self._end)
            self._go_on = ui.button(say("training.go_on"), on_click=self._resume)
            self._more = ui.number(say("training.more"), min=0.1, step=0.5).props("dense outlined")
            self._rate = ui.number(say("training.rate"), min=1e-9, format="%.6g").props(
                "dense outlined"
            )
            self._change = ui.button(say("training.change"), on_click=self._with_rate)
            self._export = ui.button(say("training.export"), on_click=self._take_away)
            ui.link(say("training.write"), page.address("writing", folder.path))
        self._elsewhere = ui.label().classes("lab-help")
        for button in (self._stop, self._go_on, self._change, self._export):
            button.props("no-caps outline")

    def show(self, runs: bool, grown: bool) -> None:
        """Which buttons can be pressed."""
        there = self._folder.weights.exists()
        other = self._page.trainings.elsewhere(self._name) if runs else None
        ends = other is None or other.stops
        if not runs:
            self._asked = -math.inf
        # Asked once more, a training ends in the middle of a step.
        asked = time.monotonic() - self._asked < AGAIN
        self._stop.set_enabled(runs and ends and not asked and not self._changes)
        self._elsewhere.set_visibility(other is not None)
        if other is not None:
            key = "training.elsewhere" if ends else "training.elsewhere_only"
            self._elsewhere.set_text(self._page.say(key, process=other.process or "?"))
        self._go_on.set_enabled(not runs and self._folder.path.is_dir())
        self._change.set_enabled(
            self._folder.checkpoint.exists() and not self._changes and not (runs and not ends)
        )
        self._export.set_enabled(there)
        if self._rate.value is None and grown:
            self._rate.set_value(self._known_rate())

    def _end(self) -> None:
        self._asked = time.monotonic()
        self._stop.disable()
        self._page.trainings.stop(self._name)
        self._page.tell(self._page.say("training.stopping"), good=True)

    def _resume(self) -> None:
        self._begin(minutes=self._minutes() if is_done(self._folder) or self._more.value else None)

    async def _with_rate(self) -> None:
        rate, trainings = self._rate.value, self._page.trainings
        if not rate or not 0 < rate <= 1e6:
            self._page.tell(self._page.say("training.rate_needed"))
            return
        self._changes = True
        try:
            await run.io_bound(self._stopped)
            if not trainings.is_running(self._name):
                self._begin(learning_rate=rate)
        finally:
            self._changes = False

    def _stopped(self) -> None:
        """Stop the run and wait until its state is kept."""
        trainings, until = self._page.trainings, time.monotonic() + PATIENCE
        trainings.stop(self._name)
        while trainings.is_running(self._name) and time.monotonic() < until:
            time.sleep(0.1)

    def _begin(self, *, learning_rate: float | None = None, minutes: float | None = None) -> None:
        try:
            self._page.trainings.resume(self._name, learning_rate=learning_rate, minutes=minutes)
        except ElmanError as error:
            self._page.tell(error)

    def _minutes(self) -> float | None:
        """The minutes in all: those that the run has had, and what is added to them."""
        try:
            had = float(self._folder.scores().get("seconds", 0.0)) / 60
            planned = self._how().minutes
        except UserError as error:
            self._page.tell(error)
            return None
        return max(had, planned or 0.0) + float(self._more.value or 1.0)

    def _known_rate(self) -> float | None:
        try:
            return self._how().learning_rate
        except UserError:
            return None

    def _how(self) -> TrainOptions:
        return make(TrainOptions, self._folder.options()["train"])

    async def _take_away(self) -> None:
        target = self._page.workspace.exported(self._name)
        target.parent.mkdir(parents=True, exist_ok=True)
        state = ("--with-checkpoint",) if self._folder.checkpoint.exists() else ()
        made = await self._page.work(
            ask, "package", str(self._folder.path), "--to", str(target), "--force", *state
        )
        if made is not None:
            ui.download.file(target)
