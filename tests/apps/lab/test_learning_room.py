"""The lessons: what they show is what Elman computes, and what they train are ordinary runs."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from visiting import Lab, Visit

from elman.probe import trace
from elman.run.folder import RunFolder

SENTENCE = "黑白红黄蓝"


def lesson(visit: Visit, lab: Lab, name: str, language: str = "en") -> Page:
    page = visit(lab, f"/{language}/learning")
    page.get_by_role("tab", name=name).click()
    return page


def test_a_step_by_hand_is_a_trace_of_these_numbers(visit: Visit, lab: Lab) -> None:
    page = lesson(visit, lab, "One step by hand")
    for cell in ("rnn", "gru"):
        setup = trace.example(cell)
        if cell == "gru":
            page.get_by_label("Cell", exact=True).click()
            page.get_by_role("option", name="gru", exact=True).click()
        expect(page.get_by_label("Input 1", exact=True)).to_have_value("1")
        page.get_by_label("Input 1", exact=True).fill("0.25")
        setup.inputs[0, 0] = 0.25
        last = trace.run(setup)[-1].values[-1]
        told = ", ".join(f"{number:.4f}" for number in last.numbers)
        expect(page.get_by_role("cell", name=told, exact=True).last).to_be_visible()


def test_a_sentence_is_learnt_by_heart(visit: Visit, lab: Lab) -> None:
    page = lesson(visit, lab, "背一句话", "zh")
    page.get_by_label("句子", exact=True).fill(SENTENCE)
    page.get_by_role("button", name="训练", exact=True).click()
    expect(page.get_by_text(f"{SENTENCE}  ✓")).to_be_visible()
    page.reload()
    page.get_by_role("tab", name="背一句话").click()
    expect(page.get_by_text(f"{SENTENCE}  ✓")).to_be_visible()
    runs = [path for path in lab.runs.iterdir() if path.name.startswith("learn-by-heart")]
    assert RunFolder(runs[0]).metrics()


def test_a_sentence_that_cannot_be_learnt_is_told(visit: Visit, lab: Lab) -> None:
    page = lesson(visit, lab, "A sentence by heart")
    page.get_by_label("Sentence", exact=True).fill("a")
    page.get_by_role("button", name=re.compile("^Train")).click()
    expect(page.get_by_text("needs 3 to 120 symbols")).to_be_visible()


def test_a_smaller_eigenvalue_reaches_less_far(visit: Visit, lab: Lab) -> None:
    page = lesson(visit, lab, "Vanishing gradients")
    told = page.get_by_text(re.compile(r"left after \d+ steps"))
    expect(told).to_be_visible()
    before = told.inner_text()
    slider = page.get_by_role("slider", name=re.compile("eigenvalue")).locator("[tabindex]").first
    for _ in range(6):
        slider.press("ArrowLeft")
    expect(page.get_by_text("recurrent weights: 0.4")).to_be_visible()
    page.get_by_role("button", name="Look at an untrained network").click()
    expect(told).not_to_have_text(before)
    less, more = (int(re.findall(r"\d+", text)[0]) for text in (told.inner_text(), before))
    assert less < more
