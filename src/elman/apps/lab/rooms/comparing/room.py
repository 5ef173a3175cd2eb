"""Compare: runs side by side, and a shoot-out of cells."""

from __future__ import annotations

from nicegui import ui

from elman.apps.lab.page import Page
from elman.apps.lab.rooms import Room

TABLES = """
.lab-table { border-collapse: collapse; }
.lab-table th, .lab-table td { padding: 4px 14px 4px 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--lab-line); font-weight: 400; }
.lab-table thead th { font-weight: 600; }
.lab-table td { min-width: 9ch; }
.lab-table .lab-long { min-width: 24ch; }
.lab-table th .lab-text { overflow-wrap: break-word; }
"""


def build(page: Page) -> None:
    # PyTorch comes with them, and the first page does not wait for it.
    from elman.apps.lab.rooms.comparing.beside import Beside
    from elman.apps.lab.rooms.comparing.shoot_out import ShootOut

    ui.add_css(TABLES)
    Beside(page)
    ShootOut(page)


ROOM = Room(order=5, build=build, needs_run=False)
