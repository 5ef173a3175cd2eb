"""Each room on a small run of each task, in each language: what one comes for is there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, expect
from small_runs import Runs
from visiting import ENGLISH, FAINT, Lab, Visit

from elman.apps.lab import rooms
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
            assert language == "en" or page.evaluate(ENGLISH) == []


@pytest.mark.parametrize(("language", "shade"), [("en", "dark"), ("zh", "light")])
def test_on_a_phone_all_is_within_its_width_can_be_read_and_has_a_name(
    language: str, shade: str, lab: Lab, visit: Visit, show: Callable[[str], Path]
) -> None:
    show("story")
    page = visit(lab, f"/{language}/start", width=360, shade=shade)
    for room in rooms.names():
        page.goto(f"{lab.root}/{language}/{room}?run=story")
        thing = (
            main_thing(page, language, room, "text")
            if room in ROOMS
            else page.get_by_role("heading", name=said(language, f"{room}.title"))
        )
        expect(thing).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, room
        assert page.evaluate(FAINT) == [], room
        assert nameless(page) == [], room


def nameless(page: Page) -> list[str]:
    """What a screen reader comes to that may be used or looked at, and is called nothing."""
    reader = page.context.new_cdp_session(page)
    nodes = reader.send("Accessibility.getFullAXTree")["nodes"]
    reader.detach()
    kinds = {"button", "link", "textbox", "combobox", "spinbutton", "slider", "switch", "tab",
             "image", "table", "progressbar"}  # fmt: skip
    seen = [(n["role"]["value"], n.get("name", {}).get("value")) for n in nodes if not n["ignored"]]
    assert len(seen) > 20
    return [role for role, name in seen if role in kinds and not name]


# The colours of all texts of a chart, and that of texts beside it.
COLOURS = """() => {
  const place = document.querySelector(".lab-chart");
  const { xAxis, yAxis, legend } = getElement(Number(place.id.slice(1))).chart.getOption();
  const texts = [...xAxis, ...yAxis].flatMap((axis) => [axis.axisLabel, axis.nameTextStyle]);
  const beside = getComputedStyle(document.querySelector(".lab-what")).color;
  const pen = document.createElement("canvas").getContext("2d");
  return [beside, ...[...texts, ...legend.map((one) => one.textStyle)].map(({ color }) => {
    pen.fillStyle = color;
    const [r, g, b] = pen.fillStyle.match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
    return `rgb(${r}, ${g}, ${b})`;
  })];
}"""


def test_a_chart_turns_light_and_dark_with_the_page(
    lab: Lab, visit: Visit, show: Callable[[str], Path]
) -> None:
    show("story")
    page = visit(lab, "/en/training?run=story")
    expect(main_thing(page, "en", "training", "text")).to_be_visible()
    seen = set[str]()
    for now, following in (("auto", "light"), ("light", "dark"), ("dark", "auto")):
        beside, *texts = page.evaluate(COLOURS)
        assert len(texts) == 5 and set(texts) == {beside}, now
        seen.add(beside)
        page.get_by_role("button", name=table("en")[f"frame.{now}"], exact=True).click()
        expect(page.get_by_role("button", name=table("en")[f"frame.{following}"])).to_be_visible()
        expect(page.locator("body.body--dark")).to_have_count(int(following == "dark"))
    assert len(seen) == 2
