"""Who trains a run is seen by its lock, and asked to stop only where that is safe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from calling import call, snapshot
from jobs import MakeJob
from torch import nn

import elman
from elman.errors import UserError
from elman.run import at_work, checkpoint, prepare
from elman.run.clock import Clock
from elman.run.folder import CHECKPOINT, METRICS
from elman.run.options import parse

SMALL = (
    "--hidden-size", "5", "--batch-size", "4", "--sequence-length", "16", "--sample", "0",
    "--threads", "1",
)  # fmt: skip
ENDLESS = (*SMALL, "--epochs", "100000", "--save-every", "1")
REPLACES = {
    "train": ("text", "text.txt", *SMALL, "--epochs", "1", "--run", "run", "--force"),
    "import": (
        "network.pt", "--task", "text", "--vocabulary", "text.txt", "--run", "run", "--force",
    ),
    "package": ("other", "--to", "run", "--force"),
}  # fmt: skip
# What they make is no run, and never in the place of one.
REFUSES = {
    "export": ("other", "--to", "c", "--output", "run", "--force"),
    "compare": ("text", "text.txt", "--cells", "rnn,gru", "--run", "run"),
    "tune": ("text", "text.txt", "--minutes", "1", "--run", "run"),
    "bench": ("--output", "run"),
}
MAKES = REPLACES | REFUSES
DEEPER = {"train": "text", "compare": "text", "tune": "text", "probe": "gradients"}


@pytest.fixture
def training(text: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`elman train` in a process of its own, since it has begun to train `run`."""
    command = [sys.executable, "-m", "elman", "train", "text", str(text), "--run", "run", *ENDLESS]
    made = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while made.poll() is None and not (tmp_path / "run" / METRICS).exists():
        time.sleep(0.05)
    yield made
    made.kill()
    made.wait()


def test_a_training_is_seen_kept_from_others_and_stopped_with_its_state(
    training: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    assert at_work.worker(run) == at_work.Worker(training.pid, stops=True)
    before = (run / "options.toml").read_bytes()
    with pytest.raises(UserError, match=f"is training already, by process {training.pid}"):
        elman.resume(run)
    ended = call("train", "text", tmp_path / "text.txt", "--run", "run", "--force", *ENDLESS)
    assert ended.code == 2 and len(ended.err.splitlines()) == 1
    assert f"run: is training already, by process {training.pid}" in ended.err
    assert training.poll() is None and (run / "options.toml").read_bytes() == before
    assert at_work.stop(run)
    assert training.wait() == 130
    assert at_work.worker(run) is None and not (run / at_work.PROCESS).exists()
    assert not at_work.stop(run)
    _, at = checkpoint.read(run / CHECKPOINT)
    assert elman.resume(run, epochs=at["epoch"] + 1).path == run


def test_a_run_that_is_begun_while_another_is_prepared_is_not_replaced(
    make_job: MakeJob, text: Path, tmp_path: Path
) -> None:
    run = make_job().folder.path
    before = snapshot(run)
    own, how = parse("text", {"epochs": 1, "run": run, "force": True})
    with contextlib.ExitStack() as begun:

        def begin(line: str) -> None:
            if at_work.worker(run) is None:
                begun.enter_context(at_work.alone(run))

        with pytest.raises(UserError, match="is training already"):
            prepare.new("text", [str(text)], own, how, Clock(None), begin)
    assert snapshot(run) == before


@pytest.mark.parametrize("command", MAKES)
def test_a_run_at_work_is_replaced_by_nothing(
    trained: Path, text: Path, tmp_path: Path, command: str
) -> None:
    for name in ("run", "other"):
        shutil.copytree(trained / "run", tmp_path / name)
    letters = len(set(text.read_text(encoding="utf-8")))
    network = nn.ModuleDict(
        {"embedding": nn.Embedding(letters, 4), "rnn": nn.GRU(4, 5), "fc": nn.Linear(5, letters)}
    )
    torch.save(network.state_dict(), tmp_path / "network.pt")
    asked = (command, *MAKES[command])
    told = "run: is training already" if command in REPLACES else "run: "
    with at_work.alone(tmp_path / "run"):
        before = snapshot(tmp_path)
        ended = call(*asked)
        assert ended.code == 2 and told in ended.err
        assert snapshot(tmp_path) == before
    assert (call(*asked).code == 0) == (command in REPLACES)


def test_whatever_may_replace_is_held_to_that() -> None:
    commands = re.findall(r"^│ (\w+) ", call("--help").out, re.MULTILINE)
    asked = [(name, DEEPER[name]) if name in DEEPER else (name,) for name in commands]
    forced = {words[0] for words in asked if "--force" in call(*words, "--help").out}
    assert forced == {name for name, how in MAKES.items() if "--force" in how}


def test_of_a_process_that_was_killed_nothing_stands_in_the_way(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from elman.run import at_work\n"
        "with at_work.alone(Path(sys.argv[1])): print(flush=True); time.sleep(1000)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        found = at_work.worker(tmp_path)
        process.kill()
    assert found == at_work.Worker(process.pid, stops=True)
    assert (tmp_path / at_work.PROCESS).exists() and at_work.worker(tmp_path) is None
    with at_work.alone(tmp_path):
        pass


def test_a_process_that_has_nothing_to_do_with_the_run_is_never_stopped(tmp_path: Path) -> None:
    path = tmp_path / at_work.PROCESS
    path.parent.mkdir()
    with subprocess.Popen(["sleep", "20"]) as other, path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for told in (other.pid, 1, 0, -other.pid, 2**40, True, str(other.pid), None):
            path.write_text(json.dumps({"process": told, "stops": True}))
            found = at_work.worker(tmp_path)
            assert found is not None and not found.stops
            assert not at_work.stop(tmp_path)
        for damaged in ("", "[", "[" * 100_000, "7", json.dumps({"process": other.pid})):
            path.write_text(damaged)
            assert at_work.worker(tmp_path) == at_work.Worker(0, stops=False)
        assert other.poll() is None
        other.send_signal(signal.SIGTERM)


def test_what_does_not_hear_signals_is_not_asked(tmp_path: Path) -> None:
    seen: list[at_work.Worker | None] = []

    def work() -> None:
        with at_work.alone(tmp_path):
            seen.append(at_work.worker(tmp_path))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] is not None and not seen[0].stops


def test_no_two_are_at_work_on_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "PATIENCE", 0.0)
    inside, most, done = [0], [0], [0]
    until = time.monotonic() + 60

    def work() -> None:
        while done[0] < 100 and time.monotonic() < until:
            try:
                with at_work.alone(tmp_path):
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                    time.sleep(0.0005)
                    inside[0] -= 1
                    done[0] += 1
            except UserError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] and done[0] >= 100
