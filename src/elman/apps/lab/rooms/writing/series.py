"""Series that go on, and sequences whose values are told: rows in a field, or a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from elman.apps.lab import frame
from elman.apps.lab.models import Model
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.writing import answers, knobs, own_data, showing
from elman.run import rows


def build_forecast(page: Page, model: Model) -> None:
    def made(body: bytes, name: str) -> Any:
        return answers.forecast(model.run, body, name), answers.told(model.run, body, name)

    def show(found: Any, name: str) -> None:
        forecasts, told = found
        for one in forecasts:
            showing.forecast(page, one)
        showing.table(page, told, f"{name}-forecast")

    _ask(page, model, made, show)


def build_values(page: Page, model: Model) -> None:
    def made(body: bytes, name: str) -> Any:
        return answers.told(model.run, body, name)

    def show(told: answers.Told, name: str) -> None:
        showing.curves(page, answers.curves(model.run, told))
        showing.table(page, told, f"{name}-answers")

    _ask(page, model, made, show)


def _ask(
    page: Page, model: Model, answer: Callable[[bytes, str], Any],
    show: Callable[[Any, str], None],
) -> None:  # fmt: skip
    """Rows as they stand in a file, from the run's own data at first; or such a file."""
    say = page.say
    frame.heading(say("writing.rows"))
    ui.label(say(f"writing.rows_{model.run.task}")).classes("lab-what")
    field = ui.textarea(say("writing.rows_label")).classes("w-full")
    field.props('outlined input-class="lab-mono" rows=8')
    ask_button = ui.button(say("writing.ask")).props("no-caps")
    place = ui.column().classes("w-full max-w-md")
    found = ui.column().classes("w-full").props('role="status"')

    def answered(body: bytes, name: str) -> Any:
        with model.lock:
            return answer(body, name)

    async def take(name: str, body: bytes) -> None:
        made = await page.work(answered, body, name)
        if made is not None:
            found.clear()
            with found:
                show(made, name.partition(".")[0])

    async def ask() -> None:
        text = field.value or ""
        ending = rows.LINES if text.lstrip().startswith("{") else rows.CSV
        await take(rows.NAME + ending, text.encode())

    async def fill() -> None:
        example = await page.work(own_data.example, model.run)
        if example is not None and not field.value:
            field.set_value(example.text)

    ask_button.on_click(ask)
    with place:
        knobs.files(page, say("writing.drop_rows"), take)
    ui.timer(0, fill, once=True)
