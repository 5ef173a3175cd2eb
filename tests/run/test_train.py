"""What the training loop promises: when it stops, what it keeps, what it reports."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import MakeJob, final, finish

import elman
from elman.errors import RunError, UserError
from elman.run import checkpoint
from elman.run.options import TrainOptions
from elman.run.train import Progress

# Each step multiplies the weights by -1e12, and each of 16 steps in time the state by as much.
TOO_FAST: dict[str, Any] = {
    "optimizer": "sgd", "learning_rate": 1e6, "l2": 1e6, "clip_norm": 0.0, "warmup": 0.0,
    "cell": "rnn-relu", "epochs": 2, "save_every": 0.0,
}  # fmt: skip

# A rate at which the loss goes up and down.
UNSTEADY: dict[str, Any] = {
    "optimizer": "sgd", "learning_rate": 30.0, "warmup": 0.0, "schedule": "constant",
}  # fmt: skip


def _validations(events: list[Progress]) -> list[Progress]:
    return [event for event in events if event.split == "validation"]


def test_a_loss_that_is_not_finite_stops_the_run_and_a_smaller_rate_saves_it(
    make_job: MakeJob, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match=r"no longer finite after step .* --learning-rate 500000"):
        finish(make_job(**TOO_FAST))
    kept, _ = checkpoint.read(tmp_path / "run/checkpoint/state.safetensors")
    assert all(bool(tensor.isfinite().all()) for tensor in kept.values())

    run = elman.resume(tmp_path / "run", learning_rate=1e-7)
    assert math.isfinite(run.scores["nats"])
    how = run.folder.options()["train"]
    assert how["learning_rate"] == 1e-7 and how["epochs"] == 2


def test_a_validation_that_is_not_finite_stops_the_run_and_is_never_the_best(
    make_job: MakeJob, tmp_path: Path
) -> None:
    # One batch an epoch: the validation is the first to meet the weights that the step made.
    with pytest.raises(RunError, match="no longer finite after step 1 "):
        finish(make_job(**TOO_FAST | {"batch_size": 64, "sequence_length": 64}))
    assert not (tmp_path / "run/model.safetensors").exists()


def test_patience_ends_the_run_and_the_best_weights_are_kept(
    make_job: MakeJob, tmp_path: Path
) -> None:
    events = _validations(finish(make_job(epochs=200, patience=3, **UNSTEADY)))
    losses = [event.loss for event in events]
    best = losses.index(min(losses))
    assert len(losses) == best + 1 + 3 < 200
    assert [event.best for event in events] == [
        loss < min(losses[:k], default=math.inf) for k, loss in enumerate(losses)
    ]

    # What is kept scores what the best did, which the last weights do not.
    run = elman.load(tmp_path / "run")
    assert run.evaluate().scores["nats"] == min(losses) < losses[-1]
    _, header = checkpoint.read(tmp_path / "run/model.safetensors")
    assert header["step"] == events[best].step


def test_a_plateau_halves_the_rate_once_for_each_validation_that_is_no_better(
    make_job: MakeJob,
) -> None:
    events = _validations(finish(make_job(epochs=12, **UNSTEADY | {"schedule": "plateau"})))
    rate = 30.0
    for event in events:
        assert event.learning_rate == rate
        rate = rate if event.best else rate / 2
    assert rate < 30.0


def test_each_epoch_ends_with_a_validation_and_a_sample_of_500_characters(
    make_job: MakeJob,
) -> None:
    events = _validations(finish(make_job(epochs=3, sample=TrainOptions().sample)))
    assert [event.epoch for event in events] == [0, 1, 2]
    assert [len(event.sample) for event in events] == [500, 500, 500]
    assert [event.share for event in events] == pytest.approx([1 / 3, 2 / 3, 1])


def test_a_long_run_is_validated_a_hundred_times_at_most_and_at_its_end(
    make_job: MakeJob,
) -> None:
    job = make_job(epochs=151, batch_size=64, sequence_length=64, hidden_size=2)
    events = _validations(finish(job))
    assert 50 <= len(events) <= 100
    assert events[-1].epoch == 150 and events[-1].share == 1


def test_without_a_validation_part_the_last_weights_are_kept(
    make_job: MakeJob, tmp_path: Path
) -> None:
    events = _validations(finish(make_job(validation=0.0, epochs=3)))
    assert all(math.isnan(event.loss) and event.best for event in events)
    kept = final(tmp_path / "run")
    for name, tensor in kept.items():
        if name.startswith("best."):
            assert torch.equal(tensor, kept[name.replace("best.", "model.")])
    with pytest.raises(UserError, match="kept nothing for validation"):
        elman.load(tmp_path / "run").evaluate()


@pytest.mark.parametrize("waits", [{"patience": 2}, {"schedule": "plateau"}])
def test_what_waits_for_validations_needs_some(waits: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"--validation 0\.0: needs a value above 0"):
        elman.train("text", validation=0.0, **waits)


def test_minutes_are_kept_within_a_tenth(tmp_path: Path) -> None:
    seconds = 30.0  # of fewer, what is kept for the end and not needed is more than a tenth
    command = [sys.executable, "-m", "elman", "train", "text", "--minutes", "0.5", "--threads", "1"]
    environment = os.environ | {"ELMAN_CACHE": str(tmp_path / "cache")}
    began = time.perf_counter()
    subprocess.run(
        [*command, "--run", str(tmp_path / "run")], env=environment, check=True, capture_output=True
    )
    took = time.perf_counter() - began
    # What the promise cannot know: how long Python takes to start, and to end.
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import elman.run.api"], check=True)
    start = time.perf_counter() - began
    assert 0.9 * seconds <= took <= 1.1 * seconds + start
    run = elman.load(tmp_path / "run")
    assert run.folder.metrics()[-1]["share"] == 1
    assert run.folder.metrics()[-1]["step"] > 10


def test_the_best_weights_carry_their_scores(make_job: MakeJob, tmp_path: Path) -> None:
    events = _validations(finish(make_job(epochs=6, **UNSTEADY)))
    best = min(events, key=lambda event: event.loss)
    _, header = checkpoint.read(tmp_path / "run/model.safetensors")
    assert header["scores"] == best.scores and header["scores"]["nats"] == best.loss
