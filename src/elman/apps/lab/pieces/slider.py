"""A slider that stays where the visitor has put it."""

from __future__ import annotations

from nicegui import ui


class Slider(ui.slider):
    """NiceGUI's slider moves when the server has answered. A late answer puts it back to a value
    that has been left since, so that of keys pressed fast some are lost. This one moves by itself,
    and tells the server."""

    LOOPBACK = False
