"""A recording, from a file or the microphone, and what is heard in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from elman.apps.lab import frame
from elman.apps.lab.models import Model
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.writing import answers, knobs, showing

MICROPHONE = (Path(__file__).parent / "microphone.js").read_text(encoding="utf-8")
LONGEST = 60  # seconds that are recorded


def build(page: Page, model: Model) -> None:
    say = page.say
    frame.heading(say("writing.recording"))
    ui.label(say("writing.recording_what")).classes("lab-what")
    with ui.row().classes("items-center"):
        record = ui.button(say("writing.record"), icon="mic").props("no-caps")
        stop = ui.button(say("writing.stop_recording"), icon="stop").props("no-caps outline")
    state = ui.label("").props('role="status"')
    place = ui.column().classes("w-full")
    found = ui.column().classes("w-full").props('role="status"')
    stop.set_enabled(False)

    async def take(name: str, body: bytes) -> None:
        state.set_text(say("writing.hearing"))

        def heard() -> Any:
            with model.lock:
                return answers.heard(model.run, body, name)

        told = await page.work(heard)
        state.set_text("")
        if told is not None:
            found.clear()
            with found:
                _show(page, name, told)

    with place:
        upload = knobs.files(page, say("writing.drop_sound"), take, "audio/*,.wav,.flac,.ogg,.mp3")

    def begin() -> None:
        record.set_enabled(False)
        ui.run_javascript(f"{MICROPHONE} elmanRecord({upload.id}, {LONGEST})")

    def told(event: GenericEventArguments) -> None:
        """What the microphone is doing, in a word from the browser."""
        on = event.args == "on"
        record.set_enabled(not on)
        stop.set_enabled(on)
        state.set_text(say("writing.recording_now", seconds=LONGEST) if on else "")
        if event.args not in ("on", "off"):
            page.tell(say("writing.no_microphone", why=str(event.args)[:100]))

    def end() -> None:
        stop.set_enabled(False)
        ui.run_javascript("window.elmanMicrophone?.stop()")

    ui.on("microphone", told)
    record.on_click(begin)
    stop.on_click(end)


def _show(page: Page, name: str, told: Any) -> None:
    say = page.say
    ui.label(name).classes("lab-faint")
    ui.label(told.text or say("writing.nothing_heard")).classes("text-xl lab-text")
    showing.sure(page, told.confidence)
    if told.words:
        columns = [
            {"name": key, "label": say(f"writing.{key}"), "field": key, "align": "left"}
            for key in ("word", "from", "to", "confidence")
        ]
        rows = [
            {
                "key": k, "word": word.text, "from": f"{word.start:.2f}", "to": f"{word.stop:.2f}",
                "confidence": f"{word.confidence:.2f}",
            }
            for k, word in enumerate(told.words)
        ]  # fmt: skip
        ui.table(columns=columns, rows=rows, row_key="key").props("dense flat bordered")
