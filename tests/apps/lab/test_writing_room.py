"""Write and ask: what the page makes of a model is what its run makes, asked directly."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Locator, Page, expect
from small_runs import Runs
from visiting import CHROMIUM, Lab, Visit

import elman
from elman.apps.lab.rooms.writing import answers
from elman.apps.lab.rooms.writing import tune as tunes
from elman.apps.lab.rooms.writing.tune import Tune
from elman.apps.lab.words import saying
from elman.decode import Sampling
from elman.tasks.task import Cursor

LENGTH, TEMPERATURE = 24, 0.8
say = saying("en")
Show = Callable[[str], Path]


def opened(visit: Visit, lab: Lab, name: str) -> Page:
    return visit(lab, f"/en/writing?{urlencode({'run': name})}", height=2200)


def fill(page: Page, key: str, value: object) -> None:
    page.get_by_label(say(f"writing.{key}"), exact=True).fill(str(value))


def press(page: Page, key: str, which: int = 0) -> None:
    page.get_by_role("button", name=say(f"writing.{key}"), exact=True).nth(which).click()


def slide(page: Page, key: str, value: float) -> None:
    """Moves a slider of steps of 0.05 by its keys."""
    name = say(f"writing.{key}")
    slider = page.get_by_role("slider", name=name, exact=True)
    shown = slider.locator("xpath=..").get_by_text(re.compile(r"^[\d.]+$")).first
    while (now := round(float(shown.inner_text()), 2)) != value:
        key = "ArrowRight" if now < value else "ArrowLeft"
        by_ten = "Control+" if abs(now - value) >= 0.5 else ""
        slider.locator("[tabindex]").first.press(by_ten + key)
        with contextlib.suppress(AssertionError):  # a key may come while the page is made anew
            expect(shown).not_to_have_text(f"{now:g}", timeout=3000)


def text_so_far(page: Page) -> Locator:
    return page.get_by_label(say("writing.text_label"), exact=True)


def series(chart: Locator) -> list[list[Any]]:
    """The numbers that a chart draws."""
    expect(chart.locator("canvas").first).to_be_visible()
    found: list[list[Any]] = chart.evaluate(
        "el => getElement(Number(el.id.slice(1))).chart.getOption().series.map(s => s.data)"
    )
    return found


# ---- Text


def test_the_sliders_are_those_of_generate(lab: Lab, visit: Visit, show: Show) -> None:
    run = elman.load(show("story"))
    page = opened(visit, lab, "story")
    fill(page, "length", LENGTH)
    fill(page, "seed", 5)
    written = set()
    for temperature, top_p in ((0.8, 1.0), (0.3, 1.0), (0.3, 0.5), (1.3, 0.5)):
        slide(page, "temperature", temperature)
        slide(page, "top_p", top_p)
        fill(page, "prompt", "the ")
        press(page, "anew")
        press(page, "write")
        text = run.generate("the ", LENGTH, temperature=temperature, top_p=top_p, seed=5)
        expect(text_so_far(page)).to_have_value(text)
        written.add(text)
    assert len(written) == 4


def continued(run: elman.Run, place: Cursor, length: int, seed: int) -> tuple[str, Cursor]:
    text, how = "", Sampling(temperature=TEMPERATURE, seed=seed)
    for piece, stands in run.stream(place, length, how):
        text, place = text + piece, stands
    return text, place


def write(page: Page, length: int, seed: int, prompt: str = "") -> None:
    fill(page, "length", length)
    fill(page, "seed", seed)
    fill(page, "prompt", prompt)
    press(page, "write")


def keep(page: Page, name: str) -> None:
    fill(page, "state_name", name)
    press(page, "keep")
    expect(kept(page, name)).to_be_visible()


def kept(page: Page, name: str) -> Locator:
    return page.locator(".lab-runs li").filter(has=page.get_by_text(name, exact=True))


def go_on(page: Page, name: str) -> None:
    kept(page, name).get_by_role("button", name=say("writing.go_on"), exact=True).click()


def point(page: Page, at: int) -> None:
    """Moves the caret into the text."""
    text_so_far(page).evaluate(
        "(field, at) => { field.setSelectionRange(at, at);"
        " field.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true})); }", at,
    )  # fmt: skip
    expect(page.get_by_text(f"go back to after {at} characters")).to_be_visible()


def blend(page: Page, first: str, second: str, share: float) -> None:
    for key, name in (("first_state", first), ("second_state", second)):
        page.get_by_label(say(f"writing.{key}"), exact=True).click()
        page.get_by_role("option", name=name, exact=True).click()
        expect(page.get_by_role("option")).to_have_count(0)
    slide(page, "share", share)
    press(page, "blend")


def test_a_state_is_a_thing(lab: Lab, visit: Visit, show: Show, tmp_path: Path) -> None:
    run = elman.load(show("story"))
    first, stands = continued(run, run.read("the quick "), LENGTH, 7)
    first = "the quick " + first
    on, _ = continued(run, stands, LENGTH, 3)
    other, _ = continued(run, run.read("dog. "), LENGTH, 3)
    assert on != other
    page = opened(visit, lab, "story")
    text = text_so_far(page)
    write(page, LENGTH, 7, "the quick ")
    expect(text).to_have_value(first)
    keep(page, "one")
    # Gone back to any character, it writes the same again with the same seed.
    for at in (len(first) - 1, 17, 11):
        point(page, at)
        write(page, len(first) - at, 7)
        expect(text).to_have_value(first)
    # Branches go on as their parent would have, as often as wanted.
    for _ in range(2):
        go_on(page, "one")
        expect(text).to_have_value(first)
        write(page, LENGTH, 3)
        expect(text).to_have_value(first + on)
    # Where one points to while it writes, it goes back to once it has written.
    write(page, 5000, 3)
    point(page, 11)
    press(page, "anew")
    expect(text).to_have_value("")
    write(page, LENGTH, 3, "dog. ")
    expect(text).to_have_value("dog. " + other)
    point(page, 5)
    keep(page, "two")
    # A blend is one of the two at its ends.
    for share, whole in ((0, first + on), (1, "dog. " + other)):
        blend(page, "one", "two", share)
        expect(text).to_have_value(whole[:-LENGTH])
        write(page, LENGTH, 3)
        expect(text).to_have_value(whole)
    # As a file it is what `elman generate --state` takes, and the page takes it again.
    with page.expect_download() as download:
        kept(page, "one").get_by_role("button", name=say("writing.to_file"), exact=True).click()
    download.value.save_as(tmp_path / "taken.state")
    assert continued(run, run.load_state(tmp_path / "taken.state"), LENGTH, 3)[0] == on
    page.locator("input[type=file]").set_input_files(tmp_path / "taken.state")
    expect(kept(page, "taken")).to_be_visible()
    for name in ("one", "two"):
        kept(page, name).get_by_role("button", name=say("writing.forget"), exact=True).click()
        expect(kept(page, name)).to_have_count(0)
    go_on(page, "taken")
    write(page, LENGTH, 3)
    expect(text).to_have_value(on)


# ---- Rows, sentences, series, recordings


def predicted(run: elman.Run, path: Path) -> str:
    out = io.StringIO()
    run.predict(str(path), out=out)
    return out.getvalue()


def shown(table: Locator) -> list[list[str]]:
    """A table with its head."""
    expect(table).to_be_visible()
    found: list[list[str]] = table.locator("table").evaluate(
        "table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText.trim()))"
    )
    return found


def test_a_row_and_a_file_are_classified(
    lab: Lab, visit: Visit, show: Show, tmp_path: Path
) -> None:
    run = elman.load(show("reviews"))
    path = tmp_path / "asked.csv"
    path.write_text('text\nso fine 3\n"a <b>dull</b> film"\n')
    told = predicted(run, path)
    rows = list(csv.reader(io.StringIO(told)))
    page = opened(visit, lab, "reviews")
    field = page.get_by_label("text", exact=True)
    expect(field).to_have_value(re.compile(".+"))  # a row of its own data
    for _, *answer in rows[1:]:
        field.fill(rows[1 + [r[1:] for r in rows[1:]].index(answer)][0])
        press(page, "ask")
        sure = f"{100 * float(answer[1]):.1f} % sure"
        expect(page.get_by_text(answer[0], exact=True)).to_be_visible()
        expect(page.get_by_text(sure)).to_be_visible()
    page.locator("input[type=file]").set_input_files(path)
    table = page.locator(f"[aria-label='{say('writing.answers')}']")
    assert shown(table) == rows
    with page.expect_download() as download:
        press(page, "download")
    assert download.value.path().read_text() == told


def test_a_sentence_is_tagged(lab: Lab, visit: Visit, show: Show, tmp_path: Path) -> None:
    run = elman.load(show("tags"))
    path = tmp_path / "asked.jsonl"
    tokens = ["a", "cat", "ran", "home"]
    path.write_text(json.dumps({"tokens": tokens}) + "\n")
    labels = json.loads(predicted(run, path))["predicted"]
    page = opened(visit, lab, "tags")
    field = page.get_by_label(say("writing.sentence"), exact=True)
    field.fill(" ".join(tokens))
    press(page, "ask")
    words = page.get_by_role("group", name=say("writing.tags"))
    expect(words).to_be_visible()
    told = "\n".join(f"{token}\n{label}" for token, label in zip(tokens, labels, strict=True))
    assert words.inner_text() == told


def test_a_pair_is_shown_with_its_attention(lab: Lab, visit: Visit, show: Show) -> None:
    untaught = elman.load(show("pairs"))  # answers nothing
    run = elman.train(
        "translate", *untaught.trained.data, run=lab.runs / "turned", epochs=12, hidden_size=16,
        sample=0, seed=1, threads=1, validation=0.0,
    )  # fmt: skip
    for model, beam in ((untaught, 1), (run, 1), (run, 4)):
        page = opened(visit, lab, model.path.name)
        fill(page, "beam", beam)
        page.get_by_label(say("writing.sentence"), exact=True).fill("two five")
        press(page, "ask")
        found = answers.translated(model, "two five", beam)
        expect(page.get_by_text("log probability")).to_have_count(len(found.texts))
        for text, score in found.texts:
            told = say("writing.score", score=f"{score:.2f}")
            expect(page.get_by_text(told).first).to_be_visible()
            expect(page.get_by_text(text or "∅", exact=True).first).to_be_visible()
        assert found.looked is not None
        chart = page.get_by_role("img", name=say("writing.attention"))
        if model is untaught:
            assert not found.looked.target
            expect(chart).to_have_count(0)
            continue
        cells = series(chart)[0]
        shares = {(t, s): share for s, t, share in cells}
        assert len(shares) == found.looked.shares.size > 0
        for (t, s), share in shares.items():
            assert share == pytest.approx(float(found.looked.shares[t, s]), abs=1e-4)


def test_a_series_goes_on_within_its_bands(
    lab: Lab, visit: Visit, show: Show, tmp_path: Path
) -> None:
    run = elman.load(show("series"))
    page = opened(visit, lab, "series")
    field = page.get_by_label(say("writing.rows_label"), exact=True)
    expect(field).to_have_value(re.compile("year,level"))
    path = tmp_path / "asked.csv"
    path.write_text(field.input_value())
    rows = list(csv.DictReader(io.StringIO(predicted(run, path))))
    press(page, "ask")
    chart = page.get_by_role("img", name=re.compile("steps ahead"))
    expect(chart).to_be_visible()
    drawn = series(chart)
    past = [float(row["level"]) for row in csv.DictReader(io.StringIO(field.input_value()))]
    assert drawn[0] == pytest.approx(past, abs=1e-6)
    assert drawn[-1][len(past) :] == pytest.approx([float(r["forecast"]) for r in rows], abs=1e-5)
    names = sorted((n for n in rows[0] if re.fullmatch(r"q[\d.]+", n)), key=lambda n: float(n[1:]))
    assert len(names) >= 2
    for k, (low, high) in enumerate(zip(names, reversed(names), strict=True)):
        if k == len(names) // 2:
            break
        lower, wide = drawn[1 + 2 * k][len(past) :], drawn[2 + 2 * k][len(past) :]
        assert lower == pytest.approx([float(r[low]) for r in rows], abs=1e-5)
        wider = [float(r[high]) - float(r[low]) for r in rows]
        assert wide == pytest.approx(wider, abs=1e-5)


def test_values_of_a_sequence_are_told(lab: Lab, visit: Visit, show: Show, tmp_path: Path) -> None:
    run = elman.load(show("swings"))
    page = opened(visit, lab, "swings")
    field = page.get_by_label(say("writing.rows_label"), exact=True)
    expect(field).to_have_value(re.compile("push"))
    path = tmp_path / "asked.csv"
    path.write_text(field.input_value())
    rows = list(csv.DictReader(io.StringIO(predicted(run, path))))
    press(page, "ask")
    chart = page.get_by_role("img", name=re.compile(f"over {len(rows)} steps"))
    expect(chart).to_be_visible()
    true, told = series(chart)
    name = next(name for name in rows[0] if name.startswith("predicted"))
    assert told == pytest.approx([float(row[name]) for row in rows], abs=1e-5)
    assert true == pytest.approx([float(row["angle"]) for row in rows], abs=1e-5)


def test_a_recording_is_heard(lab: Lab, visit: Visit, show: Show, runs: Runs) -> None:
    run = elman.load(show("beeps"))
    page = opened(visit, lab, "beeps")
    for path in sorted(Path(run.trained.data[0]).glob("*/3.wav")):
        page.locator("input[type=file]").set_input_files(path)
        found = run.transcribe(path)
        expect(page.get_by_text(found.text, exact=True)).to_be_visible()
        sure = say("writing.sure", percent=f"{100 * found.confidence:.1f}")
        expect(page.get_by_text(sure, exact=True)).to_be_visible()


KEEP_SENT = """() => {
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (body) {
    if (body instanceof FormData) window.sent = [...body.values()][0];
    send.call(this, body);
  };
}"""
SENT = """() => new Promise((told) => {
  const reader = new FileReader();
  reader.onload = () => told(reader.result.split(",")[1]);
  reader.readAsDataURL(window.sent);
})"""


def test_what_is_said_into_the_microphone_is_heard(
    lab: Lab, browser: Browser, visit: Visit, show: Show, tmp_path: Path
) -> None:
    """A browser that takes a file for its microphone; twice, and in one that has none."""
    run = elman.load(show("beeps"))
    hz = random.uniform(200, 2000)
    print("hz", hz)
    spoken = tmp_path / "tone.wav"
    soundfile.write(spoken, 0.3 * np.sin(2 * np.pi * hz * np.arange(48_000) / 48_000), 48_000)
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    flags = ["--no-sandbox", *fake, f"--use-file-for-fake-audio-capture={spoken}"]
    kind = browser.browser_type
    with contextlib.closing(kind.launch(executable_path=CHROMIUM, args=flags)) as speaking:
        there = Visit(speaking)
        page = opened(there, lab, "beeps")
        page.evaluate(KEEP_SENT)
        stop = page.get_by_role("button", name=say("writing.stop_recording"))
        expect(stop).to_be_disabled()
        for _ in range(2):
            page.get_by_role("button", name=say("writing.record")).click()
            expect(page.get_by_text(say("writing.recording_now", seconds=60))).to_be_visible()
            page.wait_for_timeout(500)
            stop.click()
            # In the list of files, and above what was heard.
            expect(page.get_by_text("microphone.wav").first).to_be_visible()
        heard = tmp_path / "heard.wav"
        heard.write_bytes(base64.b64decode(page.evaluate(SENT)))
        wave, rate = soundfile.read(heard)
        assert wave.ndim == 1 and len(wave) > rate / 4
        spectrum = np.abs(np.fft.rfft(wave))
        told = np.argmax(spectrum) * rate / len(wave)
        assert told == pytest.approx(hz, abs=3 * rate / len(wave))
        expect(page.get_by_text(run.transcribe(heard).text, exact=True)).to_be_visible()
        assert not there.errors
    page = opened(visit, lab, "beeps")
    page.get_by_role("button", name=say("writing.record")).click()
    expect(page.get_by_role("alert")).to_contain_text("NotFoundError")
    expect(page.get_by_role("button", name=say("writing.record"))).to_be_enabled()


# ---- Music


def test_a_piece_is_composed_gone_back_in_and_branched(lab: Lab, visit: Visit, show: Show) -> None:
    run = elman.load(show("tunes"))
    asked = {"bars": 2, "temperature": 0.9, "top_p": 1.0, "keep": "", "seed": 4}
    whole = Tune(run)
    list(whole.written(asked))
    page = opened(visit, lab, "tunes")
    roll = page.get_by_role("img", name=re.compile("notes, .* seconds"))

    def stands(tune: Tune) -> None:
        piece = tune.piece()
        notes = tunes.sounding(piece)
        told = f"{piece.count} notes, "
        expect(roll).to_have_attribute(
            "aria-label", re.compile(f"^{told}.*; {tune.lines} steps to go back by$")
        )
        drawn = [number for note in sorted(n for voice in series(roll) for n in voice)
                 for number in note]  # fmt: skip
        expected = sorted([n.start, n.stop, n.pitch] for n in notes)
        assert drawn == pytest.approx([number for note in expected for number in note])

    fill(page, "bars", 2)
    fill(page, "seed", 4)
    press(page, "compose")
    stands(whole)
    page.get_by_role("button", name=say("writing.midi")).click(trial=True)  # may be taken along
    fill(page, "state_name", "whole")
    press(page, "keep")
    expect(kept(page, "whole")).to_be_visible()
    fill(page, "back_by", 5)
    press(page, "back")
    shorter = whole.copy()
    shorter.back(5)
    stands(shorter)
    go_on(page, "whole")
    stands(whole)
    press(page, "compose")
    further = whole.copy()
    list(further.written(asked))
    stands(further)
