"""Where a score decides which weights are the best, patience, plateaus and the report follow it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import finish

import elman
from elman.metrics import HIGHER, Loss
from elman.run import api, checkpoint, prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse
from elman.run.train import Progress
from elman.tasks.task import Validation

SMALL: dict[str, dict[str, Any]] = {
    "classify": {"embedding": 8, "token_dropout": 0.0, "bag": "none"},
    "tag": {"embedding": 8, "characters": 0, "token_dropout": 0.0},
}
STEADY = {
    "hidden_size": 16, "dropout": 0.0, "batch_size": 16, "learning_rate": 0.01, "threads": 1,
    "schedule": "constant", "warmup": 0.0, "sample": 0,
}  # fmt: skip


def words(wrong: bool) -> list[tuple[str, str]]:
    """Words and their labels: two that come often, and eight that are learnt later.

    Where the frequent ones are wrong, whoever grows sure of them has a rising loss, while accuracy
    rises with the others.
    """
    often = [("good", "ny"[not wrong]), ("bad", "ny"[wrong])]
    return often * (2 if wrong else 40) + [(f"odd{k}", "ny"[k % 2]) for k in range(8)] * 2


def written(task: str, path: Path, pairs: list[tuple[str, str]]) -> str:
    if task == "tag":
        path.write_text("".join(f"{word} {label}\n\n" for word, label in pairs))
    else:
        path.write_text("text,label\n" + "".join(f"{word},{label}\n" for word, label in pairs))
    return str(path)


def job(task: str, folder: Path, **options: object) -> Job:
    data = written(task, folder / "data", words(wrong=False))
    check = written(task, folder / "check", words(wrong=True))
    given = STEADY | SMALL[task] | {"run": folder / "run", "validation_data": check} | options
    own, how = parse(task, given)
    return prepare.new(task, [data], own, how, Clock(None), lambda line: None)


def validations(job: Job) -> list[Progress]:
    return [event for event in finish(job) if event.split == "validation"]


def rank(event: Progress) -> tuple[float, float]:
    assert next(iter(event.scores)) == "accuracy"
    return -event.scores["accuracy"], event.loss


@pytest.mark.parametrize("task", SMALL)
def test_the_best_accuracy_is_kept_and_patience_waits_for_it(task: str, tmp_path: Path) -> None:
    events = validations(job(task, tmp_path, epochs=60, patience=10))
    ranks = [rank(event) for event in events]
    best = ranks.index(min(ranks))
    assert len(events) == best + 1 + 10 < 60
    for k, event in enumerate(events):
        assert event.best == (not k or ranks[k] < min(ranks[:k]))
    lowest = min(range(len(events)), key=lambda k: events[k].loss)
    assert lowest != best, "the case says nothing where loss and accuracy agree"
    _, header = checkpoint.read(tmp_path / "run/model.safetensors")
    assert (header["step"], header["scores"]) == (events[best].step, events[best].scores)
    assert elman.load(tmp_path / "run").evaluate().scores == pytest.approx(events[best].scores)


def test_a_plateau_is_one_of_accuracy(tmp_path: Path) -> None:
    events = validations(job("classify", tmp_path, epochs=8, schedule="plateau"))
    rate = events[0].learning_rate
    for event in events:
        assert event.learning_rate == pytest.approx(rate)
        rate = rate if event.best else rate / 2
    assert not all(event.best for event in events)


def test_the_report_names_the_weights_that_were_kept(tmp_path: Path) -> None:
    run = api.complete(job("classify", tmp_path, epochs=12), lambda event: None)
    seen = [r for r in run.folder.metrics() if r["split"] == "validation"]
    kept = [r for r in seen if r["best"]][-1]["step"]
    lowest = min(seen, key=lambda r: r["loss"])["step"]
    assert kept != lowest
    report = (tmp_path / "run/report.md").read_text()
    assert f"lowest at step {lowest:,} and has risen since; the weights of step {kept:,}" in report


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 9), st.floats(0, 9))
def test_of_equal_scores_the_smaller_loss_is_better(
    a: float, b: float, near: float, far: float
) -> None:
    for name in ("accuracy", "mse"):
        one = Validation(Loss(near, 1), {name: a, "x": 1.0}, by_score=True)
        other = Validation(Loss(far, 1), {name: b, "x": 0.0}, by_score=True)
        better = (a > b if name in HIGHER else a < b) if a != b else near < far
        assert (one.rank() < other.rank()) == better
        by_loss = [Validation(v.loss, v.scores).rank() for v in (one, other)]
        assert (by_loss[0] < by_loss[1]) == (near < far)
