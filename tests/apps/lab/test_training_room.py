"""A training goes on whatever becomes of the page; the page finds it again and steers it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect
from visiting import Lab, Visit, start

from elman.apps.lab.trainings import Trainings
from elman.apps.lab.workspace import Workspace

TOKEN = "a-token-that-stays"
SMALL = {
    "hidden_size": "8", "num_layers": "1", "batch_size": "4", "sequence_length": "16",
    "threads": "1", "save_every": "1", "sample": "20", "minutes": "60",
}  # fmt: skip
Begin = Callable[..., str]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Lab]:
    """A lab that the test may stop."""
    lab = start(tmp_path / "runs", "--port", "0", token=TOKEN)
    yield lab
    lab.stop()


@pytest.fixture
def begin(own: Lab, text: Path) -> Iterator[Begin]:
    """Begins a long training of a small network, as the page does; it ends with the test."""
    trainings = Trainings(Workspace(own.runs))
    names: list[str] = []

    def begun(data: Path = text) -> str:
        names.append(trainings.train("text", [str(data)], SMALL, "story"))
        return names[-1]

    yield begun
    for name in names:
        if trainings.is_running(name):
            os.kill(int((own.runs / ".lab/trainings" / name / "pid").read_text()), signal.SIGKILL)
        while trainings.is_running(name):
            time.sleep(0.1)
    trainings.is_running("")  # lets go of processes that have ended


def state(page: Page, words: str) -> None:
    """Waits until the page says where the run stands."""
    expect(page.locator(".lab-state", has_text=words)).to_be_visible()


def steps(lab: Lab, name: str) -> int:
    log = lab.runs / name / "metrics.jsonl"
    return int(json.loads(log.read_text().splitlines()[-1])["step"]) if log.exists() else 0


def grows(lab: Lab, name: str) -> None:
    """Waits until the run has come further."""
    before = steps(lab, name)
    while steps(lab, name) <= before:
        time.sleep(0.2)


def test_it_survives_tabs_reloads_and_the_end_of_the_server(
    own: Lab, visit: Visit, begin: Begin
) -> None:
    name = begin()
    page = visit(own, f"/en/training?run={name}")
    other = visit(own, f"/zh/training?run={name}", same=True)
    state(page, "Training")
    state(other, "正在训练")
    page.reload()
    state(page, "Training")
    page.close()
    other.close()
    grows(own, name)
    port = own.root.rpartition(":")[2]
    own.stop(signal.SIGKILL)
    grows(own, name)
    own.process = start(own.runs, "--port", port, token=TOKEN).process
    page = visit(own, f"/en/training?run={name}", same=True)
    state(page, "Training")
    loss = page.get_by_role("img", name=re.compile("Loss over time: [0-9.]+ nats in training"))
    expect(loss).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    state(page, "Not training")
    kept = steps(own, name)
    page.get_by_role("button", name="Go on", exact=True).click()
    state(page, "Training")
    while steps(own, name) <= kept:
        time.sleep(0.2)


def test_a_training_of_a_terminal_is_followed_and_goes_on_here_with_another_rate(
    own: Lab, visit: Visit, begin: Begin, text: Path
) -> None:
    run, flags = own.runs / "story", [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items()]
    command = [sys.executable, "-m", "elman", "train", "text", str(text), "--run", str(run), *flags]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        grows(own, run.name)
        page = visit(own, f"/en/training?run={run.name}")
        state(page, "Training")
        expect(
            page.get_by_text(f"Another program trains it, process {process.pid}")
        ).to_be_visible()
        expect(page.get_by_role("button", name="Stop")).to_be_enabled()
        expect(page.get_by_role("button", name="Go on", exact=True)).to_be_disabled()
        page.get_by_role("spinbutton", name="Learning rate").fill("0.00123")
        page.get_by_role("button", name="Go on with this rate").click()
        assert process.wait() == 130
    while "0.00123" not in (run / "options.toml").read_text():
        time.sleep(0.2)
    grows(own, run.name)
    state(page, "Training")
    expect(page.get_by_text("Another program trains it")).to_be_hidden()
    Trainings(Workspace(own.runs)).stop(run.name)
    state(page, "Not training")


def test_what_ended_a_training_is_told(own: Lab, visit: Visit, begin: Begin) -> None:
    name = begin(Path("/nowhere.txt"))
    page = visit(own, f"/en/training?run={name}")
    expect(page.get_by_role("alert").filter(has_text='no file "/nowhere.txt"')).to_be_visible()
    state(page, "Not training")


def test_a_hostile_run_puts_no_markup_into_the_page(own: Lab, visit: Visit) -> None:
    evil = "<img src=x onerror=alert(1)>"
    folder = own.runs / evil
    folder.mkdir(parents=True)
    (folder / "options.toml").write_text(f"task = '{evil}'\ndata = []\n[train]\n")
    (folder / "preprocessing.json").write_text("[]")
    (folder / "rivals.json").write_text(json.dumps([{"name": evil, "scores": {evil: 1.5}}]))
    record = {
        "split": "validation", "step": 1, "epoch": 0, "loss": 1.5, "learning_rate": 0.1,
        "gradient_norm": 1.0, "sample": f"{evil}<script>alert(2)</script>", "scores": {evil: 1.0},
        "seconds": 1e308, "share": "x", "inside": [evil],
    }  # fmt: skip
    (folder / "metrics.jsonl").write_text(json.dumps(record) + "\n" + "[" * 100_000 + "\n")
    (folder / "scores.json").write_text(json.dumps({"seconds": evil}))
    page = visit(own, f"/en/training?{urlencode({'run': evil})}")
    page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    expect(page.get_by_text(f"{evil}<script>alert(2)</script>")).to_be_visible()
    expect(page.get_by_text(f"To beat: {evil}")).to_be_visible()
    chart = page.locator(".lab-chart").nth(1)
    chart.hover()
    for room in ("start", "writing", "inside", "comparing", "learning"):
        page.goto(f"{own.root}/en/{room}?{urlencode({'run': evil})}")
        page.get_by_role("heading", level=1).wait_for()
        assert not page.locator("img[src=x]").count()
