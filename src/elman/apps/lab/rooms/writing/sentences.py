"""A sentence to be tagged, or translated with what the network looked at meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from nicegui import ui

from elman.apps.lab import frame
from elman.apps.lab.models import Model
from elman.apps.lab.page import Page
from elman.apps.lab.pieces import shade
from elman.apps.lab.rooms.writing import answers, knobs, own_data
from elman.apps.lab.rooms.writing.answers import Tagged, Translated
from elman.apps.lab.rooms.writing.rows import ask_file

# Light ones, on which black letters are read, told apart by any kind of colour vision; a label is
# always written out beside its colour. After Paul Tol's "light" scheme (2018).
COLOURS = (
    "#77AADD", "#EE8866", "#EEDD88", "#FFAABB", "#99DDFF", "#44BB99", "#BBCC33", "#AAAA00",
)  # fmt: skip
OUTSIDE = "O"


def build_tags(page: Page, model: Model) -> None:
    def show(found: list[Tagged]) -> None:
        together = ui.row().classes("gap-1 items-start")
        together.props(f'role="group" aria-label="{page.say("writing.tags")}"')
        with together:
            for token, label in found:
                with ui.column().classes("gap-0 items-center"):
                    made = ui.label(token).classes("lab-mono px-1")
                    if label != OUTSIDE:
                        made.style(f"background: {colour(label)}; color: #000; border-radius: 4px")
                    ui.label(label).classes("text-xs" + (" lab-faint" if label == OUTSIDE else ""))

    _sentence(page, model, lambda text: answers.tagged(model.run, text), show, _tokens)
    ask_file(page, model)


def colour(label: str) -> str:
    """The same for a label whenever it is shown; B-PER and I-PER are alike."""
    kind = label.partition("-")[2] or label
    return COLOURS[hashlib.sha256(kind.encode()).digest()[0] % len(COLOURS)]


def build_translation(page: Page, model: Model) -> None:
    beam = knobs.whole(page, "writing.beam", 1, 32, 4)

    def show(found: Translated) -> None:
        for text, score in found.texts:
            with ui.row().classes("items-baseline"):
                ui.label(text or "∅").classes("text-lg lab-text")
                ui.label(page.say("writing.score", score=f"{score:.2f}")).classes("lab-faint")
        if found.looked is None:
            ui.label(page.say("writing.no_attention")).classes("lab-faint")
        elif found.looked.target:  # else the answer is empty, and nothing was looked at
            attention(page, found.looked.source, found.looked.target, found.looked.shares)

    _sentence(
        page, model, lambda text: answers.translated(model.run, text, beam() or 1), show, _text
    )
    ask_file(page, model)


def attention(page: Page, source: list[str], target: list[str], shares: Any) -> None:
    """Which symbols of the source each one that was written looked at."""
    cells = [
        [s, t, round(float(shares[t, s]), 4)]
        for t in range(len(target))
        for s in range(len(source))
    ]
    say, brightest = page.say, round(float(shares.max()), 2)
    ui.label(say("writing.attention")).classes("font-bold")
    every = {"axisLabel": {**shade.TEXT, "interval": 0}, "splitArea": {"show": False}}
    made = ui.echart({
        "animation": False,
        "tooltip": {"renderMode": "richText"},
        "grid": {"left": 60, "right": 16, "top": 40, "bottom": 50},
        "xAxis": {"type": "category", "data": source, "position": "top", **every},
        "yAxis": {"type": "category", "data": target, "inverse": True, **every},
        "visualMap": {
            "min": 0, "max": brightest, "orient": "horizontal", "left": "center",
            "bottom": 0, "text": [f"{brightest:g}", "0"], "inRange": {"color": VIRIDIS},
            "textStyle": shade.TEXT,
        },
        "series": [{"type": "heatmap", "data": cells, "name": say("writing.attention")}],
    })  # fmt: skip
    made.classes("w-full").style(f"height: {120 + 20 * len(target)}px; max-width: 900px")
    made.props["role"], made.props["aria-label"] = "img", say("writing.attention")
    ui.label(say("writing.attention_what")).classes("lab-faint")


VIRIDIS = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"]


def _sentence(
    page: Page, model: Model, answer: Callable[[str], Any], show: Callable[[Any], None],
    begin: Callable[[own_data.Example], str],
) -> None:  # fmt: skip
    """A field for a sentence, a button, and what is answered."""
    say = page.say
    frame.heading(say("writing.sentence"))
    ui.label(say(f"writing.sentence_{model.run.task}")).classes("lab-what")
    field = ui.textarea(say("writing.sentence")).props("outlined autogrow").classes("w-full")
    ask_button = ui.button(say("writing.ask")).props("no-caps")
    found = ui.column().classes("w-full").props('role="status"')

    def answered(text: str) -> Any:
        with model.lock:
            return answer(text)

    async def ask() -> None:
        made = await page.work(answered, field.value or "")
        if made is not None:
            found.clear()
            with found:
                show(made)

    async def fill() -> None:
        example = await page.work(own_data.example, model.run)
        if example is not None and example.rows and not field.value:
            field.set_value(begin(example))

    ask_button.on_click(ask)
    ui.timer(0, fill, once=True)


def _tokens(example: own_data.Example) -> str:
    return " ".join(example.rows[0]["tokens"])


def _text(example: own_data.Example) -> str:
    return str(example.rows[0]["text"])
