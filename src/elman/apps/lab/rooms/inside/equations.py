"""One layer, one step at a time: every equation with its numbers, forward and backward."""

from __future__ import annotations

from collections.abc import Sequence

from nicegui import ui

from elman.apps.lab import frame
from elman.apps.lab.rooms.inside.looked import BACK, Unfolded
from elman.apps.lab.rooms.inside.view import View
from elman.probe.trace.teaching import WIDE

Row = tuple[str, str, str]  # name, formula, number


def build(view: View) -> None:
    Equations(view)


class Equations:
    def __init__(self, view: View) -> None:
        self.view, self.of = view, (-1, -1)
        self.found: Unfolded | None = None
        say = view.page.say
        frame.heading(say("inside.equations"))
        ui.label(say("inside.equations_what", count=BACK)).classes("lab-what")
        self._ask = ui.button(say("inside.equations_ask"), on_click=self.unfold).props("no-caps")
        self._whole = ui.element("div").classes("lab-room-part")
        self._whole.set_visibility(False)
        with self._whole:
            with ui.element("div").classes("lab-row"):
                ui.button("◀", on_click=lambda: self.move(-1)).props(
                    f'outline aria-label="{say("inside.step_back")}"')  # fmt: skip
                self._step = ui.number(say("inside.step"), value=1, min=1, precision=0)
                ui.button("▶", on_click=lambda: self.move(1)).props(
                    f'outline aria-label="{say("inside.step_on")}"')  # fmt: skip
                self._unit = ui.number(say("inside.unit"), value=0, min=0, precision=0)
                for field in (self._step, self._unit):
                    field.props("outlined dense").classes("lab-narrow").on_value_change(self.show)
            self._reads = ui.label("").props('role="status"')
            with ui.element("div").classes("lab-two"):
                with ui.element("div"):
                    frame.heading(say("inside.forward"), 3)
                    self._forward = ui.element("div").classes("lab-scroll")
                with ui.element("div"):
                    frame.heading(say("inside.backward"), 3)
                    self._backward = ui.element("div").classes("lab-scroll")
            self._agrees = ui.label("").classes("lab-faint").props('lang="en"')
        view.on_change(self.follow)

    async def unfold(self) -> None:
        view, of = self.view, (self.view.layer, self.view.sequence)
        self._ask.props("loading")
        self.found = await view.ask(view.looked.unfold, *of)
        self._ask.props(remove="loading")
        self.of = of
        self._whole.set_visibility(self.found is not None)
        if self.found is not None:
            self._step.set_value(len(self.found.steps))
            self._unit.set_value(view.unit)
            self.show()

    def follow(self) -> None:
        """The mark in the heat map has moved, or something else is looked at."""
        if (self.view.layer, self.view.sequence) != self.of:
            self._whole.set_visibility(False)
        elif self.found is not None:
            step = self.view.step
            # A layer that reads backward comes to the last step first.
            reverse = self.view.looked.passes[self.of[0]].reverse
            self._step.set_value(len(self.found.steps) - step if reverse else step + 1)
            self._unit.set_value(self.view.unit)

    def move(self, by: int) -> None:
        self._step.set_value(int(self._step.value or 1) + by)

    def show(self) -> None:
        found, say = self.found, self.view.page.say
        if found is None or self._step.value is None or self._unit.value is None:
            return
        number = min(max(1, int(self._step.value)), len(found.steps))
        unit = min(max(0, int(self._unit.value)), found.units - 1)
        self._step.set_value(number)
        self._unit.set_value(unit)
        read = found.labels.get(number, "")
        self._reads.set_text(
            say("inside.reads", step=number, steps=len(found.steps), unit=unit, read=read)
        )
        forward = []
        if number > 1:
            forward = [
                (f"{value.name}_{number - 1}", say("inside.before"), _number(value.numbers, unit))
                for value in found.steps[number - 2].values
                if value.name in self.view.looked.passes[self.of[0]].cell.states
            ]
        for value in found.steps[number - 1].values:
            shown = _wide(value.numbers) if value.name in WIDE else _number(value.numbers, unit)
            forward.append((value.name, value.formula, shown))
        _table(self._forward, forward, say("inside.forward"))
        back = {step.number + found.first: step for step in found.backward.steps}.get(number)
        rows: list[Row] = []
        if back is not None:
            helpers = [(line.symbol.text(), line.formula.text(), "") for line in back.helpers]
            rows = helpers + [
                (
                    one.line.symbol.text(),
                    one.line.formula.text(),
                    _number(one.numbers, unit)
                    if len(one.numbers) == found.units and one.line.symbol.text() != "dx"
                    else _wide(one.numbers),
                )
                for one in back.lines
            ]
        _table(self._backward, rows, say("inside.backward"))
        if not rows:
            with self._backward:
                ui.label(say("inside.no_backward", first=found.first + 1))
        checked = found.backward.checked.text()
        self._agrees.set_text(f"{found.agrees}. {checked}")


def _number(numbers: Sequence[float], unit: int) -> str:
    return f"{numbers[unit]:.6g}" if unit < len(numbers) else _wide(numbers)


def _wide(numbers: Sequence[float]) -> str:
    """A few numbers as they are; of many the first."""
    shown = ", ".join(f"{number:.4g}" for number in numbers[:4])
    return shown + (f", … ({len(numbers)})" if len(numbers) > 4 else "")


def _table(place: ui.element, rows: Sequence[Row], name: str) -> None:
    place.clear()
    if not rows:
        return
    with place, ui.element("table").classes("lab-equations") as table, ui.element("tbody"):
        table.props["aria-label"] = name
        for name, formula, number in rows:
            with ui.element("tr"):
                with ui.element("th").props('scope="row"'):
                    ui.label(name)
                with ui.element("td"):
                    ui.label(f"= {formula}").props('lang="en"')
                several = " lab-several" if ", " in number else ""
                with ui.element("td").classes(f"lab-number{several}"):
                    ui.label(number)
