"""What every task keeps to, whatever it learns: found in the registry, so new ones are held too."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import PowerCut, fails_after, final, finish
from torch import Tensor

import elman
from elman import tasks
from elman.data.batching import Share
from elman.metrics import Loss
from elman.options import make, plain
from elman.run import prepare
from elman.run.api import complete
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import TrainOptions, parse
from elman.tasks.sharing import Parted
from elman.tasks.task import Task

TRAINED = {"epochs": 1, "batch_size": 8, "sample": 20, "threads": 1}
SMALL: dict[str, dict[str, Any]] = {
    "text": {"hidden_size": 4, "counted": 5_000, "scored": 2_000},
    "classify": {"hidden_size": 4, "embedding": 3, "vocabulary": 50, "batch_size": 512},
    "tag": {"hidden_size": 4, "embedding": 3, "characters": 2, "batch_size": 64},
    "regress": {"hidden_size": 4, "batch_size": 32},
    "forecast": {"hidden_size": 4, "look_back": 8},
    "speech": {"hidden_size": 4, "convolutions": 4, "batch_size": 64},
    "translate": {"hidden_size": 4, "embedding": 3, "batch_size": 512},
    "music": {"hidden_size": 4, "head_size": 4, "batch_size": 64, "sequence_length": 48},
}
"""Options that make the built-in data of a task quick to learn; none are needed."""
CUT = {"forecast": 8, "regress": 32, "speech": 64, "music": 64}
"""Batch sizes that give an epoch two batches at least, where few sequences are built in."""


@pytest.fixture(autouse=True, scope="module")
def _alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of their own for all tests here: what is built in is made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        threads = torch.get_num_threads()
        yield
        torch.set_num_threads(threads)


def new(name: str, run: Path, dataset: Any = None, **changed: Any) -> Job:
    """A new run of a task on its built-in data, as it stands before the first step."""
    own, how = parse(name, TRAINED | SMALL.get(name, {}) | changed | {"run": run})
    return prepare.new(name, [], own, how, Clock(None), lambda line: None, dataset=dataset)


@pytest.fixture(scope="module", params=tasks.names())
def first(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A new run of each task; not to be changed."""
    name: str = request.param
    return new(name, tmp_path_factory.mktemp(name) / "run")


@pytest.fixture
def job(first: Job) -> Job:
    """The same with a model of its own."""
    return replace(first, model=copy.deepcopy(first.model))


def test_a_task_is_named_and_its_options_survive_being_written(job: Job) -> None:
    task: Task[Any, Any, Any] = job.task
    assert tasks.get(task.name) is task and tasks.summary(task.name) and task.built_in
    kind = tasks.options(task.name)
    assert make(kind, plain(job.options)) == job.options
    # A name may be used once: the command line shows both in one list.
    assert not {f.name for f in fields(kind)} & {f.name for f in fields(TrainOptions)}
    documents = "".join(base.__doc__ or "" for base in kind.__mro__)
    for field in fields(kind):
        assert f"\n    {field.name}\n" in documents, f"{field.name} has no help"


def test_batches_are_the_same_for_the_same_seed_and_epoch_alone(job: Job) -> None:
    def begins(seed: int, epoch: int) -> list[Tensor]:
        batch = job.task.epoch(job.dataset, job.options, 3, seed, epoch)[0]
        return [part for part in batch if isinstance(part, Tensor)]

    assert begins(1, 0) and all(map(torch.equal, begins(1, 2), begins(1, 2)))
    same = [all(map(torch.equal, begins(1, 0), begins(1, epoch))) for epoch in range(1, 5)]
    assert not all(same)


def test_losses_and_gradients_of_the_shares_of_a_batch_add_up_to_its_own(job: Job) -> None:
    """However many processes read it, with the state that each carries on for itself."""
    draw = random.Random()
    processes, size = draw.randint(2, 5), draw.randint(3, 20)
    epoch = job.task.epoch(job.dataset, job.options, size, draw.randrange(99), 0)
    assert isinstance(epoch, Parted)
    weights = list(job.model.eval().parameters())

    def learnt(parts: list[Any], carries: list[Any]) -> tuple[float, int, list[Tensor]]:
        job.model.zero_grad()
        loss = Loss(0.0, 0)
        for n, part in enumerate(parts):
            if part is not None:
                total, count, carries[n] = job.task.loss(job.model, part, carries[n], "cpu")
                total.backward()  # type: ignore[no-untyped-call]
                loss += Loss(total.item(), count)
        return loss.total, loss.count, [w.grad.clone() for w in weights if w.grad is not None]

    # A state goes on from one batch to the next one only: the first few, and anew the last few.
    for run in (range(len(epoch))[:4], range(len(epoch))[-4:]):
        whole, parted = [None], [None] * processes
        for k in run:
            total, count, gradients = learnt([epoch[k]], whole)
            shares = [epoch.part(k, Share(n, processes)) for n in range(processes)]
            told, counted, summed = learnt(shares, parted)
            assert counted == count and told == pytest.approx(total, rel=1e-4)
            for one, other in zip(gradients, summed, strict=True):
                # Sums of float32 in another order; what cancels is left of numbers that are larger.
                assert (one - other).abs().max() <= 1e-4 * one.abs().max() + 1e-4


def test_the_mean_loss_of_a_new_model_falls_along_its_gradient(job: Job) -> None:
    batch = job.task.epoch(job.dataset, job.options, 3, 1, 0)[0]

    def mean() -> Tensor:
        total, count, _ = job.task.loss(job.model.eval(), batch, None, "cpu")
        assert count > 0
        return total / count

    before = mean()
    before.backward()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in job.model.parameters():
            assert parameter.grad is not None and bool(parameter.grad.any())
            parameter.sub_(parameter.grad, alpha=1e-2)
    assert mean().item() < before.item()


def test_validating_leaves_the_model_as_it_was_and_gives_the_same_twice(job: Job) -> None:
    before = [p.detach().clone() for p in job.model.parameters()]
    random = torch.get_rng_state()
    found = [job.task.validate(job.model.eval(), job.dataset, job.options, "cpu") for _ in range(2)]
    assert found[0] == found[1] and found[0].loss.count > 0
    job.task.sample(job.model, job.dataset, job.options, 5, 1, "cpu")
    assert all(map(torch.equal, before, job.model.parameters()))
    assert torch.equal(random, torch.get_rng_state())  # else a resumed run would draw otherwise


def test_network_and_rivals_answer_the_same_questions(job: Job) -> None:
    """Scores by the same names, and tallies of the same units that add up to the first score."""
    found = job.task.validate(job.model.eval(), job.dataset, job.options, "cpu")
    rivals = job.task.rivals(job.dataset, job.options, job.dataset)
    assert len({rival.name for rival in rivals}) == len(rivals) > 0
    first = next(iter(found.scores))
    for scores, tally in [(found.scores, found.tally), *((r.scores, r.tally) for r in rivals)]:
        assert set(scores) <= set(found.scores) and next(iter(scores)) == first
        assert tally is not None and found.tally is not None
        assert (tally.unit, len(tally.sums)) == (found.tally.unit, len(found.tally.sums))
        assert float(tally.score(tally.sums.sum(0))) == pytest.approx(scores[first])
    assert set(rivals[0].scores) == set(found.scores)


def test_a_run_cut_off_and_resumed_ends_as_one_that_was_left_alone(
    first: Job, tmp_path: Path
) -> None:
    name = first.task.name
    options = {
        "dropout": 0.3, "sample": 0, "save_every": 0.0, "batch_size": CUT.get(name, 512),
    }  # fmt: skip
    finish(new(name, tmp_path / "alone", first.dataset, **options))
    job = new(name, tmp_path / "cut", first.dataset, **options)
    batches = len(
        job.task.epoch(job.dataset, job.options, job.how.batch_size or 1, job.how.seed, 0)
    )
    with pytest.raises(PowerCut):
        finish(fails_after(job, random.Random().randrange(1, batches)))
    finish(prepare.again(tmp_path / "cut", None, None, Clock(None), lambda line: None))
    alone, resumed = final(tmp_path / "alone"), final(tmp_path / "cut")
    assert alone.keys() == resumed.keys()
    assert [name for name in alone if not torch.equal(alone[name], resumed[name])] == []


def test_one_epoch_from_built_in_data_to_a_model_that_scores_the_same_from_its_package(
    first: Job, tmp_path: Path
) -> None:
    run = complete(new(first.task.name, tmp_path / "run", first.dataset), lambda event: None)
    recorded = run.scores
    assert recorded and (run.path / "report.md").exists()
    package = run.package(tmp_path / "run.zip")
    shutil.rmtree(run.path)
    assert elman.load(package).evaluate().scores == recorded
