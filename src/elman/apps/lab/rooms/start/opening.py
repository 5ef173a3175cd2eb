"""A run that somebody else made: a package, or a folder on this machine, put among the others."""

from __future__ import annotations

import zipfile
from pathlib import Path

from nicegui import ui
from nicegui.events import UploadEventArguments

from elman.apps.lab.asking import ask
from elman.apps.lab.frame import heading
from elman.apps.lab.page import Page
from elman.run import folder


def build(page: Page) -> None:
    """A field to drop a package, and one to name a folder."""
    say = page.say

    async def opened(source: Path) -> None:
        made = await page.work(take_in, source, page.workspace.root)
        if made is not None:
            page.go("training", made)

    async def dropped(event: UploadEventArguments) -> None:
        place = page.workspace.free_file(event.file.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        await event.file.save(place)
        try:
            await opened(place)
        finally:
            place.unlink(missing_ok=True)

    async def named() -> None:
        if text := (path.value or "").strip():
            await opened(Path(text).expanduser())

    heading(say("start.open"))
    with ui.expansion(say("start.open_what")).props("dense"):
        upload = ui.upload(
            label=say("start.open_drop"), auto_upload=True, on_upload=dropped, max_files=1
        )
        upload.props('flat bordered accept=".zip" role=group').classes("lab-drop")
        upload.props["aria-label"] = say("start.open_drop")
        with ui.element("div").classes("lab-row"):
            path = ui.input(say("start.open_path")).props("outlined dense").classes("lab-wide")
            path.on("keydown.enter", named)
            ui.button(say("start.open_it"), on_click=named).props("no-caps outline")


def take_in(source: Path, root: Path) -> Path:
    """A package (.zip) or a run folder as a new run below `root`, as `elman package` lays it, with
    the state of its training if that went along. UserError: it is none."""
    target = folder.free_name(source.name.removesuffix(".zip"), root)
    state = ("--with-checkpoint",) if _has_state(source) else ()
    ask("package", str(source), "--to", str(target), *state)
    return target


def _has_state(source: Path) -> bool:
    if source.is_dir():
        return (source / folder.CHECKPOINT).is_file()
    try:
        with zipfile.ZipFile(source) as archive:
            return folder.CHECKPOINT in archive.namelist()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False  # what is wrong with it is told by the command
