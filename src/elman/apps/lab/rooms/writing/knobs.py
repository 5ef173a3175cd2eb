"""Sliders and numbers of this room, each with its label, its value beside it, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from nicegui import events, ui

from elman.apps.lab.page import Page
from elman.apps.lab.pieces.slider import Slider

LARGEST_FILE = 64 * 1024 * 1024  # bytes


def slider(
    page: Page, key: str, low: float, high: float, step: float, value: float
) -> Callable[[], float]:
    """A slider for the words `key` and `key_help`; what it is set to."""
    label, told = page.say(key), page.say(f"{key}_help")
    with ui.column().classes("gap-0 w-full"):
        with ui.row().classes("w-full justify-between no-wrap"):
            ui.label(label)
            shown = ui.label(f"{value:g}")
        made = Slider(min=low, max=high, step=step, value=value)
        made.props(f'aria-label="{label}"')
        made.on_value_change(lambda event: shown.set_text(f"{event.value:g}"))
        ui.label(told).classes("text-xs lab-faint")
    return lambda: float(made.value)


def whole(page: Page, key: str, low: int, high: int, value: int | None) -> Callable[[], int | None]:
    """A field for a whole number; what stands in it, within its bounds, None where nothing does."""
    made = ui.number(page.say(key), value=value, min=low, max=high, precision=0)
    made.props("outlined dense").classes("w-full")
    with made, ui.element("q-tooltip"):
        ui.label(page.say(f"{key}_help"))

    def read() -> int | None:
        return None if made.value is None else min(max(int(made.value), low), high)

    return read


def files(page: Page, label: str, take: Callable[[str, bytes], Any], accept: str = "") -> ui.upload:
    """A place for a file, dropped or chosen: `take`, a coroutine, is given its name and content."""

    async def uploaded(event: events.UploadEventArguments) -> None:
        body = await event.file.read()
        made.reset()
        await take(PurePath(event.file.name.replace("\\", "/")).name, body)

    made = ui.upload(
        label=label, auto_upload=True, max_file_size=LARGEST_FILE, on_upload=uploaded,
        on_rejected=lambda: page.tell(page.say("writing.too_large")),
    )  # fmt: skip
    made.props(f'flat bordered accept="{accept}"' if accept else "flat bordered")
    made.props["role"], made.props["aria-label"] = "group", label
    return made.classes("lab-file")
