"""Each room on a small run of each task, in each language: what one comes for is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect
from small_runs import Runs
from visiting import Lab, Visit

from elman.apps.lab.words import LANGUAGES, table
from elman.run.folder import RunFolder

ROOMS = ("training", "writing", "inside", "comparing")
ASKED = {"text": "write", "music": "compose", "speech": "record"}  # others are asked


def said(language: str, key: str) -> re.Pattern[str]:
    """A message with anything in its places."""
    parts = re.split(r"\{\w+\}", table(language)[key])
    return re.compile("^" + ".+".join(map(re.escape, parts)) + "$")


def main_thing(page: Page, language: str, room: str, task: str) -> Locator:
    """What one comes to a room for."""
    match room:
        case "training":
            return page.get_by_role("img", name=said(language, "training.loss_words"))
        case "inside":
            return page.get_by_role("img", name=said(language, "inside.map_says"))
        case "comparing":
            return page.get_by_role("img", name=said(language, "comparing.curves"))
    asked = table(language)[f"writing.{ASKED.get(task, 'ask')}"]
    return page.get_by_role("button", name=re.compile(f"{re.escape(asked)}$")).first


@pytest.mark.parametrize(
    "language", ["zh", *(pytest.param(x, marks=pytest.mark.long) for x in LANGUAGES if x != "zh")]
)
def test_it_opens_on_every_task(
    language: str, lab: Lab, visit: Visit, runs: Runs, show: Callable[[str], Path]
) -> None:
    tabs = {room: visit(lab, "/favicon.ico", same=k > 0) for k, room in enumerate(ROOMS)}
    for name in runs:
        task = RunFolder(show(name)).options()["task"]
        for room, page in tabs.items():  # all at once
            page.evaluate(f"location.href = '/{language}/{room}?{urlencode({'run': name})}'")
        for room, page in tabs.items():
            expect(page).to_have_url(re.compile(re.escape(urlencode({"run": name}))))
            expect(main_thing(page, language, room, task)).to_be_visible()
            assert page.get_by_role("alert").count() == 0, (name, room)
