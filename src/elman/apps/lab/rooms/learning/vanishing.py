"""How far back gradients reach in a network, untrained and after some updates."""

from __future__ import annotations

import math

from nicegui import ui

from elman import cells
from elman.apps.lab.page import Page
from elman.apps.lab.pieces.curves import BLUE, ORANGE, Curves, Line, Point
from elman.apps.lab.pieces.explained import explained
from elman.apps.lab.pieces.slider import Slider
from elman.inspection.lesson.problems import PROBLEMS
from elman.inspection.lesson.training import Contestant, Seen, Trained, can_open, train

UNITS, UPDATES, SEED = 32, 150, 1
LEAST = 1e-12  # what is shown of a gradient that has vanished
CLIP = 1.0


def build(page: Page) -> None:
    Vanishing(page)


class Vanishing:
    """The numbers of `elman inspect --lesson`, for one cell at a time."""

    def __init__(self, page: Page) -> None:
        self.page = page
        say = page.say
        self._cell = (
            ui.select(
                list(cells.names()), value="rnn", label=say("learning.cell"),
                on_change=lambda event: self._open.set_enabled(can_open(event.value)),
            )
            .props("outlined dense")
            .classes("lab-wide")
        )  # fmt: skip
        self._open: ui.switch = ui.switch(say("learning.open"))
        self._open.set_enabled(can_open("rnn"))
        self._radius = self._slider("learning.radius", 0.1, 3.0, 0.1, 1.0)
        self._steps = self._slider("learning.length", 15, 200, 5, 60)
        with ui.element("div").classes("lab-row"):
            ui.button(say("learning.look"), on_click=lambda: self.look(0)).props("no-caps")
            ui.button(
                say("learning.train_and_look", count=UPDATES), on_click=lambda: self.look(UPDATES)
            ).props("no-caps outline")
        with explained(say, "learning.reach"):
            self._curves = Curves(
                [Line(say("learning.before"), BLUE), Line(say("learning.after"), ORANGE)],
                say("learning.lag"), say("learning.share"), log=True,
            )  # fmt: skip
        self._told = ui.label("").props('role="status"')
        ui.timer(0, lambda: self.look(0), once=True)

    def _slider(self, key: str, low: float, high: float, step: float, value: float) -> Slider:
        label = ui.label("")
        made = Slider(min=low, max=high, step=step, value=value).classes("lab-wide")
        made.props(f'label aria-label="{self.page.say(key, value="")}"')
        label.bind_text_from(made, "value", lambda now: self.page.say(key, value=f"{now:g}"))
        return made

    async def look(self, updates: int) -> None:
        name, say = str(self._cell.value), self.page.say
        radius = float(self._radius.value) if cells.get(name).recurrent else None
        opened = bool(self._open.value) and can_open(name)
        found = await self.page.work(
            looked, name, radius, int(self._steps.value), updates, opened=opened
        )
        if found is None:
            return
        told = say("learning.reaches", before=_reach(found.before))
        if updates:
            told += " " + say("learning.reaches_after", after=_reach(found.after))
        if radius is None:
            told += " " + say("learning.no_radius")
        self._told.set_text(told)
        self._curves.show(points(found, updates), told)


def looked(
    cell: str, radius: float | None, steps: int, updates: int, *, opened: bool = False
) -> Trained:
    """The network of the lesson, before and after so many updates; see `Contestant`."""
    contestant = Contestant(cell, radius=radius, clip=CLIP, open=opened)
    return train(contestant, PROBLEMS[0], steps, updates, UNITS, SEED)


def points(found: Trained, updates: int) -> list[list[Point]]:
    """The curves before and after, the latter empty without updates: shares by lag."""
    sides = [found.before, found.after if updates else None]
    return [[] if side is None else _shares(side) for side in sides]


def _shares(seen: Seen) -> list[Point]:
    values = seen.flow.share_by_lag().values
    shown = enumerate(float(value) for value in values)
    return [(lag, max(value, LEAST)) for lag, value in shown if math.isfinite(value)]


def _reach(seen: Seen) -> int:
    """Steps back until a hundredth of the gradient is left."""
    small = (int(lag) for lag, share in _shares(seen) if share < 0.01)
    return next(small, len(_shares(seen)) - 1)
