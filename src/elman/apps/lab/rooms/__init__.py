"""The rooms of the lab, found from the folders here: each has its `ROOM` in room.py.

    # rooms/start/room.py
    def build(page: Page) -> None:
        ui.label(page.say("start.drop"))

    ROOM = Room(order=1, build=build)

The folder's name is the room's: its address is /LANGUAGE/NAME, its title `NAME.title` and the line
below it `NAME.what`, both in words/LANGUAGE/NAME.toml. `build` may be a coroutine; it is called
anew for every tab, within NiceGUI's context of that tab, and has to return soon: what takes longer
than a blink is done by `page.work` afterwards.

A room is loaded when it is entered for the first time, so that the first page does not wait for
PyTorch, which most rooms need.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from elman.apps.lab.page import Page


@dataclass(frozen=True)
class Room:
    """A room of the lab. Rooms are shown by `order`; one that `needs_run` is built only where a run
    was chosen, and has it in `page.run`; else the visitor is told to choose."""

    order: int
    build: Callable[[Page], Awaitable[None] | None]
    needs_run: bool = True


ORDER = ("start", "training", "writing", "inside", "comparing", "learning")  # as `Room.order` says


def names() -> tuple[str, ...]:
    """The name of every room, in order; nothing is loaded."""
    there = [module.name for module in pkgutil.iter_modules(__path__) if module.ispkg]
    return tuple(sorted(there, key=lambda name: (name not in ORDER, [*ORDER, name].index(name))))


def room(name: str) -> Room:
    """The room of that name."""
    found: Room = importlib.import_module(f"{__name__}.{name}.room").ROOM
    return found
