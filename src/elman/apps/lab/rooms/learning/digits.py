"""Digits read row by row: what a classifier takes a picture for after each of its eight rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from nicegui import ui
from numpy.typing import NDArray

from elman.apps.lab.models import loaded
from elman.apps.lab.page import Page
from elman.apps.lab.pieces.explained import explained
from elman.apps.lab.pieces.heat_map import HeatMap
from elman.apps.lab.rooms.learning.practice import Plan, Practice
from elman.apps.lab.rooms.writing import answers
from elman.errors import UserError
from elman.run import rows
from elman.run.files import replace

NAME = "digits.jsonl"
OPTIONS = {"epochs": "12", "hidden_size": "48", "cell": "lstm", "threads": "1"}
Guess = tuple[str, float]  # the class, and its probability


def build(page: Page) -> None:
    Digits(page)


class Digits:
    """scikit-learn's 1,797 pictures of 8 x 8 points, as sequences of rows."""

    def __init__(self, page: Page) -> None:
        self.page, self.path, self.shown = page, Path(), 0
        say = page.say
        Practice(page, "digits", self._plan, self._ended)
        self._asking = ui.element("div").classes("lab-room-part")
        self._asking.set_visibility(False)
        with self._asking:
            self._which = (
                ui.number(say("learning.picture"), value=0, min=0, max=1796, precision=0)
                .props("outlined dense debounce=300")
                .classes("lab-narrow")
                .on_value_change(self.read)
            )
            with explained(say, "learning.scanned"):
                self._picture = HeatMap(say)
            with explained(say, "learning.guesses"):
                self._told = ui.label("").props('role="status"')
                self._guesses = ui.element("ol").classes("lab-lines")

    def _plan(self) -> Plan:
        files = self.page.workspace.files
        files.mkdir(parents=True, exist_ok=True)
        pictures, labels = _pictures()
        told = [
            {"sequence": picture.tolist(), "label": str(label)}
            for picture, label in zip(pictures, labels, strict=True)
        ]
        replace(files / NAME, "".join(json.dumps(one) + "\n" for one in told))
        return "classify", [str(files / NAME)], OPTIONS

    async def _ended(self, path: Path) -> None:
        self.path = path
        self._asking.set_visibility(True)
        await self.read()

    async def read(self) -> None:
        which = int(self._which.value or 0)
        found = await self.page.work(_guesses, self.path, which)
        if found is None:
            return
        picture, label, guesses = found
        say = self.page.say
        words = say("learning.scanned_words", label=label)
        names = [say("learning.row", row=row + 1) for row in range(len(picture))]
        self._picture.show(picture, names, words)
        self._guesses.clear()
        with self._guesses:
            for row, (guess, share) in enumerate(guesses):
                with ui.element("li"):
                    told = say("learning.guess", row=row + 1, guess=guess, share=f"{share:.0%}")
                    ui.label(told).classes("lab-inline")
        self._told.set_text(say("learning.guess_words", label=label, guess=guesses[-1][0]))


def _pictures() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Pictures [N, 8, 8] from 0 to 1, and which digit each is."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise UserError("the digits are those of scikit-learn: pip install scikit-learn") from None
    found = load_digits()
    return found.images / 16, found.target


def _guesses(path: Path, which: int) -> tuple[NDArray[np.float64], int, list[Guess]]:
    """A picture, what it is, and what the model takes its first row, two rows, … for."""
    pictures, labels = _pictures()
    which = min(max(which, 0), len(pictures) - 1)
    picture, model = pictures[which], loaded(path)
    begun = [{"sequence": picture[: row + 1].tolist()} for row in range(len(picture))]
    with model.lock:
        told = answers.told(model.run, rows.lines(begun), f"rows{rows.LINES}")
    guesses = [(str(row["predicted"]), float(row["probability"])) for row in told.rows]
    return picture, int(labels[which]), guesses
