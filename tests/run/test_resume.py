"""A run that is cut off at any instant and resumed ends as if it had never been cut off."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jobs import MakeJob, final, finish
from numpy.typing import NDArray
from torch import Tensor

import elman
from elman.data.batching import Tokens
from elman.errors import UserError
from elman.run import prepare
from elman.run.api import complete
from elman.run.clock import Clock
from elman.run.folder import RunFolder
from elman.run.job import Job

# With these every piece of the state matters: masks of all kinds, momentum, Adam's step count, the
# hidden state carried from window to window, the plateau's factor, the order of windows.
CARRIED: dict[str, Any] = {
    "cell": ["lstm", "gru"], "hidden_size": [6, 5], "dropout": 0.3, "input_dropout": 0.1,
    "locked_dropout": True, "recurrent_dropout": 0.2, "zoneout": 0.1, "weight_drop": 0.2,
    "initial_state": "learned", "optimizer": "adam", "learning_rate": 0.02, "schedule": "plateau",
    "warmup": 0.2, "l1": 1e-5, "l2": 1e-4, "clip_value": 0.5, "epochs": 3, "batch_size": 8,
    "sequence_length": 12, "sample": 30, "save_every": 0.0, "threads": 1,
}  # fmt: skip
WINDOWED = CARRIED | {
    "bidirectional": [False, True], "optimizer": "sgd", "momentum": 0.9, "batch_size": 64,
    "sequence_length": 6, "epochs": 2,
}  # fmt: skip


@pytest.mark.parametrize(("options", "kills"), [(CARRIED, 10), (WINDOWED, 4)])
def test_a_process_killed_again_and_again_ends_as_one_that_was_left_alone(
    options: dict[str, Any], kills: int, text: Path, tmp_path: Path
) -> None:
    alone = elman.train("text", text, run=tmp_path / "alone", **options)
    last = alone.folder.metrics()[-1]
    started = next(r["seconds"] for r in alone.folder.metrics())
    training = last["seconds"] - started

    killed = tmp_path / "killed"
    draw, cut_off = random.Random(), 0
    for k in range(kills):
        process = _process(_train if k == 0 else _resume, text, killed, options)
        _wait_for_next_save(killed, process)
        time.sleep(draw.uniform(0, training / kills))
        process.kill()
        process.join()
        cut_off += process.exitcode == -signal.SIGKILL
    assert cut_off == kills  # none had come to its end before
    resumed = elman.resume(killed)

    _assert_same_run(alone, resumed)


def test_a_command_stopped_by_ctrl_c_ends_as_one_that_was_left_alone(
    text: Path, tmp_path: Path
) -> None:
    alone = elman.train("text", text, run=tmp_path / "alone", **CARRIED)

    stopped = tmp_path / "stopped"
    flags = [
        f"--{name.replace('_', '-')}"
        + (f"={','.join(map(str, v)) if isinstance(v, list) else v}" if v is not True else "")
        for name, v in CARRIED.items()
    ]
    command = [sys.executable, "-m", "elman", "train", "text", str(text), "--run", str(stopped)]
    with subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True) as process:
        _wait_for_next_save(stopped, process)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"elman resume {stopped}" in told
    _assert_same_run(alone, elman.resume(stopped))


@pytest.mark.parametrize("schedule", ["cosine", "constant", "plateau"])
@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
def test_every_optimiser_and_schedule_goes_on_where_it_stood(
    optimizer: str, schedule: str, make_job: MakeJob, tmp_path: Path
) -> None:
    options = {
        "optimizer": optimizer, "schedule": schedule, "learning_rate": 0.05, "dropout": 0.3,
        "num_layers": 2, "save_every": 0.0, "epochs": 2, "batch_size": 8,
        "momentum": 0.8 if optimizer in ("sgd", "rmsprop") else 0.0,
    }  # fmt: skip
    alone = make_job("alone", **options)
    finish(alone)

    job, draw = make_job("cut", **options), random.Random()
    reads = job.how.batch_size or 0
    batches = 2 * len(job.task.epoch(job.dataset, job.options, reads, job.how.seed, 0))
    with pytest.raises(PowerCut):
        finish(_fails_after(job, draw.randrange(reads * (batches - 1))))
    finish(prepare.again(tmp_path / "cut", None, None, Clock(None), lambda line: None))

    _assert_same_tensors(final(tmp_path / "alone"), final(tmp_path / "cut"))


def test_a_finished_run_goes_on_and_survives_being_cut_off_then(
    make_job: MakeJob, tmp_path: Path
) -> None:
    def longer(name: str) -> Job:
        return prepare.again(tmp_path / name, 4, None, Clock(None), lambda line: None)

    options = {"schedule": "constant", "optimizer": "adam", "dropout": 0.2, "warmup": 0.0}
    for name in ("once", "twice", "whole"):
        finish(make_job(name, **options, epochs=4 if name == "whole" else 2))
    finish(longer("once"))
    with pytest.raises(PowerCut):  # before anything has been saved
        finish(_fails_after(longer("twice"), 0))
    finish(prepare.again(tmp_path / "twice", None, None, Clock(None), lambda line: None))

    whole = final(tmp_path / "whole")
    # Under a constant rate it makes no difference when the four epochs were asked for.
    _assert_same_tensors(whole, final(tmp_path / "once"))
    _assert_same_tensors(whole, final(tmp_path / "twice"))


def test_what_was_reported_after_the_last_checkpoint_is_reported_once(
    make_job: MakeJob, tmp_path: Path
) -> None:
    alone = complete(make_job("alone", epochs=3), lambda event: None)
    job = make_job("cut", epochs=3, save_every=1000.0)
    batches = len(job.task.epoch(job.dataset, job.options, 4, job.how.seed, 0))
    # In the second epoch: validating the first one reads 16 streams a few times.
    with pytest.raises(PowerCut):
        complete(_fails_after(job, 4 * batches + 250), lambda event: None)
    assert len(_validations(RunFolder(tmp_path / "cut"))) >= 1
    assert _validations(elman.resume(tmp_path / "cut").folder) == _validations(alone.folder)


def test_going_back_is_refused_and_changes_nothing(make_job: MakeJob, tmp_path: Path) -> None:
    finish(make_job(epochs=3))
    before = (tmp_path / "run/options.toml").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="--epochs 2: the run has had 3 already; give more"):
        prepare.again(tmp_path / "run", 2, None, Clock(None), lambda line: None)
    assert (tmp_path / "run/options.toml").read_text(encoding="utf-8") == before


def test_a_run_whose_text_has_changed_is_refused(
    make_job: MakeJob, text: Path, tmp_path: Path
) -> None:
    finish(make_job())
    text.write_text(text.read_text(encoding="utf-8") + " and more", encoding="utf-8")
    with pytest.raises(UserError, match="the data has changed since the run began"):
        elman.resume(tmp_path / "run", epochs=9)


class PowerCut(Exception):
    """What a failing disk raises."""


class FailingDisk:
    """Token ids that can be read so many times."""

    def __init__(self, ids: Tokens, reads: int) -> None:
        self.ids, self.left = ids, reads

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        self.left -= 1
        if self.left < 0:
            raise PowerCut
        return self.ids.read(start, count)


def _fails_after(job: Job, reads: int) -> Job:
    data = job.dataset
    corpus = dataclasses.replace(data.corpus, ids=FailingDisk(data.corpus.ids, reads))
    return dataclasses.replace(job, dataset=dataclasses.replace(data, corpus=corpus))


def _assert_same_tensors(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def _assert_same_run(a: elman.Run, b: elman.Run) -> None:
    _assert_same_tensors(final(a.path), final(b.path))
    assert _validations(a.folder) == _validations(b.folder)
    assert a.scores == b.scores
    assert a.generate("the ", 50, seed=3) == b.generate("the ", 50, seed=3)


def _validations(run: RunFolder) -> list[dict[str, Any]]:
    # How often training is reported, and the network glanced at, depends on the clock; the rest
    # may not.
    checked = [r for r in run.metrics() if r["split"] == "validation"]
    return [r | {"seconds": 0, "inside": {}} for r in checked]


# A server that has loaded PyTorch once forks the processes: each starts in milliseconds.
_fresh = multiprocessing.get_context("forkserver")
_fresh.set_forkserver_preload(["elman.run.api"])


def _process(work: Any, *arguments: Any) -> BaseProcess:
    process = _fresh.Process(target=work, args=(os.environ["ELMAN_CACHE"], *arguments))
    process.start()
    return process


def _train(cache: str, text: Path, run: Path, options: dict[str, Any]) -> None:
    os.environ["ELMAN_CACHE"] = cache
    elman.train("text", text, run=run, **options)


def _resume(cache: str, text: Path, run: Path, options: dict[str, Any]) -> None:
    os.environ["ELMAN_CACHE"] = cache
    elman.resume(run)


def _wait_for_next_save(run: Path, process: BaseProcess | subprocess.Popen[str]) -> None:
    """Until this process has written a checkpoint: from then on it is training."""

    def changed() -> int:
        path = run / "checkpoint/state.safetensors"
        return path.stat().st_mtime_ns if path.exists() else 0

    before, deadline = changed(), time.monotonic() + 60
    while changed() == before:
        ended = process.poll() if isinstance(process, subprocess.Popen) else process.exitcode
        assert ended is None, f"the process ended with {ended}"
        assert time.monotonic() < deadline
        time.sleep(0.001)
