"""The lessons: what they show is what Elman computes, and what they train are ordinary runs."""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, expect
from sklearn.datasets import load_digits
from small_runs import Runs
from visiting import Lab, Visit

import elman
from elman.apps.lab.rooms.writing.answers import translated
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
        assert setup.targets is not None and setup.output is not None
        page.get_by_label("Input 2", exact=True).fill("-1.5")
        setup.inputs[1, 0] = setup.targets[0, 0] = -1.5  # the first step has to tell the second
        for numbers in numbers_of(setup):
            expect(page.get_by_role("cell", name=numbers, exact=True).first).to_be_visible()
    page.get_by_text("Weights", exact=True).click()
    page.get_by_label("y ← 2", exact=True).fill("0.7")
    assert setup.output is not None
    setup.output.weight[0, 1] = 0.7
    shown = page.locator("table.lab-equations .lab-number")
    expect(shown).to_have_text(numbers_of(setup))  # once the new weight is in them


def numbers_of(setup: trace.Setup) -> list[str]:
    """What the page has to show, from the first step forward to the first step backward."""
    forward = [value.numbers for step in trace.run(setup) for value in step.values]
    back = [line.numbers for step in trace.backward(setup).steps for line in step.lines]
    return [", ".join(f"{number:.4f}" for number in numbers) for numbers in forward + back]


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


def test_digits_are_taken_for_what_the_trained_run_says_row_by_row(
    visit: Visit, lab: Lab, tmp_path: Path
) -> None:
    page = lesson(visit, lab, "Digits by rows")
    page.get_by_role("button", name="Train", exact=True).locator("visible=true").click()
    expect(page.get_by_text("It has learnt.").locator("visible=true")).to_be_visible()
    which = random.Random().randrange(1797)
    page.get_by_label("Picture", exact=True).fill(str(which))
    images, labels = load_digits().images / 16, load_digits().target
    told = page.get_by_text(re.compile(f"^A {labels[which]}, taken in the end for"))
    expect(told).to_be_visible()
    model = elman.load(lab.runs / "learn-digits")
    begun = [images[which][: row + 1] for row in range(8)]
    for row, guess in enumerate(classes(model, begun, tmp_path)):
        expect(page.get_by_text(f"{row + 1} rows read: {guess},")).to_be_visible()
    # It has learnt something: by guessing, one picture in ten would be right.
    guessed = classes(model, list(images[:300]), tmp_path)
    assert sum(int(one) == label for one, label in zip(guessed, labels[:300], strict=True)) > 200


def classes(model: elman.Run, pictures: list[NDArray[np.float64]], folder: Path) -> list[str]:
    """What `elman predict` says of pictures, row by row."""
    path, out = folder / "pictures.jsonl", io.StringIO()
    rows = [json.dumps({"sequence": picture.tolist()}) + "\n" for picture in pictures]
    path.write_text("".join(rows), encoding="utf-8")
    model.predict(path, out=out)
    return [json.loads(line)["predicted"] for line in out.getvalue().splitlines()]


def test_what_the_encoder_lesson_answers_is_what_its_run_translates(
    visit: Visit, lab: Lab, runs: Runs
) -> None:
    shutil.copytree(runs["pairs"], lab.runs / "learn-translate")
    page = lesson(visit, lab, "Encoder and decoder")
    expect(page.get_by_text("It has learnt.").locator("visible=true")).to_be_visible()
    field = page.get_by_label("A sentence", exact=True).locator("visible=true")
    expect(field).not_to_have_value("")  # something to begin with
    field.fill("two five")
    page.get_by_role("button", name="Ask", exact=True).locator("visible=true").click()
    found = translated(elman.load(runs["pairs"]), "two five", 4)
    for text, score in found.texts:
        expect(page.get_by_text(f"{score:.2f}").first).to_be_visible()
        expect(page.get_by_text(text or "∅", exact=True).first).to_be_visible()
    assert found.looked is not None
    assert found.looked.shares.shape == (len(found.looked.target), len(found.looked.source))
    assert np.allclose(found.looked.shares.sum(axis=1), 1, atol=1e-5)
    assert (found.looked.shares >= 0).all()


@contextmanager
def answering_late(lab: Lab) -> Iterator[None]:
    """The lab's process sleeps again and again, as on a busy machine."""
    done = threading.Event()

    def nap() -> None:
        while not done.is_set():
            lab.process.send_signal(signal.SIGSTOP)
            done.wait(random.uniform(0.05, 0.3))
            lab.process.send_signal(signal.SIGCONT)
            done.wait(random.uniform(0.01, 0.1))

    napping = threading.Thread(target=nap)
    napping.start()
    try:
        yield
    finally:
        done.set()
        napping.join()


def test_a_smaller_eigenvalue_reaches_less_far(visit: Visit, lab: Lab) -> None:
    page = lesson(visit, lab, "Vanishing gradients")
    told = page.get_by_text(re.compile(r"left after \d+ steps"))
    expect(told).to_be_visible()
    before = told.inner_text()
    slider = page.get_by_role("slider", name=re.compile("eigenvalue")).locator("[tabindex]").first
    presses = ["ArrowLeft", "ArrowRight"] * 15 + ["ArrowLeft"] * 6
    with answering_late(lab):
        for key in presses:
            slider.press(key)
            page.wait_for_timeout(random.uniform(0, 100))
    expect(page.get_by_text("recurrent weights: 0.4")).to_be_visible()
    page.get_by_role("button", name="Look at an untrained network").click()
    expect(told).not_to_have_text(before)
    less, more = (int(re.findall(r"\d+", text)[0]) for text in (told.inner_text(), before))
    assert less < more
