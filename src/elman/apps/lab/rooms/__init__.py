"""The rooms of the lab, found from the folders here: each has its `ROOM` in room.py.

    # rooms/start/room.py
    def build(page: Page) -> None:
        ui.label(page.say("start.drop"))

    ROOM = Room(order=1, build=build)

The folder's name is the room's: its address is /LANGUAGE/NAME, its title `NAME.title` and the line
below it `NAME.what`, both in words/LANGUAGE/NAME.toml. `build` may be a coroutine; it is called anew
for every tab, within NiceGUI's context of that tab, and has to return soon: what takes longer than
a blink is done by `page.work` afterwards.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from elman.apps.lab.page import Page


@dataclass(frozen=True)
class Room:
    """A room of the lab. Rooms are shown by `order`; one that `needs_run` is built only where a run
    was chosen, and has it in `page.run`; else the visitor is told to choose."""

    order: int
    build: Callable[[Page], Awaitable[None] | None]
    needs_run: bool = True


def found() -> Mapping[str, Room]:
    """Every room by its name, in order."""
    rooms = {
        module.name: importlib.import_module(f"{__name__}.{module.name}.room").ROOM
        for module in pkgutil.iter_modules(__path__)
        if module.ispkg
    }
    return dict(sorted(rooms.items(), key=lambda item: item[1].order))
