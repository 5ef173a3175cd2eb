"""Rows to be classified: one in a form, with a field for each column that is read; or a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from elman.apps.lab import frame
from elman.apps.lab.models import Model
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.writing import answers, knobs, own_data, showing
from elman.data.labelled.roles import roles_from_json

MOST_FIELDS = 64  # of a form; wider rows are asked as files


def build(page: Page, model: Model) -> None:
    names, numeric = columns(model.run.trained.preprocessing)
    if 0 < len(names) <= MOST_FIELDS:
        _form(page, model, names, numeric=numeric)
    ask_file(page, model)


def columns(kept: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The columns of a row that the model reads, none where it reads arrays or images; and whether
    they hold numbers. UserError: a damaged reading."""
    roles = roles_from_json(kept["reading"])
    if roles.text_columns:
        return roles.text_columns, False
    if roles.columns is not None:
        return roles.columns, True
    return (() if kept.get("kernels") else ("text",)), False


def _form(page: Page, model: Model, names: tuple[str, ...], *, numeric: bool) -> None:
    say = page.say
    frame.heading(say("writing.row"))
    ui.label(say("writing.row_what")).classes("lab-what")
    fields: dict[str, Any] = {}
    with ui.element("div").classes("lab-fields" if numeric else "w-full"):
        for name in names:
            made = ui.input(name) if numeric else ui.textarea(name)
            made.props("outlined dense" if numeric else "outlined autogrow").classes("w-full")
            fields[name] = made
    found = ui.column().props('role="status"')

    async def ask() -> None:
        row = {name: _cell(field.value or "", numeric) for name, field in fields.items()}

        def answered() -> Mapping[str, Any]:
            with model.lock:
                return answers.answer_to(model.run, row)

        answer = await page.work(answered)
        if answer is not None:
            found.clear()
            with found:
                _show(page, answer)

    async def fill() -> None:
        example = await page.work(own_data.example, model.run)
        if example is not None and example.rows:
            for name, field in fields.items():
                if not field.value:
                    field.set_value(str(example.rows[0].get(name, "")))

    ui.button(say("writing.ask"), on_click=ask).props("no-caps")
    ui.timer(0, fill, once=True)


def _cell(text: str, numeric: bool) -> str | float:
    try:
        return float(text) if numeric else text
    except ValueError:
        return text


def _show(page: Page, answer: Mapping[str, Any]) -> None:
    """Each column of an answer; a probability also as a bar."""
    for name, value in answer.items():
        if name.startswith("probability") and isinstance(value, float):
            showing.sure(page, value)
            continue
        with ui.row().classes("items-baseline"):
            ui.label(f"{name}:").classes("lab-faint")
            told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            ui.label(showing.shown(told)).classes("text-xl lab-text")


def ask_file(page: Page, model: Model) -> None:
    """A file of rows, answered as `elman predict` does."""
    say = page.say
    frame.heading(say("writing.file"))
    ui.label(say("writing.file_what")).classes("lab-what")
    place = ui.column().classes("w-full")
    found = ui.column().classes("w-full").props('role="status"')

    async def take(name: str, body: bytes) -> None:
        def answered() -> answers.Told:
            with model.lock:
                return answers.told(model.run, body, name)

        told = await page.work(answered)
        if told is not None:
            found.clear()
            with found:
                showing.table(page, told, f"{name.partition('.')[0]}-answers")

    with place:
        knobs.files(page, say("writing.drop_rows"), take)
