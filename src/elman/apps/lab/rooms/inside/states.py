"""States and gates as a heat map; what is like a chosen stretch; where a unit is high and low."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab import frame
from elman.apps.lab.pieces.explained import explained
from elman.apps.lab.pieces.heat_map import HeatMap
from elman.apps.lab.rooms.inside.looked import Extract
from elman.apps.lab.rooms.inside.view import View


def build(view: View) -> None:
    States(view)


class States:
    def __init__(self, view: View) -> None:
        self.view, self.shown = view, (-1, "", -1)
        self.start, self.stop = 0, 1  # of the stretch that was chosen
        say, looked = view.page.say, view.looked
        with ui.element("div").classes("lab-fields"):
            self._layer = ui.select(
                dict(enumerate(looked.layers)), value=0, label=say("inside.layer"),
                on_change=lambda event: self.choose(layer=event.value),
            ).props("outlined dense")  # fmt: skip
            self._name = ui.select(
                list(looked.names(0)), value=view.name, label=say("inside.quantity"),
                on_change=lambda event: self.choose(name=event.value),
            ).props("outlined dense")  # fmt: skip
            self._sequence = ui.select(
                self._sequences(0), value=0,
                label=say("inside.sequence"),
                on_change=lambda event: self.choose(sequence=event.value),
            ).props("outlined dense")  # fmt: skip
        self._formula = ui.label("").classes("lab-mono lab-text")
        with explained(say, "inside.map"):
            self.map = HeatMap(say, self.point, self.stretch)
        self._like()
        self._contexts()
        view.on_change(self.show)

    def _sequences(self, layer: int) -> dict[int, str]:
        count = self.view.looked.sequences(layer)
        return {k: f"{k + 1} / {count}" for k in range(count)}

    def choose(
        self, layer: int | None = None, name: str | None = None, sequence: int | None = None
    ) -> None:
        view = self.view
        view.layer = view.layer if layer is None else layer
        view.name = view.name if name is None else name
        view.sequence = view.sequence if sequence is None else sequence
        view.tell()

    def show(self) -> None:
        """The picture, where it is another one than before."""
        view, looked, say = self.view, self.view.looked, self.view.page.say
        now = (view.layer, view.name, view.sequence)
        if now == self.shown:
            return
        self.shown = now
        self._layer.set_value(view.layer)
        self._name.set_options(list(looked.names(view.layer)), value=view.name)
        self._sequence.set_options(self._sequences(view.layer), value=view.sequence)
        equations = looked.passes[view.layer].cell.equations.splitlines()
        own = [line for line in equations if line.startswith(f"{view.name} = ")]
        self._formula.set_text(own[0] if own else "")
        values = looked.picture(*now)
        words = say(
            "inside.map_says", name=view.name, layer=looked.layers[view.layer],
            steps=values.shape[0], units=values.shape[1], low=f"{values.min():.2f}",
            high=f"{values.max():.2f}", mean=f"{values.mean():.2f}",
        )  # fmt: skip
        self.map.show(values, looked.steps(view.layer, view.sequence), words)

    def point(self, step: int, unit: int) -> None:
        self.view.step, self.view.unit = step, unit
        self._unit.set_value(unit)
        self.stretch(step, step + 1)
        self.view.tell()

    def stretch(self, start: int, stop: int) -> None:
        self.start, self.stop = start, stop
        self._from.set_value(start + 1)
        self._to.set_value(stop)

    def go(self, one: Extract) -> None:
        """Show a place that was found."""
        self.view.step = one.start
        self.choose(sequence=one.sequence)
        self.map.outline([(one.start, one.stop)])

    def _like(self) -> None:
        say = self.view.page.say
        frame.heading(say("inside.like"))
        ui.label(say("inside.like_what")).classes("lab-what")
        with ui.element("div").classes("lab-row"):
            self._from = ui.number(say("inside.from"), value=1, min=1, precision=0)
            self._to = ui.number(say("inside.to"), value=1, min=1, precision=0)
            for field in (self._from, self._to):
                field.props("outlined dense").classes("lab-narrow")
            ui.button(say("inside.find"), on_click=self.find).props("no-caps")
        self._found = ui.element("div").classes("lab-room-part").props('role="status"')

    async def find(self) -> None:
        view, say = self.view, self.view.page.say
        last = view.looked.length(view.layer, view.sequence)
        start = min(max(int(self._from.value or 1), 1), last) - 1
        stop = min(max(int(self._to.value or 1), start + 1), last)
        self.stretch(start, stop)
        made = await view.ask(view.looked.like, view.layer, view.name, view.sequence, start, stop)
        if made is None:
            return
        chosen, found = made
        self._found.clear()
        with self._found:
            if chosen:
                units = ", ".join(map(str, chosen[:30])) + (" …" if len(chosen) > 30 else "")
                ui.label(say("inside.selected", count=len(chosen), units=units)).classes("lab-what")
            if not found:
                ui.label(say("inside.none"))
            view.extracts(found, say("inside.shared" if chosen else "inside.distance"), self.go)

    def _contexts(self) -> None:
        say = self.view.page.say
        frame.heading(say("inside.contexts"))
        ui.label(say("inside.contexts_what")).classes("lab-what")
        with ui.element("div").classes("lab-row"):
            self._unit = ui.number(say("inside.unit"), value=0, min=0, precision=0)
            self._unit.props("outlined dense").classes("lab-narrow")
            for key, lowest in (("inside.highest", False), ("inside.lowest", True)):
                button = ui.button(say(key), on_click=lambda low=lowest: self.places(lowest=low))
                button.props("no-caps outline")
        self._places = ui.element("div").props('role="status"')

    async def places(self, *, lowest: bool) -> None:
        view = self.view
        view.unit = max(0, int(self._unit.value or 0))
        view.tell()
        self._unit.set_value(view.unit)
        found = await view.ask(
            view.looked.contexts, view.layer, view.name, view.unit, lowest=lowest
        )
        if found is not None:
            self._places.clear()
            with self._places:
                view.extracts(found, view.name, self.go)
