"""Where a run stands, in a few numbers with their units."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab.page import Page
from elman.apps.lab.rooms.training.history import History, number
from elman.errors import UserError
from elman.run.folder import RunFolder
from elman.wording import minutes, readable


class Figures:
    """A bar, and below it loss, speed, time."""

    def __init__(self, page: Page, folder: RunFolder, seen: History) -> None:
        self._say, self._folder, self._seen = page.say, folder, seen
        self._state = ui.label().classes("lab-state").props('aria-live="polite"')
        self._bar = ui.linear_progress(0, show_value=False, size="10px").props(
            f'aria-label="{page.say("training.share")}"'
        )
        with ui.element("dl").classes("lab-figures"):
            self._values = {
                key: self._pair(page.say(f"training.{key}"))
                for key in ("passed", "left", "speed", "last_loss", "score", "epoch")
            }

    def show(self, runs: bool, grown: bool) -> None:
        """As it is now."""
        say, last = self._say, self._seen.last
        self._state.set_text(say(f"training.{self._where(runs)}"))
        if not last:
            return
        share, seconds = number(last.get("share")), number(last.get("seconds"))
        self._bar.set_value(round(min(1.0, share), 4))
        left = seconds * (1 - share) / share if 0 < share <= 1 else 0.0
        speed = self._seen.speed[-1][1] if self._seen.speed else 0.0
        told = {
            "passed": say("training.minutes", minutes=minutes(seconds)),
            "left": say("training.minutes", minutes=minutes(left)) if runs else "–",
            "speed": say("training.a_second", count=f"{speed:,.0f}"),
            "epoch": f"{last['epoch'] + 1:,}",
        }
        if self._seen.train:
            loss = readable(self._seen.train[-1][1])
            told["last_loss"] = say("training.nats", loss=loss)
        if self._seen.score:
            best = readable(self._seen.score[-1][1])
            told["score"] = f"{best} ({self._seen.score_name.replace('_', ' ')})"
        for key, text in told.items():
            self._values[key].set_text(text)

    def _where(self, runs: bool) -> str:
        if runs:
            return "ends" if self._seen.last.get("share") == 1 else (
                "runs" if self._seen.last else "begins"
            )  # fmt: skip
        return "done" if is_done(self._folder) else "stands"

    def _pair(self, name: str) -> ui.label:
        with ui.element("div"):
            with ui.element("dt"):
                ui.label(name)
            with ui.element("dd"):
                return ui.label("–")


def is_done(folder: RunFolder) -> bool:
    """Whether a run has its final scores."""
    try:
        return bool(folder.scores())
    except UserError:
        return False
