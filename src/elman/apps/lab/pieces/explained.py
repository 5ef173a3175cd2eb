"""A picture with its title, what it shows, and what it says in words to who cannot see it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from nicegui import ui

from elman.apps.lab.frame import heading
from elman.apps.lab.words import Say


@contextlib.contextmanager
def explained(say: Say, key: str) -> Iterator[ui.element]:
    """A figure with the title `key`, unit included, and below it, folded, `key_shows`."""
    with ui.element("figure").classes("lab-figure") as figure:
        heading(say(key))
        yield figure
        with ui.expansion(say("frame.shows")).props("dense").classes("lab-shows"):
            ui.label(say(f"{key}_shows"))


def tell(picture: ui.element, words: str) -> None:
    """What a picture says in words; may come from data."""
    if picture.props.get("aria-label") != words:
        picture.props["role"] = "img"
        picture.props["aria-label"] = words
        picture.update()
