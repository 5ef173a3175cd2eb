"""Trackers hold what the log holds, each step once; what becomes of them is nothing to training."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from calling import call
from jobs import MakeJob, PowerCut, fails_after
from read_back import READERS

from elman.run import api, checkpoint, prepare
from elman.run.clock import Clock
from elman.run.folder import RunFolder
from elman.run.tracking.names import TRACKERS
from elman.run.train import Progress


def usable(name: str) -> bool:
    try:
        importlib.import_module({"mlflow": "mlflow.tracking"}.get(name, name))
    except ImportError:
        return False
    return True


def resumed(run: Path) -> api.Run:
    job = prepare.again(run, None, None, Clock(None), api.silent)
    return api.complete(job, api.silent)


def check_told_once(name: str, run: api.Run) -> None:
    """The tracker holds what the log of a run that has ended holds, in the same order."""
    points = READERS[name](run.path)
    log = RunFolder(run.path).metrics()
    for split in ("train", "validation"):
        held = [(r["step"], r["loss"]) for r in log if r["split"] == split]
        assert [step for step, _ in points[f"{split}/loss"]] == [step for step, _ in held]
        values = [value for _, value in points[f"{split}/loss"]]
        assert values == pytest.approx([loss for _, loss in held], rel=1e-6)  # float32 in one
    for score, value in run.folder.verdict().scores.items():
        ((_, told),) = points[f"final/{score}"]
        assert told == pytest.approx(value, rel=1e-6)


@pytest.mark.filterwarnings("default")  # those packages warn of themselves
@pytest.mark.parametrize("name", TRACKERS)
def test_a_run_without_power_goes_on_in_the_tracker_with_no_step_twice(
    name: str, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not usable(name):
        pytest.skip(f"{name} is not installed; make trackers")
    for variable in ("WANDB_MODE", "WANDB_DIR", "MLFLOW_TRACKING_URI", "TRACKIO_DIR"):
        monkeypatch.delenv(variable, raising=False)
    job = make_job(track=name, save_every=0.0, epochs=3)
    steps_of_an_epoch = len(job.task.epoch(job.dataset, job.options, 4, 1, 0))
    with pytest.raises(PowerCut):
        api.complete(fails_after(job, steps_of_an_epoch + 3), api.silent)
    run = resumed(job.folder.path)

    check_told_once(name, run)


def test_a_killed_training_goes_on_in_the_tracker_with_no_step_twice_and_none_missing(
    text: Path, tmp_path: Path
) -> None:
    """By SIGKILL, once its log holds reports of steps that no checkpoint holds."""
    run = tmp_path / "run"
    options = {
        "track": "tensorboard", "save-every": 1, "epochs": 100_000, "hidden-size": 5,
        "batch-size": 1, "sequence-length": 4, "sample": 0, "threads": 1, "run": run,
    }  # fmt: skip
    flags = [f"--{name}={value}" for name, value in options.items()]
    train = subprocess.Popen(
        [sys.executable, "-m", "elman", "train", "text", str(text), *flags],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    note, log = run / "tracking/tensorboard.json", run / "metrics.jsonl"
    try:
        while not (told(note) and log.stat().st_size > held(run)):
            assert train.poll() is None
            time.sleep(0.02)
    finally:
        train.kill()
        train.wait()
    assert log.stat().st_size > held(run)
    epoch = RunFolder(run).metrics()[-1]["epoch"]
    job = prepare.again(run, epoch + 2, None, Clock(None), api.silent)
    check_told_once("tensorboard", api.complete(job, api.silent))


def told(note: Path) -> int:
    """Bytes of the log that the tracker was told."""
    return int(json.loads(note.read_text())["told"]) if note.exists() else 0


def held(run: Path) -> int:
    """Bytes of the log that the checkpoint holds."""
    _, header = checkpoint.read(run / "checkpoint/state.safetensors")
    return int(header["metrics_bytes"])


def test_a_tracker_that_is_killed_is_told_of_once_and_training_ends(make_job: MakeJob) -> None:
    job = make_job(track="tensorboard")
    said: list[str] = []

    def kill(event: Progress) -> None:
        command = ["pgrep", "-f", f"telling tensorboard {job.folder.path}$"]
        for process in subprocess.run(command, capture_output=True, check=False).stdout.split():
            os.kill(int(process), signal.SIGKILL)

    api.complete(job, kill, said.append)
    assert len([line for line in said if "--track tensorboard" in line]) == 1
    assert job.folder.scores()["scores"]


def test_a_tracker_that_cannot_write_says_why(make_job: MakeJob) -> None:
    job = make_job(track="tensorboard")
    (job.folder.path / "tensorboard").write_text("a file where a folder would stand")
    said: list[str] = []
    api.complete(job, api.silent, said.append)
    (line,) = [line for line in said if "--track" in line]
    assert "training goes on" in line and "tensorboard" in line and "\n" not in line


@pytest.mark.parametrize(
    ("given", "told"),
    [("tensorbord", 'did you mean "tensorboard"?'), ("wandb,wandb", "twice"), ("", "known:")],
)
def test_trackers_that_there_are_none_of_are_refused(given: str, told: str, text: Path) -> None:
    ended = call("train", "text", text, f"--track={given}", "--run", "here")
    assert (ended.code, Path("here").exists()) == (2, False)
    assert told in ended.err and len(ended.err.splitlines()) == 1


def test_a_missing_package_is_a_line_with_the_command(text: Path, make_job: MakeJob) -> None:
    Path("trackio").mkdir()  # what stands where the user does is no package
    absent = [name for name in TRACKERS if importlib.util.find_spec(name) is None]
    if not absent:
        pytest.skip("all of them are installed")
    ended = call("train", "text", text, "--track", absent[-1], "--run", "here")
    assert (ended.code, Path("here").exists()) == (2, False)
    assert f"pip install 'elman[{absent[-1]}]'" in ended.err
    run = make_job().folder.path
    ended = call("resume", run, "--track", absent[-1])
    assert ended.code == 2 and "pip install" in ended.err


def test_resume_changes_trackers(make_job: MakeJob) -> None:
    run: Any = make_job(track="tensorboard").folder.path
    ended = call("resume", run, "--track", "none")
    assert ended.code == 0, ended.err
    assert not (run / "tensorboard").exists()
    assert RunFolder(run).options()["train"].get("track", []) == []
