"""Compare: what stands side by side is what the run folders hold; a shoot-out begins by clicks."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from visiting import Lab, Visit

from elman.apps.lab.words import saying
from elman.comparison import place
from elman.comparison.result import gathered, table
from elman.run.folder import RunFolder
from elman.wording import readable

say = saying("en")


def cells(page: Page, key: str) -> list[list[str]]:
    """A table with its head."""
    found: Locator = page.get_by_role("table", name=say(f"comparing.{key}"))
    expect(found).to_be_visible()
    rows: list[list[str]] = found.evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return rows


@pytest.fixture
def two(lab: Lab, trained: Path, show: Callable[[str], Path]) -> tuple[Path, Path]:
    """Two runs of texts, one of them validated and scored."""
    scored = lab.runs / "scored"
    if not scored.exists():
        shutil.copytree(trained / "run", scored)
    return scored, show("story")


def test_runs_stand_side_by_side(lab: Lab, visit: Visit, two: tuple[Path, Path]) -> None:
    page = visit(lab, f"/en/comparing?run={two[0].name}", height=1800)
    page.get_by_label(say("comparing.runs", most=6), exact=True).click()
    page.get_by_role("option", name=two[1].name, exact=True).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("table", name=say("comparing.options"))).to_be_visible()
    curves_are_the_log(page, two)
    scores_are_those_of_the_runs(page, two)
    options_are_those_that_differ(page, two)


def curves_are_the_log(page: Page, two: tuple[Path, Path]) -> None:
    chart = page.locator(".lab-chart")
    expect(chart.locator("canvas").first).to_be_visible()
    drawn: list[list[Any]] = chart.evaluate(
        "el => getElement(Number(el.id.slice(1))).chart.getOption().series.map(s => s.data)"
    )
    expected = []
    for path in two:
        records = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        for split in ("validation", "train"):
            own = [r for r in records if r["split"] == split and r["loss"] is not None]
            expected.append([pytest.approx([r["step"], r["loss"]], rel=1e-4) for r in own])
    assert drawn == expected and expected[0] and expected[1]


def scores_are_those_of_the_runs(page: Page, two: tuple[Path, Path]) -> None:
    head, first, second = cells(page, "scores")
    verdict = RunFolder(two[0]).verdict()
    assert head[1:-2] == list(verdict.scores)
    rival = f"{verdict.name}: {readable(verdict.baseline[verdict.first])}"
    assert first == [two[0].name, *map(readable, verdict.scores.values()), rival, verdict.told]
    assert second == [two[1].name, *["–"] * (len(head) - 1)]


def options_are_those_that_differ(page: Page, two: tuple[Path, Path]) -> None:
    head, *rows = cells(page, "options")
    assert head[1:] == [path.name for path in two]
    one, other = (tomllib.loads((path / "options.toml").read_text()) for path in two)
    told = {row[0]: row[1:] for row in rows}
    both = {**one["train"], **one["text"]}, {**other["train"], **other["text"]}
    sizes = [", ".join(map(str, options["hidden_size"])) for options in both]
    assert told["hidden_size"] == sizes
    assert told["data"] == [", ".join(options["data"]) for options in (one, other)]
    for name in both[0].keys() & both[1].keys():
        assert (name in told) == (both[0][name] != both[1][name]) or name in ("run", "sample")


def test_a_shoot_out_begins_by_clicks(lab: Lab, visit: Visit, show: Callable[[str], Path]) -> None:
    show("series")
    page = visit(lab, "/en/comparing?run=series", height=1800)
    expect(page.get_by_text(say("comparing.own_data", data="series.csv"))).to_be_visible()
    page.get_by_label(say("comparing.cells"), exact=True).click()
    page.get_by_role("option", name="rnn", exact=True).click()  # not this one
    page.keyboard.press("Escape")
    page.get_by_label(say("comparing.seeds"), exact=True).fill("1")
    page.get_by_label(say("comparing.minutes"), exact=True).fill("0.1")
    page.get_by_role("button", name=say("comparing.begin")).click()
    running = page.get_by_text(say("comparing.running"))
    expect(running).to_be_visible()
    page.get_by_role("button", name=say("comparing.stop"), exact=True).click()
    expect(page.get_by_text(say("comparing.resting"))).to_be_visible()
    page.get_by_role("button", name=say("comparing.go_on"), exact=True).click()
    expect(running).to_be_visible()
    expect(page.get_by_text(say("comparing.resting"))).to_be_visible()
    head, *rows = cells(page, "race")
    (folder,) = (lab.runs / ".lab" / "comparisons").iterdir()
    heads, expected = table(gathered(place.read(folder), 1))
    assert head == list(heads)
    assert rows == [[re.sub(r"\s+", " ", cell).strip() for cell in row] for row in expected]
    assert [row[0] for row in rows] == ["lstm", "gru"]
    assert all(re.search(r"\d\.\d", " ".join(row[1:])) for row in rows)


def test_a_damaged_run_is_told_of_once_in_the_words_of_the_command(
    lab: Lab, visit: Visit, two: tuple[Path, Path]
) -> None:
    damaged = lab.runs / "damaged"
    shutil.copytree(two[1], damaged)
    (damaged / "options.toml").write_text("task =")
    chinese = saying("zh")
    page = visit(lab, "/zh/comparing?run=damaged")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(chinese("frame.refused", line=""))
    expect(alert).to_contain_text("options.toml")
    page.get_by_label(chinese("comparing.runs", most=6), exact=True).click()
    page.get_by_role("option", name=two[1].name, exact=True).click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("table", name=chinese("comparing.scores"))).to_be_visible()
    expect(alert).to_have_count(1)
    assert not page.locator(".q-notification__badge").count()  # how often it came
    shutil.rmtree(damaged)


@pytest.mark.parametrize("width", [360, 1280])
def test_figures_are_as_wide_as_the_room(
    lab: Lab, visit: Visit, two: tuple[Path, Path], width: int
) -> None:
    page = visit(lab, f"/en/comparing?run={two[0].name}", width=width)
    chart = page.locator(".lab-chart canvas").first
    expect(chart).to_be_visible()
    room = page.locator(".lab-room").bounding_box()
    drawn = chart.bounding_box()
    assert room is not None and drawn is not None
    assert drawn["width"] > 0.85 * min(room["width"], width) - 8
    assert page.evaluate("document.documentElement.scrollWidth") <= width
