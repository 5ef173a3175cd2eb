"""Few sequences in folds: each is scored by what has not learnt from it, and nothing else is."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from elman.errors import UserError
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.scores import own_probabilities
from elman.tasks.classify.training import Batches

SMALL: dict[str, Any] = {"hidden_size": 3, "epochs": 1, "threads": 1, "batch_size": 4}


def curves(path: Path, count: int = 16, extra: str = "") -> Path:
    draw = np.random.default_rng(0)
    rows = []
    for k in range(count):
        x = draw.normal(size=(int(draw.integers(4, 9)), 2)) + 3 * (k % 2)
        rows.append(json.dumps({"x": x.round(3).tolist(), "y": "ab"[k % 2]}))
    path.write_text("\n".join(rows) + extra, encoding="utf-8")
    return path


def job(data: Path, run: Path, **options: Any) -> Job:
    own, how = parse("classify", SMALL | {"run": run} | options)
    return prepare.new("classify", [str(data)], own, how, Clock(None), lambda line: None)


def test_no_network_learns_from_its_fold_and_its_fold_is_scored_by_it_alone(
    tmp_path: Path,
) -> None:
    made = job(curves(tmp_path / "a.jsonl"), tmp_path / "run", members=2)
    dataset, model = made.dataset, made.model.eval()
    assert isinstance(model, Classifier) and made.options.folds == 5 and len(model.members) == 10
    assert dataset.trained == len(dataset.check) == 16
    for epoch in range(3):
        batches = made.task.epoch(dataset, made.options, 4, 1, epoch)
        assert isinstance(batches, Batches)
        for k in range(len(batches)):
            batch = batches[k]
            read = len(batch.x) // 5
            assert batch.parts == 5 and len(batch.x) == 5 * read == len(batch.y)
        for fold, part in enumerate(batches.parts):
            assert set(part.tolist()) == set(np.flatnonzero(dataset.training_folds != fold))
            seen = np.concatenate(
                [batches.orders[fold][k] for k in range(len(batches.orders[fold]))]
            )
            assert sorted(part[seen].tolist()) == part.tolist()
    learnt, scored = zip(*dataset.cuts(), strict=True)
    assert sorted(np.concatenate(scored).tolist()) == list(range(16))
    assert all(not set(a) & set(b) for a, b in zip(learnt, scored, strict=True))

    before = own_probabilities(model, dataset, "cpu")
    spoilt = random.randrange(5)
    assert model.kernels is not None
    with torch.no_grad():
        for m in (spoilt, spoilt + 5):
            for parameter in model.members[m].parameters():
                parameter.add_(torch.randn_like(parameter))
        model.kernels.weights[spoilt] += 0.1
    after = own_probabilities(model, dataset, "cpu")
    own = dataset.folds == spoilt
    assert (np.abs(after - before).max(1) > 1e-4).tolist() == own.tolist()


def test_bags_are_counted_without_their_fold(tmp_path: Path) -> None:
    rows = [f"{w} {v},{'ab'[k % 2]}" for k, (w, v) in enumerate(
        (random.choice("pqrs") * 3, random.choice("tuvw") * 3) for _ in range(30))]  # fmt: skip
    (tmp_path / "a.csv").write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    made = job(tmp_path / "a.csv", tmp_path / "run", bag="pairs", embedding=2)
    dataset = made.dataset
    assert len(dataset.bags) == len(dataset.parts) + 1
    for part, bag in zip([*dataset.parts, np.arange(30)], dataset.bags, strict=True):
        assert bag.texts.tolist() == np.bincount(dataset.targets[part]).tolist()


def test_what_cannot_be_dealt_is_told(tmp_path: Path) -> None:
    data = curves(tmp_path / "a.jsonl")
    lines: list[str] = []
    alone = curves(tmp_path / "b.jsonl", extra='\n{"x": [[1, 2]], "y": "odd"}')
    own, how = parse("classify", SMALL | {"run": tmp_path / "run", "folds": 40})
    made = prepare.new("classify", [str(alone)], own, how, Clock(None), lines.append)
    told = "\n".join(lines)
    assert "17 sequences for training, 16 for validation in 16 folds" in told
    assert "16 folds, not 40" in told
    assert "1 sequence never scored: nothing else is labelled odd" in told
    assert made.dataset.classes == ("a", "b", "odd")

    with pytest.raises(UserError, match="folds 1: needs 0, or a value from 2"):
        job(data, tmp_path / "other", folds=1)
    with pytest.raises(UserError, match="needs 0 with --validation-data"):
        job(data, tmp_path / "other", folds=3, validation_data=str(data))
    few = tmp_path / "few.csv"
    few.write_text("text,label\na,x\nb,y\n", encoding="utf-8")
    with pytest.raises(UserError, match="2 sequences are too few to score a network by others"):
        job(few, tmp_path / "other")
    few.write_text("text,label\nsame,x\nsame,y\nsame,x\nsame,y\n", encoding="utf-8")
    with pytest.raises(UserError, match="all 4 sequences are alike; nothing to learn"):
        job(few, tmp_path / "other")
    assert not (tmp_path / "other").exists()
