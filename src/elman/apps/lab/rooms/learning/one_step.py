"""One cell by hand: its inputs and weights may be changed, and every equation shows its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from nicegui import ui
from torch import Tensor

from elman import cells
from elman.apps.lab.frame import heading
from elman.apps.lab.page import Page
from elman.probe import trace

Row = tuple[str, str, str]  # name, formula, numbers
PARAMETERS = ("weight_ih", "weight_hh", "bias_ih")
LARGEST = 1000.0  # of a number that is given


def build(page: Page) -> None:
    OneStep(page)


class OneStep:
    """The numbers of `elman trace CELL --backward`, made anew at each change."""

    def __init__(self, page: Page) -> None:
        self.page, self.setup = page, trace.example("rnn")
        say = page.say
        ui.select(
            list(cells.names()), value="rnn", label=say("learning.cell"), on_change=self._choose
        ).props("outlined dense").classes("lab-wide")
        self._inputs = ui.element("div").classes("lab-row")
        with ui.expansion(say("learning.weights")).props("dense"):
            self._weights = ui.element("div").classes("lab-room-part")
        with ui.element("div").classes("lab-two"):
            with ui.element("div"):
                heading(say("learning.forward"))
                self._forward = ui.element("div").classes("lab-room-part")
            with ui.element("div"):
                heading(say("learning.backward"))
                self._loss = ui.label("").classes("lab-what")
                self._backward = ui.element("div").classes("lab-room-part")
        self._fields()
        self._show()

    def _choose(self, event: object) -> None:
        self.setup = trace.example(event.value)  # type: ignore[attr-defined]
        self._fields()
        self._show()

    def _fields(self) -> None:
        """A field for each number of the setup."""
        say, cell = self.page.say, self.setup.cell
        self._inputs.clear()
        with self._inputs:
            for t in range(len(self.setup.inputs)):
                self._number(say("learning.input", step=t + 1), self.setup.inputs, (t, 0))
            assert self.setup.targets is not None  # an example has some
            self._number(say("learning.target"), self.setup.targets, (-1, 0))
        self._weights.clear()
        with self._weights:
            H = len(self.setup.weights.weight_ih) // len(cell.gates)
            units = [
                f"{gate}, {say('learning.unit')} {unit + 1}"
                for gate in cell.gates
                for unit in range(H)
            ]
            for name in PARAMETERS:
                tensor = getattr(self.setup.weights, name)
                if tensor is not None:
                    self._parameter(say(f"learning.{name}"), tensor, units)
            if (output := self.setup.output) is not None:
                self._parameter(say("learning.output_weight"), output.weight, ["y"])
                if output.bias is not None:
                    self._parameter(say("learning.output_bias"), output.bias, ["y"])

    def _parameter(self, title: str, tensor: Tensor, rows: Sequence[str]) -> None:
        """The numbers of a matrix or a bias, by the names of its rows."""
        heading(title, 3)
        with ui.element("div").classes("lab-row"):
            for row, label in enumerate(rows):
                if tensor.dim() == 1:
                    self._number(label, tensor, (row,))
                    continue
                for column in range(tensor.shape[1]):
                    of = f" ← {column + 1}" if tensor.shape[1] > 1 else ""
                    self._number(label + of, tensor, (row, column))

    def _number(self, label: str, tensor: Tensor, place: tuple[int, ...]) -> None:
        def change(event: object) -> None:
            value = event.value  # type: ignore[attr-defined]
            if value is not None and abs(value) <= LARGEST:
                tensor[place] = float(value)
                self._show()

        ui.number(
            label, value=float(tensor[place]), min=-LARGEST, max=LARGEST, step=0.1,
            format="%.4g", on_change=change,
        ).props("outlined dense debounce=200").classes("lab-narrow")  # fmt: skip

    def _show(self) -> None:
        say = self.page.say
        setup = self.setup
        assert setup.targets is not None
        setup = replace(setup, targets=torch.cat([setup.inputs[1:], setup.targets[-1:]]))
        steps = trace.run(setup)
        self._forward.clear()
        with self._forward:
            for step in steps:
                heading(say("learning.step", step=step.number), 3)
                _table(
                    [(v.name, v.formula, _numbers(v.numbers)) for v in step.values],
                    f"{say('learning.forward')}, {say('learning.step', step=step.number)}",
                )
        found = trace.backward(setup)
        self._backward.clear()
        with self._backward:
            for back in found.steps:
                heading(say("learning.step", step=back.number), 3)
                _table(
                    [
                        (one.line.symbol.text(), one.line.formula.text(), _numbers(one.numbers))
                        for one in back.lines
                    ],
                    f"{say('learning.backward')}, {say('learning.step', step=back.number)}",
                )
            key, seen = "holds" if found.checked.holds else "differs", found.checked
            told = say(
                f"learning.{key}", autograd=f"{seen.autograd:.1e}",
                differences=f"{seen.differences:.1e}", tried=seen.tried,
            )  # fmt: skip
            ui.label(told).classes("lab-faint")
            assert setup.targets is not None
            off = torch.tensor([step.values[-1].numbers for step in steps]) - setup.targets
            loss = f"{float((off**2).sum() / 2):.4f}"
        self._loss.set_text(say("learning.backward_what", loss=loss))


def _numbers(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:.4f}" for number in numbers)


def _table(rows: Sequence[Row], name: str) -> None:
    with (
        ui.element("div").classes("lab-scroll"),
        ui.element("table").classes("lab-equations") as table,
        ui.element("tbody"),
    ):
        table.props["aria-label"] = name
        for name, formula, numbers in rows:
            with ui.element("tr"):
                with ui.element("th").props('scope="row"'):
                    ui.label(name)
                with ui.element("td"):
                    ui.label(f"= {formula}")
                several = " lab-several" if ", " in numbers else ""
                with ui.element("td").classes(f"lab-number{several}"):
                    ui.label(numbers)
