"""Laws of a run by the clock: the rate falls again while that helps, and time unused is told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jobs import MakeJob, finish

import elman
from elman.run.clock import Clock
from elman.run.falls import WORTH, after_fall, fallen, first_fall, gone_on, share_done
from elman.run.job import Job, Position
from elman.run.options import TrainOptions


class Stopped(Clock):
    """A clock that shows what it is told."""

    @property
    def elapsed(self) -> float:
        return self.spent


def job(seconds: float, now: float, **how: Any) -> Job:
    clock = Stopped(seconds, 0.0, now)
    options = TrainOptions(minutes=seconds / 60, **how)
    return cast(Job, type("Half", (), {"clock": clock, "how": options})())


@given(
    seconds=st.floats(60, 6000), gone=st.floats(0.01, 0.99), part=st.floats(0, 0.99),
    fall=st.integers(1, 50), epoch=st.integers(0, 50), batches=st.integers(1, 9), data=st.data(),
)  # fmt: skip
def test_a_fall_is_over_with_its_epochs_or_with_the_time(
    seconds: float, gone: float, part: float, fall: int, epoch: int, batches: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    now = gone * seconds
    begun = part * now
    batch = data.draw(st.integers(0, batches))
    this = job(seconds, now)
    at = Position(epoch=3 + epoch, batch=batch, fall=fall, fall_epoch=3, fall_seconds=begun)
    share = fallen(this, at, batches)
    assert 0 <= share <= 1
    assert (share >= 1) == (epoch + batch / batches >= fall or this.clock.share >= 1)
    endless = fallen(this, replace(at, fall=0), batches)
    assert endless <= share and (endless >= 1) == (this.clock.share >= 1)
    assert share_done(this, at, batches) == this.clock.share


@dataclass
class Looked(Clock):
    """A clock whose time is over at its n-th look, and no sooner."""

    looks: int = 0
    last: int = 0

    @property
    def elapsed(self) -> float:
        self.looks += 1
        assert self.seconds is not None
        return self.seconds if self.looks > self.last else 0.001 * self.looks


def test_the_time_may_be_over_between_any_two_looks_at_the_clock(make_job: MakeJob) -> None:
    for last in range(20, 32):
        of = make_job(f"run-{last}", minutes=10, schedule="constant")
        assert finish(replace(of, clock=Looked(600.0, last=last)))[-1].share == 1


@given(
    seconds=st.floats(60, 6000), part=st.floats(0.01, 0.49), fall=st.integers(1, 50),
    better=st.booleans(),
)  # fmt: skip
def test_another_fall_takes_twice_as_long_or_all_that_is_left(
    seconds: float, part: float, fall: int, better: bool
) -> None:
    took = part * seconds
    this = job(seconds, took)
    at = Position(
        epoch=fall - 1, batch=7, fall=fall, best=(1.0 if better else 2.0,), fall_best=(2.0,)
    )
    found = after_fall(this, at)
    if not better:
        assert "brought no better validation" in found.ended
        return
    assert not found.ended and found.fall_epoch == fall and found.fall_seconds == took
    assert found.fall_best == at.best
    if found.fall:
        assert found.fall == 2 * fall
        assert took + (1 + WORTH) * 2 * took <= seconds  # so that another is worth while
    else:
        assert took + (1 + WORTH) * 2 * took > this.clock.elapsed + this.clock.left
    # The next one begins at its beginning, whatever the batches of an epoch.
    assert fallen(this, found, 7) == pytest.approx(0, abs=1e-9)


def test_without_validation_one_fall_is_all() -> None:
    assert (
        "nothing is kept for validation"
        in after_fall(job(60, 5, validation=0.0), Position(fall=3)).ended
    )


def test_only_a_cosine_by_the_clock_falls_again() -> None:
    assert first_fall(job(60, 0, cycle=7)) == 7
    assert first_fall(job(60, 0, cycle=7, schedule="constant")) == 0
    assert first_fall(job(60, 0, cycle=7, epochs=3)) == 0
    assert first_fall(job(60, 0)) == 0


@given(fall=st.integers(0, 9), seconds=st.floats(0, 50))
def test_a_run_that_goes_on_uses_the_rest_of_its_time(fall: int, seconds: float) -> None:
    ended = "no more" if fall else ""
    at = Position(
        epoch=4, fall=fall, fall_epoch=2, seconds=seconds, reached="1 minutes", ended=ended
    )
    found = gone_on(at)
    assert not found.reached and not found.ended and found.fall == 0
    assert found.fall_seconds == (seconds if fall else 0)


def rows(path: Path, wrong: bool = False) -> Path:
    pairs = [f"{'good' if k % 2 else 'bad'} number {k},{int(k % 2 != wrong)}" for k in range(60)]
    path.write_text("text,label\n" + "\n".join(pairs), encoding="utf-8")
    return path


def test_a_run_that_cannot_get_better_ends_early_and_says_so(tmp_path: Path) -> None:
    """A validation part with the opposite labels: what is learnt makes it worse."""
    check = rows(tmp_path / "check.csv", wrong=True)
    run = elman.train(
        "classify", rows(tmp_path / "table.csv"), run=tmp_path / "run", minutes=10, hidden_size=2,
        validation_data=check, cycle=3, threads=1, bag="none",
    )  # fmt: skip
    record = run.folder.scores()
    assert record["seconds"] < 120 and record["epochs"] < 400
    assert "brought no better validation" in record["ended"]
    assert f"It ended after 0:{round(record['seconds']):02} of 10:00: the last" in run.verdict
    rates = [r["learning_rate"] for r in run.folder.metrics() if r["split"] == "validation"]
    assert min(rates) < 0.02 * max(rates)


def test_a_run_that_gets_better_falls_more_than_once_and_uses_its_time(tmp_path: Path) -> None:
    run = elman.train(
        "classify", rows(tmp_path / "table.csv"), run=tmp_path / "run", minutes=0.2, cycle=1,
        hidden_size=2, learning_rate=1e-6, validation_data=tmp_path / "table.csv", threads=1,
        bag="none",
    )  # fmt: skip
    record = run.folder.scores()
    assert record["ended"] == "" and 0.5 * 12 < record["seconds"] < 12.6
    assert f"It used 0:{round(record['seconds']):02} of 0:12" in run.verdict
    rates = [r["learning_rate"] for r in run.folder.metrics()]
    risen = sum(b > 5 * a for a, b in itertools.pairwise(rates))
    assert risen >= 1
