"""The final model has seen everything; the scores beside it are of the run that had not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from jobs import PowerCut, fails_after, final, finish

import elman
from elman.errors import UserError
from elman.run import checkpoint, prepare, refit
from elman.run.api import complete, silent
from elman.run.clock import Clock
from elman.run.options import parse

HOW: dict[str, Any] = {
    "epochs": 3, "hidden_size": 2, "embedding": 3, "batch_size": 16, "refit": True, "threads": 1,

}  # fmt: skip


def rows(path: Path) -> Path:
    pairs = [f"{'good' if k % 2 else 'bad'} number {k},{k % 2}" for k in range(400)]
    path.write_text("text,label\n" + "\n".join(pairs), encoding="utf-8")
    return path


def test_the_final_model_is_that_of_everything_for_the_best_epochs(tmp_path: Path) -> None:
    table = rows(tmp_path / "table.csv")
    run = elman.train("classify", table, run=tmp_path / "run", **HOW)
    first = elman.load(tmp_path / "run")
    assert run.path == tmp_path / "run/refit" and run.scores == first.scores != {}
    _, best = checkpoint.read(first.folder.weights)
    how = run.folder.options()["train"]
    assert how["epochs"] == round(best["epochs"]) and how["validation"] == 0
    plain = elman.train(
        "classify", table, run=tmp_path / "plain",
        **HOW | {"refit": False, "validation": 0.0, "epochs": how["epochs"]},
    )  # fmt: skip
    ours, theirs = final(run.path), final(plain.path)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(UserError, match="kept nothing for validation"):
        run.evaluate()


def test_cut_off_in_either_part_it_is_gone_on_with(tmp_path: Path) -> None:
    table = rows(tmp_path / "table.csv")
    own, how = parse("classify", HOW | {"run": tmp_path / "run", "save_every": 0.0})
    alone = elman.train("classify", table, **HOW | {"run": tmp_path / "alone"})
    job = prepare.new("classify", [str(table)], own, how, Clock(None), silent)
    with pytest.raises(PowerCut):
        complete(fails_after(job, 60), silent)
    elman.resume(tmp_path / "run")
    ours, theirs = final(tmp_path / "run/refit"), final(alone.path)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)

    shutil.rmtree(tmp_path / "run/refit")
    second = refit.job_on_everything(job, silent)
    assert second is not None
    with pytest.raises(PowerCut):
        finish(fails_after(second, 20))
    elman.resume(tmp_path / "run")
    ours = final(tmp_path / "run/refit")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert refit.job_on_everything(job, silent) is None


def test_what_is_held_back_elsewhere_cannot_be_given_back(tmp_path: Path) -> None:
    table = rows(tmp_path / "table.csv")
    for asked in ({"validation": 0.0}, {"validation_data": table}):
        with pytest.raises(UserError, match="--refit: needs a validation part"):
            elman.train("classify", table, run=tmp_path / "run", **HOW | asked)
    assert not (tmp_path / "run").exists()
