"""What every task keeps to when its networks are looked into: found in the registry."""

from __future__ import annotations

import dataclasses
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import MakeJob, final, finish
from test_every_task import SMALL, TRAINED
from torch import Tensor, nn

import elman
from elman import tasks
from elman.errors import UserError
from elman.inspection import Subject, of_run
from elman.inspection.sections import sections
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.glances import SHARE, Glances
from elman.run.job import Job
from elman.run.options import parse
from elman.run.report import draw
from elman.tasks.looking import Look, alike, network_number

pytestmark = pytest.mark.pictures

Jobs = dict[str, Job]
LOOKING = [name for name in tasks.names() if tasks.get(name).look is not None]


def few(folder: Path) -> dict[str, list[str]]:
    """Small data in place of the built-in sets that take long to be planned on."""
    draw = random.Random(3)
    texts = folder / "texts.jsonl"
    words = {"animals": ("cat", "dog", "cow"), "tools": ("saw", "axe", "pen")}
    with texts.open("w") as file:
        for k in range(120):
            label = list(words)[k % 2]
            text = " ".join(draw.choices((*words[label], "the", "a", "red"), k=draw.randint(2, 9)))
            file.write(json.dumps({"text": text, "label": label}) + "\n")
    rows = folder / "rows.csv"
    with rows.open("w") as file:
        file.write("id,u,y\n")
        for k in range(30):
            y = 0.0
            for _ in range(draw.randint(12, 20)):
                u = draw.uniform(-1, 1)
                y = 0.8 * y + u
                file.write(f"s{k},{u:.4f},{y:.4f}\n")
    return {"classify": [str(texts)], "regress": [str(rows)]}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    """A new run of every task on its built-in data, not to be changed."""
    folder, threads = tmp_path_factory.mktemp("jobs"), torch.get_num_threads()
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        data = few(folder)
        for name in LOOKING:
            options = TRAINED | SMALL.get(name, {}) | {"run": folder / name}
            own, how = parse(name, options)
            made[name] = prepare.new(
                name, data.get(name, []), own, how, Clock(None), lambda line: None
            )
    yield made
    torch.set_num_threads(threads)


every_task = pytest.mark.parametrize("name", LOOKING)


@every_task
def test_of_networks_that_answer_together_the_first_is_looked_at(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    options = TRAINED | SMALL.get(name, {}) | {"run": tmp_path / "run", "members": 3}
    if name in ("classify", "regress"):
        options |= {"folds": 0}  # each has networks of its own
    own, how = parse(name, options)
    data = few(tmp_path).get(name, [])
    job = prepare.new(name, data, own, how, Clock(None), lambda line: None)
    assert job.task.look is not None
    look = job.task.look(job.dataset, job.options, 4, 1)
    seen = Subject(job.model, lambda model: job.task.loss(model, look.batch, None, "cpu")[0], "")
    assert seen.networks == 3
    paths = {call.path for call in seen.layers.calls}
    first = {path for path in paths if not alike(path)}
    assert len(paths) == 3 * len(first) and {network_number(path) for path in first} == {0}


def looked(job: Job, size: int = 5, seed: int = 1) -> Look[Any]:
    assert job.task.look is not None
    return job.task.look(job.dataset, job.options, size, seed)


def loss_of(job: Job, look: Look[Any]) -> Tensor:
    total, count, _ = job.task.loss(job.model.eval(), look.batch, None, "cpu")
    assert count > 0
    return total


def test_every_built_in_task_can_be_looked_into() -> None:
    assert {"text", "classify", "tag", "regress", "forecast", "speech", "translate"} <= set(LOOKING)


@every_task
def test_a_look_names_every_step_of_every_sequence(name: str, jobs: Jobs) -> None:
    job = jobs[name]
    look = looked(job)
    assert len(look.steps) == 5 and all(look.lengths) and look.what and look.unit
    assert all(isinstance(step, str) for steps in look.steps for step in steps)
    for labels, length in zip(look.labels, look.lengths, strict=len(look.labels) > 0):
        assert len(labels) in (1, length)
    for values in look.quantities.values():
        assert all(len(v) in (1, n) for v, n in zip(values, look.lengths, strict=True))
    # The network reads as many steps as are named.
    subject = Subject(job.model, lambda model: loss_of(job, look), "", look)
    known = [call for call in subject.calls if subject.steps_of(call) is not None]
    assert known, [(call.path, call.rows.lengths.tolist()) for call in subject.calls]


@every_task
def test_looks_are_the_same_for_the_same_seed_alone(name: str, jobs: Jobs) -> None:
    job = jobs[name]
    assert looked(job).steps == looked(job).steps
    assert torch.equal(loss_of(job, looked(job)), loss_of(job, looked(job)))
    others = [float(loss_of(job, looked(job, seed=seed)).detach()) for seed in range(2, 6)]
    assert len(set(others)) > 1
    assert looked(job, 10**6 if name != "text" else 3).steps  # no more than there are


@every_task
def test_a_glance_tells_three_numbers_and_changes_nothing(name: str, jobs: Jobs) -> None:
    job = jobs[name]
    job.model.train()
    before = {key: value.clone() for key, value in job.model.state_dict().items()}
    drawn = torch.get_rng_state()
    seen = Glances(job, began=time.perf_counter() - 3600).take()
    assert set(seen) == {"gradient_steps", "saturation", "spectral_radius"}
    assert seen["gradient_steps"] > 0 and 0 <= seen["saturation"] <= 1
    assert 0 < seen["spectral_radius"] < 5
    assert job.model.training and torch.equal(drawn, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in job.model.parameters())
    after = job.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_glances_change_nothing_of_what_is_learnt(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"dropout": 0.3, "cell": ["gru", "lstm"], "num_layers": 2, "epochs": 3}
    alone = make_job("alone", **options)
    assert not any(event.inside for event in finish(alone))
    monkeypatch.setattr("elman.run.glances.SHARE", 1e9)
    seen = make_job("seen", **options)
    told = [event.inside for event in finish(seen) if event.split == "validation"]
    assert len(told) == 3 and all(len(inside) == 3 for inside in told)
    ours, theirs = final(alone.folder.path), final(seen.folder.path)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())


def test_curves_show_what_glances_saw_and_pass_over_damage(tmp_path: Path) -> None:
    base = {"epoch": 0, "loss": 1.0, "learning_rate": 0.1, "gradient_norm": 1.0}
    train = [base | {"split": "train", "step": k} for k in range(5)]

    def checked(*inside: object) -> list[dict[str, object]]:
        return [
            base | {"split": "validation", "step": k, "inside": seen}
            for k, seen in enumerate(inside)
        ]

    def height(records: list[dict[str, object]]) -> int:
        assert draw(train + records, tmp_path / "curves.png")
        return int.from_bytes((tmp_path / "curves.png").read_bytes()[20:24], "big")

    seen = {"gradient_steps": 9.0, "saturation": 0.1, "spectral_radius": 0.9}
    plain = height(checked({}, {}))
    assert height(checked({}, seen, seen)) > plain
    assert height(checked("x", 3, [1], None)) == plain
    for odd in ("x", None, [1], float("nan"), {"a": 1}):
        assert height(checked(seen, dict.fromkeys(seen, odd))) > plain


def test_glances_keep_to_their_share_of_the_time(jobs: Jobs) -> None:
    assert Glances(jobs["text"]).take() == {}  # too early
    glances = Glances(jobs["text"], began=time.perf_counter() - 100)
    assert glances.take() and 0 < glances.spent == glances.last
    for last, spent in ((SHARE * 100 + 1, 0.0), (0.01, SHARE * 100)):
        glances.last, glances.spent = last, spent
        assert glances.take() == {}
    glances.last, glances.spent = 0.01, 0.0
    assert glances.take()


def test_a_model_without_layers_to_look_into_is_left_in_peace(jobs: Jobs) -> None:
    job = dataclasses.replace(jobs["text"], model=nn.Linear(2, 2))
    glances = Glances(job, began=time.perf_counter() - 1000)
    assert glances.take() == {} and glances.done and glances.take() == {}


@every_task
def test_every_section_tells_something_of_every_task_in_its_time(name: str, jobs: Jobs) -> None:
    job = jobs[name]
    look = looked(job, 8)
    subject = Subject(job.model, lambda model: loss_of(job, look), "", look)
    for section in sections():
        if section.name in ("gradients", "gates", "stability"):
            found = section.find(subject)
            assert found is not None and found.findings and found.measured
            assert all(line.endswith(".") for line in found.findings)
            assert found.draw is not None and found.draw().axes


def test_a_task_without_a_look_is_a_clear_error(trained: Path) -> None:
    run = elman.load(trained / "run")
    run._trained = dataclasses.replace(
        run._trained, task=dataclasses.replace(run._trained.task, look=None)
    )
    with pytest.raises(UserError, match="the task text cannot be looked into"):
        of_run(run)
