"""Encoder and decoder: numbers in English words to Chinese, and where the decoder looks."""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

from elman import tasks
from elman.apps.lab.models import loaded
from elman.apps.lab.page import Page
from elman.apps.lab.rooms.learning.practice import Plan, Practice
from elman.apps.lab.rooms.writing.sentences import build_translation

OPTIONS = {"minutes": "1", "threads": "1"}


def build(page: Page) -> None:
    Translating(page)


class Translating:
    """A run of `elman train translate` on its built-in pairs, which answers below."""

    def __init__(self, page: Page) -> None:
        self.page = page
        Practice(page, "translate", self._plan, self._ended)
        self._asking = ui.element("div").classes("lab-room-part")

    def _plan(self) -> Plan:
        return "translate", list(tasks.get("translate").built_in), OPTIONS

    async def _ended(self, path: Path) -> None:
        model = await self.page.work(loaded, path)
        if model is not None:
            self._asking.clear()
            with self._asking:
                build_translation(self.page, model)
