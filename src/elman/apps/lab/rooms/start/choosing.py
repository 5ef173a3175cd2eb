"""What to train on: dropped files, a set that is built in, or a place on this machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from nicegui import ui
from nicegui.events import MultiUploadEventArguments

from elman import tasks
from elman.apps.lab.frame import heading
from elman.apps.lab.page import Page
from elman.errors import UserError

LARGEST = 4_000_000_000  # bytes of a dropped file; larger ones are named where they lie

Read = Callable[..., Awaitable[None]]  # of data, and the task where it is known


def build(page: Page, read: Read) -> None:
    """The three ways; `read` is called with the data that was chosen."""
    say = page.say
    heading(say("start.data"))

    async def take(event: MultiUploadEventArguments) -> None:
        kept: list[str] = []
        for file in event.files:
            place = page.workspace.free_file(file.name)
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                await file.save(place)
            except OSError as error:
                page.tell(UserError(f"{file.name}: {error.strerror or error}"))
                return
            kept.append(str(place))
        upload.reset()
        await read(kept)

    upload = ui.upload(
        label=say("start.drop"), multiple=True, auto_upload=True, max_file_size=LARGEST,
        on_multi_upload=take, on_rejected=lambda: page.tell(say("start.too_large")),
    ).props("flat bordered role=group").classes("lab-drop")  # fmt: skip
    upload.props["aria-label"] = say("start.drop")
    with ui.element("div").classes("lab-row"):
        names = {name: say(f"start.set_{name}") for name in tasks.names()}
        ui.select(
            names, label=say("start.built_in"), on_change=lambda event: read([], event.value)
        ).props("outlined").classes("lab-wide")  # fmt: skip
    with ui.expansion(say("start.elsewhere")).props("dense"):

        async def named() -> None:
            try:
                await read([checked(place.value or "")])
            except UserError as error:
                page.tell(error)

        with ui.element("div").classes("lab-row"):
            place = ui.input(say("start.path")).props("outlined dense").classes("lab-wide")
            place.on("keydown.enter", named)
            ui.button(say("start.read_it"), on_click=named).props("no-caps outline")


def checked(item: str) -> str:
    """An item of data as the command line takes it. UserError: nothing, or an option."""
    item = item.strip()
    if not item or item.startswith("-"):
        raise UserError(f"{item or 'nothing'}: needs a file, a folder, a glob or name:NAME")
    return item if item.startswith("name:") else str(Path(item).expanduser())
