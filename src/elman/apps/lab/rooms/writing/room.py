from __future__ import annotations

from elman.apps.lab.page import Page
from elman.apps.lab.rooms import Room


def build(page: Page) -> None:
    """To come."""


ROOM = Room(order=3, build=build)
