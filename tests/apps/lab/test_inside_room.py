"""Inside: every button is pressed, and what comes is what the probes find when they are asked."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from visiting import Lab, Visit

import elman
from elman.apps.lab.pieces.heat_map import LEVELS, limits
from elman.apps.lab.words import saying
from elman.errors import UserError
from elman.inspection.sections import saliency
from elman.inspection.subject import Subject
from elman.inspection.subjects import of_run, of_text
from elman.inspection.traced import trace_in
from elman.probe import contexts, gradients, nearest, trace
from elman.probe.opened import Call, Pass

TASKS = (
    "story",
    "series",
    "pairs",
    *(pytest.param(x, marks=pytest.mark.long) for x in ("tags", "beeps", "tunes")),
)
BACK, PLACES, AROUND = 24, 8, 24  # of the page
say = saying("en")


class Place(NamedTuple):
    """What a visitor looks at: the last layer that is there."""

    subject: Subject
    call: Call
    seen: Pass
    layer: int
    name: str
    sequence: int
    step: int
    unit: int

    @property
    def values(self) -> np.ndarray:
        """[T, B, U]"""
        return np.asarray(self.seen.values(self.name).float().numpy(), np.float32)

    @property
    def own(self) -> np.ndarray:
        """[T, U] of the sequence."""
        return self.values[: int(self.seen.rows.lengths[self.sequence]), self.sequence]

    @property
    def words(self) -> list[list[str]]:
        """What is read at each step."""
        lengths = self.seen.rows.lengths.tolist()
        numbers = [[str(t + 1) for t in range(length)] for length in lengths]
        return self.subject.steps_of(self.call) or numbers

    def says(self) -> str:
        """The heat map in words."""
        own = self.own
        return say(
            "inside.map_says", name=self.name, layer=self.subject.called(self.seen),
            steps=own.shape[0], units=own.shape[1], low=f"{own.min():.2f}",
            high=f"{own.max():.2f}", mean=f"{own.mean():.2f}",
        )  # fmt: skip


def drawn(subject: Subject, draw: random.Random) -> Place:
    """A place in the last layer, among the first sequences, which a list shows at once."""
    layer = len(subject.passes) - 1
    seen = subject.passes[layer]
    lengths = seen.rows.lengths.tolist()
    sequence = draw.randrange(min(len(lengths), 6))
    call = next(call for call in subject.calls if call.path == seen.path)
    step, unit = draw.randrange(min(lengths[sequence], 14)), draw.randrange(seen.hidden_size)
    return Place(subject, call, seen, layer, draw.choice(seen.names), sequence, step, unit)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()
    expect(page.get_by_role("option")).to_have_count(0)


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def refused(page: Page, told: str) -> None:
    """The one line in which a question is refused, read and closed."""
    expect(page.get_by_role("alert").filter(has_text=told)).to_be_visible()
    page.get_by_role("button", name=say("frame.close")).click()
    expect(page.get_by_role("alert")).to_have_count(0)


def places(page: Page, which: int, expected: Sequence[tuple[int, int, str]]) -> None:
    """A list of places is this one: sequence, step, and its number as it is told."""
    shown = page.locator(".lab-places").nth(which).locator(".lab-place")
    expect(shown).to_have_count(len(expected))
    for k, (sequence, step, number) in enumerate(expected):
        at = say("inside.place", sequence=sequence + 1, step=step + 1)
        expect(shown.nth(k).get_by_role("button", name=at, exact=True)).to_be_visible()
        expect(shown.nth(k).locator(".lab-number")).to_have_text(number)


def rows(page: Page, which: int) -> list[list[str]]:
    """A table of equations: name, formula, number in each row."""
    found: list[list[str]] = (
        page.locator(".lab-equations")
        .nth(which)
        .evaluate(
            "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
        )
    )
    return found


def same_numbers(shown: str, numbers: Sequence[float], unit: int) -> None:
    """A cell holds the number of a unit, or the first ones of all."""
    told = [float(text) for text in re.findall(r"-?\d[\d.]*(?:e[+-]\d+)?", shown.split("…")[0])]
    expected = numbers[: len(told)] if len(told) > 1 or len(numbers) == 1 else [numbers[unit]]
    assert len(told) == len(expected) > 0
    for one, other in zip(told, expected, strict=True):
        assert math.isclose(one, other, rel_tol=1e-3, abs_tol=1e-9), (shown, numbers)


@pytest.mark.parametrize("name", TASKS)
def test_it_shows_what_the_probes_find(
    name: str, lab: Lab, visit: Visit, show: Callable[[str], Path]
) -> None:
    place = drawn(of_run(elman.load(show(name))), random.Random(name))
    page = visit(lab, f"/en/inside?{urlencode({'run': name})}", height=2000)
    values_are_seen(page, place)
    alike_are_found(page, place)
    an_answer_is_explained(page, place)
    gradients_are_measured(page, place, exact=name != "story")
    equations_hold_the_numbers(page, place)
    extremes_are_found(page, place)


def values_are_seen(page: Page, at: Place) -> None:
    if at.layer:
        choose(page, "Layer", at.subject.called(at.seen))
    choose(page, "State or gate", at.name)
    choose(page, "Sequence", f"{at.sequence + 1} / {len(at.seen.rows.lengths)}")
    picture = page.locator(".lab-map canvas")
    expect(picture).to_have_attribute("aria-label", at.says())
    picture.focus()
    for key, count in (("ArrowRight", at.step), ("ArrowDown", at.unit)):
        for _ in range(count):
            picture.press(key)
    if not at.step + at.unit:
        picture.press("Home")
    status = page.locator(".lab-map-status")
    expect(status).to_have_text(re.compile(f"^unit {at.unit}, step {at.step + 1} "))
    low, high = limits(at.own)
    shown = float(status.inner_text().rpartition(":")[2])
    assert abs(shown - at.own[at.step, at.unit]) <= (high - low) / LEVELS / 2 + 0.0051
    expect(page.get_by_label("From step", exact=True)).to_have_value(str(at.step + 1))


def alike_are_found(page: Page, at: Place) -> None:
    there = at.seen.rows.alive.numpy()
    press(page, "Find")
    near = nearest.nearest(at.values, at.step, at.sequence, there=there, count=PLACES)
    far = [max(0.0, round(n.distance, 6)) for n in near]
    told = [(n.sequence, n.step, f"distance {d:.3g}") for n, d in zip(near, far, strict=True)]
    places(page, 0, told)
    start, stop = at.step, min(at.step + 2, len(at.own))
    page.get_by_label("To step", exact=True).fill(str(stop))
    if stop - start < 2:
        return
    press(page, "Find")
    level = nearest.half_way(at.values, there)
    chosen = nearest.select(at.values, at.sequence, start, stop, level, there=there)
    if not chosen:
        refused(page, f"no unit is high from step {start + 1} to step {stop}")
        return
    expect(page.get_by_text(f"{len(chosen)} units are high all along")).to_be_visible()
    found = nearest.match(
        at.values, at.sequence, start, stop, level, there=there, count=PLACES
    )  # fmt: skip
    told = [(m.sequence, m.start, f"units alike {m.shared / len(chosen):.3g}") for m in found]
    places(page, 0, told)


def an_answer_is_explained(page: Page, at: Place) -> None:
    by_step = name_of(at) == "text"
    read = at.words[at.sequence][at.step]
    key = "inside.stands" if by_step else "inside.stands_whole"
    told = say(key, sequence=at.sequence + 1, step=at.step + 1, read=read)
    expect(page.get_by_text(told, exact=True)).to_be_visible()
    press(page, "Ask")
    try:
        question, found, shares = saliency.at_step(at.subject, at.sequence, at.step, at.call)
    except UserError as error:
        refused(page, str(error))
        return
    expect(page.get_by_text(say("inside.asked", what=question.what))).to_be_visible()
    assert (f"step {at.step + 1}" in told) == by_step
    steps = page.locator(".lab-step")
    expect(steps).to_have_count(len(shares))
    largest = int(np.argmax(abs(shares)))
    first = page.get_by_text(re.compile("^Most: ")).inner_text().split(", “")[0]
    assert re.search(r"([+-][\d.]+) \((\d+)\)$", first).groups() == (  # type: ignore[union-attr]
        f"{shares[largest]:+.3f}", str(question.first + largest + 1),
    )  # fmt: skip
    expect(page.get_by_text(found.told())).to_be_visible()


def name_of(at: Place) -> str:
    assert at.subject.run is not None
    return at.subject.run.task


def gradients_are_measured(page: Page, at: Place, *, exact: bool) -> None:
    press(page, "Measure")
    told = page.get_by_text(re.compile(r"is left after \d+ steps|Nothing to measure"))
    expect(told).to_be_visible()
    if not exact:  # there is not always time for all places
        return
    flows = gradients.gradients(at.subject.model, at.subject.loss, paths=at.subject.paths)
    lines = []
    for flow in flows:
        shares = flow.share_by_lag().values
        known = shares[np.isfinite(shares)]
        if len(known) > 1:
            lines.append(say(
                "inside.lag_says", layer=at.subject.called(flow.seen), share=f"{known[-1]:.2g}",
                steps=len(known) - 1,
            ))  # fmt: skip
    expect(told).to_have_text("; ".join(lines[:6]) or say("inside.no_lags"))


def equations_hold_the_numbers(page: Page, at: Place) -> None:
    press(page, "Unfold")
    try:
        made = trace_in(at.subject, at.layer, at.sequence)
    except UserError as error:
        refused(page, str(error))
        return
    steps = trace.run(made.setup)
    back = trace.backward(trace.ending(made.setup, BACK))
    first = max(0, len(steps) - BACK)
    behind = {step.number + first: step for step in back.steps}
    for number in range(len(steps), max(0, len(steps) - 2), -1):
        expect(page.get_by_label("Step", exact=True)).to_have_value(str(number))
        read = f"Step {number} of {len(steps)}, unit {at.unit}: {made.labels.get(number, '')}"
        expect(page.get_by_text(read.strip())).to_be_visible()
        forward = [row for row in rows(page, 0) if row[1] != f"= {say('inside.before')}"]
        values = steps[number - 1].values
        assert [row[:2] for row in forward] == [[v.name, f"= {v.formula}"] for v in values]
        for row, value in zip(forward, values, strict=True):
            same_numbers(row[2], value.numbers, at.unit)
        backward = [row for row in rows(page, 1) if row[2]]
        lines = behind[number].lines
        assert [row[0] for row in backward] == [one.line.symbol.text() for one in lines]
        for row, one in zip(backward, lines, strict=True):
            same_numbers(row[2], one.numbers, at.unit)
        page.get_by_role("button", name=say("inside.step_back")).click()


def extremes_are_found(page: Page, at: Place) -> None:
    unit = page.get_by_label("Unit", exact=True).first
    unit.fill(str(at.unit))
    places_so_far = page.locator(".lab-places").count()
    found = []
    for key, lowest in (("Highest", False), ("Lowest", True)):
        press(page, key)
        own = at.values[:, :, at.unit]
        found = contexts.contexts(own, at.words, count=PLACES, before=AROUND, lowest=lowest)
        told = [(p.sequence, p.step, f"{at.name} {p.value:.3g}") for p in found]
        places(page, places_so_far, told)
    there = at._replace(sequence=found[-1].sequence)
    page.locator(".lab-places").nth(places_so_far).get_by_role("button").last.click()
    expect(page.locator(".lab-map canvas")).to_have_attribute("aria-label", there.says())


def test_another_text_is_read(lab: Lab, visit: Visit, show: Callable[[str], Path]) -> None:
    run = elman.load(show("story"))
    page = visit(lab, "/en/inside?run=story")
    text = "the lazy dog jumps over the quick fox"
    page.get_by_label(say("inside.text")).fill(text)
    press(page, say("inside.read_it"))
    for subject in (of_text(run, text), of_run(run, seed=1)):
        expect(page.get_by_text(say("inside.read", what=subject.what))).to_be_visible()
        at = drawn(subject, random.Random(0))._replace(name="h", sequence=0)
        expect(page.locator(".lab-map canvas")).to_have_attribute("aria-label", at.says())
        press(page, say("inside.others"))


# Texts of one picture of a canvas, each with its height, and from where to where it goes.
KEEP = """() => {
  const pen = CanvasRenderingContext2D.prototype, { clearRect, fillText } = pen;
  pen.clearRect = function (...box) { window.drawn = []; clearRect.apply(this, box); };
  pen.fillText = function (text, x, y) {
    const half = this.measureText(text).width / 2;
    if (this.textAlign === "center") window.drawn.push([text, y, x - half, x + half]);
    fillText.call(this, text, x, y);
  };
}"""
DRAWN = "() => new Promise(told => requestAnimationFrame(() => setTimeout(told, 20, window.drawn)))"


def test_letters_below_the_picture_stand_beside_each_other_also_wide_ones(
    lab: Lab, visit: Visit, show: Callable[[str], Path]
) -> None:
    show("story")
    seed = random.randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    page = visit(lab, "/en/inside?run=story")
    picture = page.locator(".lab-map canvas")
    expect(picture).to_have_attribute("aria-label", re.compile("128 steps"))
    page.evaluate(KEEP)
    seen = set[str]()
    for width in (draw.randrange(1250, 1500), draw.randrange(700, 1250), draw.randrange(360, 700)):
        page.set_viewport_size({"width": width, "height": 900})
        picture.press("0")
        for key in ("0", "+", *draw.choices(["+", "End", "Home", "Control+ArrowRight"], k=4)):
            picture.press(key)
            drawn = sorted(page.evaluate(DRAWN), key=lambda one: (one[1], one[2]))
            seen |= {text for text, *_ in drawn}
            for (_, y, _, stop), (_, following, start, _) in itertools.pairwise(drawn):
                assert y != following or stop <= start + 0.01, (width, key, drawn)
    assert "懒" in seen and "q" in seen
