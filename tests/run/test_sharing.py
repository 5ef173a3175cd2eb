"""What runs on one data set share is made once, and is that of their own way of reading."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from jobs import MakeJob

from elman.run.job import Job
from elman.run.many.sharing import Shared
from elman.tasks.rivals import Rival
from elman.tasks.task import Task


def test_rivals_are_reckoned_once_for_each_way_of_reading(make_job: MakeJob) -> None:
    print("drawn by", seed := random.randrange(2**32))
    draw, shared, reckoned = random.Random(seed), Shared(), list[str]()

    def rivals(dataset: Any, options: Any, training: Any) -> list[Rival]:
        reckoned.append(options.level)
        return [Rival(options.level, {}, None)]

    job = make_job()
    task = replace(job.task, rivals=rivals)
    levels = ("characters", "words", "bytes")
    for level in [*levels, *draw.choices(levels, k=20)]:
        others = {"hidden_size": (draw.randint(3, 99),), "dropout": draw.random()}
        options = replace(job.options, level=level, **others)
        of = shared.beside(replace(job, task=task, options=options))
        assert [one.name for one in of.rivals(job.dataset, options, job.dataset)] == [level]
    assert sorted(reckoned) == sorted(levels)


def test_what_is_made_once_is_no_part_of_what_a_run_takes(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, shared, job = 1000.0, Shared(), make_job()
    monkeypatch.setattr("time.time", lambda: now)

    def beside(job: Job) -> Task[Any, Any, Any]:
        nonlocal now
        now += 50  # each time, as where every run reads otherwise
        return job.task

    monkeypatch.setattr(shared, "beside", beside)
    for once in (50, 0, 0):
        began = now
        shared.job("text", job.data, job.options, replace(job.how, run=job.folder.path))
        now += 7
        assert shared.since(began) == 57 - once
