"""From an empty folder to a text that a model wrote, by clicks alone; and what may go wrong."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from visiting import ENGLISH, Lab, Visit

import elman
from elman.data.built_in.built_in import topics

HERE = Path.cwd()
WORDS = ("the", "cat", "sat", "on", "a", "mat", "and", "saw", "two", "old", "dogs", "run", "by")


# For the pictures of docs/lab.md: ELMAN_PICTURES=docs/lab pytest tests/apps/lab -k clicks
PICTURES = os.environ.get("ELMAN_PICTURES")
MINUTES, UNITS, LENGTH = ("2", "256", 400) if PICTURES else ("0.1", "16", 40)
NAME = "python-help.txt" if PICTURES else "a <b>bold<i> name.txt"


def picture(page: Page, name: str) -> None:
    """Keeps what is seen, where pictures are asked for."""
    if PICTURES:
        page.wait_for_timeout(1000)
        page.screenshot(path=HERE / PICTURES / f"{name}.png")


def drop(page: Page, path: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(path)


def fill(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).fill(value)


def test_a_newcomer_gets_a_text_by_clicks_alone(lab: Lab, visit: Visit, tmp_path: Path) -> None:
    draw = random.Random(0)
    path = tmp_path / NAME
    text = topics().decode() if PICTURES else " ".join(draw.choices(WORDS, k=900))
    path.write_text(text, encoding="utf-8")
    page = visit(lab, "/", height=1100)
    expect(page.get_by_role("heading", name="Start", exact=True)).to_be_visible()
    drop(page, path)
    expect(page.get_by_text("symbols;")).to_be_visible()
    expect(page.get_by_text(f"{NAME}:")).to_be_visible()  # as text, not as bold
    assert not page.locator("b").count()
    fill(page, "Minutes", MINUTES)
    fill(page, "Units in a layer", UNITS)
    picture(page, "start")
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_url("**/en/training?run=*")
    expect(page.get_by_text("Trained to its end")).to_be_visible()
    expect(page.get_by_text("What it makes")).to_be_visible()
    expect(page.get_by_text(re.compile("^To beat: ")).first).to_be_visible()
    picture(page, "training")
    page.get_by_role("link", name="Write with it, ask it").click()
    fill(page, "Tokens to write", str(LENGTH))
    page.get_by_role("button", name="Write", exact=True).click()
    written = page.get_by_label("Text so far")
    expect(written).to_have_value(re.compile(f".{{{LENGTH}}}", re.DOTALL))
    assert len(written.input_value()) == LENGTH
    picture(page, "writing")
    if PICTURES:
        elman.train("text", path, cell="gru", minutes=2, run=lab.runs / "python-help-gru")
        picture_the_rest(page)


def picture_the_rest(page: Page) -> None:
    """The rooms that a newcomer comes to later."""
    page.get_by_role("link", name="Inside", exact=True).click()
    page.get_by_role("img", name=re.compile(" steps, ")).scroll_into_view_if_needed()
    picture(page, "inside")
    page.get_by_role("link", name="Learn", exact=True).click()
    page.get_by_role("tab", name="Vanishing gradients").click()
    page.get_by_role("button", name=re.compile("^Train .* updates")).click()
    expect(page.get_by_text(re.compile("Trained, after"))).to_be_visible()
    picture(page, "learning")
    page.get_by_role("link", name="Compare", exact=True).click()
    page.get_by_label(re.compile("^Runs")).click()
    page.get_by_role("option", name="python-help-gru").click()
    page.keyboard.press("Escape")
    page.get_by_role("img").first.wait_for()
    page.set_viewport_size({"width": 1280, "height": 925})  # without the paths of this machine
    picture(page, "comparing")


def test_a_wrong_file_gives_the_line_of_the_command(lab: Lab, visit: Visit, tmp_path: Path) -> None:
    page = visit(lab, "/en/start")
    path = tmp_path / "<img src=x onerror=alert(1)>.txt"
    path.write_bytes(b"")
    drop(page, path)
    alert = page.get_by_role("alert").filter(has_text="holds no text")
    expect(alert).to_contain_text("<img src=x onerror=alert(1)>.txt")
    assert not page.locator("img[src=x]").count()
    expect(page.get_by_role("button", name="Train", exact=True)).to_have_count(0)


def test_an_option_that_does_not_fit_is_told_before_anything_begins(
    lab: Lab, visit: Visit, text: Path
) -> None:
    page = visit(lab, "/en/start")
    drop(page, text)
    fill(page, "Units in a layer", "many")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("hidden_size = many: needs a whole number")).to_be_visible()
    assert page.url.endswith("/en/start")


def test_in_chinese_every_option_has_its_help_and_what_a_command_prints_is_told_as_that(
    lab: Lab, visit: Visit, text: Path, tmp_path: Path
) -> None:
    page = visit(lab, "/zh/start")
    (tmp_path / "empty.txt").write_text("")
    drop(page, tmp_path / "empty.txt")
    alert = page.get_by_role("alert").filter(has_text="holds no text")
    expect(alert.get_by_text("elman doctor 的输出")).to_be_visible()
    assert page.evaluate(ENGLISH) == []
    drop(page, text)
    page.get_by_text("其他所有选项").click()
    expect(page.get_by_label("clip_norm", exact=True)).to_be_visible()
    expect(page.get_by_text("把梯度缩到这个范数以内；0 表示不缩。")).to_be_visible()
    assert page.evaluate(ENGLISH) == []
    fill(page, "clip_norm", "-1")
    page.get_by_role("button", name="开始训练", exact=True).click()
    expect(page.get_by_text("elman 的报告，原文是英文：--clip-norm -1")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "heading"), [("zh-CN", "开始"), ("zh-TW", "开始"), ("de-DE", "Start")]
)
def test_the_language_is_the_browsers(lab: Lab, visit: Visit, language: str, heading: str) -> None:
    page = visit(lab, "/", language=language)
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.lang")[:2] == (
        "zh" if heading != "Start" else "en"
    )


def test_a_language_that_was_chosen_is_kept(lab: Lab, visit: Visit) -> None:
    page = visit(lab, "/")
    page.get_by_role("link", name="中文").click()
    expect(page.get_by_role("heading", name="开始", exact=True)).to_be_visible()
    page.goto(lab.root)
    expect(page.get_by_role("heading", name="开始", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("room", ["start", "training"])
def test_nothing_stands_beyond_the_edge_of_a_phone(
    lab: Lab, visit: Visit, width: int, room: str
) -> None:
    page = visit(lab, f"/en/{room}", width=width)
    page.get_by_role("heading", level=1).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_the_room_first(lab: Lab, visit: Visit) -> None:
    page = visit(lab, "/en/start")
    page.get_by_role("heading", level=1).wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the room")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "room"


def test_light_and_dark_are_chosen_and_kept(lab: Lab, visit: Visit) -> None:
    page = visit(lab, "/en/start", shade="dark")
    button = page.get_by_role("button", name="Light or dark: as the system")
    expect(page.locator("body.body--dark")).to_have_count(1)
    button.click()
    expect(page.locator("body.body--dark")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("button", name="Light", exact=True)).to_be_visible()
    expect(page.locator("body.body--dark")).to_have_count(0)
