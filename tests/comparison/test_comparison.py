"""A comparison is its runs: each as elman train makes it, whatever stopped and whoever worked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from calling import call, snapshot
from jobs import PowerCut, fails_after, final

import elman
from elman.comparison.api import compare
from elman.comparison.place import PAGE, PLAN, RESULT
from elman.comparison.result import Result, as_record, table
from elman.errors import RunError, UserError
from elman.run import api
from elman.run.job import Job

pytestmark = pytest.mark.pictures

SMALL: dict[str, Any] = {
    "epochs": 1, "hidden_size": 12, "batch_size": 4, "sequence_length": 16, "threads": 1,
}  # fmt: skip


def race(text: Path, run: str = "race", **other: Any) -> Result:
    asked = {"cells": ["lstm", "rnn"], "seeds": 2, "jobs": 1, **SMALL, "run": run, **other}
    return compare("text", str(text), **asked)


def untimed(result: Result) -> dict[str, Any]:
    """The record without what differs between two processes that do the same."""
    record = as_record(result)
    del record["folder"]
    for variant in record["variants"]:
        for run in variant["runs"]:
            del run["seconds"]
    return record


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Result]:
    """A text, a comparison on it, and its result; not to be changed."""
    folder = tmp_path_factory.mktemp("raced")
    path = folder / "text.txt"
    path.write_text("the cat sat on a mat and saw two old dogs run by. " * 60, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        torch.set_num_threads(1)
        return path, folder / "race", race(path, str(folder / "race"))


def test_a_run_of_a_comparison_is_a_run_of_train(raced: tuple[Path, Path, Result]) -> None:
    text, folder, result = raced
    for row in result.rows:
        units = tuple(row.variant.options["hidden_size"])
        rate = row.variant.training["learning_rate"]
        alone = elman.train(
            "text", str(text), cell=row.variant.name, seed=2, run=Path("alone"), force=True,
            **{**SMALL, "hidden_size": units, "learning_rate": rate, "sample": 0,
               "weight_drop": 0.0, "dropout": row.variant.options["dropout"]},
        )  # fmt: skip
        assert alone.scores == row.runs[1].scores
        ours, theirs = final(folder / "runs" / f"{row.variant.name}-2"), final(alone.path)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_what_is_compared_has_equal_weights_and_reads_the_same(
    raced: tuple[Path, Path, Result],
) -> None:
    _, folder, result = raced
    first, other = (row.variant for row in result.rows)
    assert other.weights == pytest.approx(first.weights, rel=0.02)
    for variant in (first, other):
        model = elman.load(folder / "runs" / f"{variant.name}-1").model
        assert sum(p.numel() for p in model.parameters()) == variant.weights
        saved = dict(variant.options) | {"cell": None, "hidden_size": None}
        assert saved == dict(first.options) | {"cell": None, "hidden_size": None}
        assert variant.training["batch_size"] == first.training["batch_size"]


def test_killed_at_any_instant_and_started_again_is_as_never_stopped(
    raced: tuple[Path, Path, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, folder, result = raced
    complete, cuts = api.complete, [3, 0, 11, 5]

    def dying(job: Job, *others: Any) -> Any:
        if cuts:
            how = dataclasses.replace(job.how, save_every=0.0)
            return complete(fails_after(dataclasses.replace(job, how=how), cuts.pop()), *others)
        return complete(job, *others)

    monkeypatch.setattr(api, "complete", dying)
    while cuts:
        with pytest.raises(PowerCut):
            race(text, "killed")
    again = race(text, "killed")
    assert untimed(again) == untimed(result)
    for path in sorted((folder / "runs").glob("*-?")):
        ours, theirs = final(Path("killed/runs") / path.name), final(path)
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    done = snapshot(Path("killed/runs"))
    assert untimed(race(text, "killed")) == untimed(result)
    assert snapshot(Path("killed/runs")) == done  # nothing is done twice


def test_processes_side_by_side_come_to_the_same(raced: tuple[Path, Path, Result]) -> None:
    text, _, result = raced
    assert untimed(race(text, "parallel", jobs=2)) == untimed(result)


def test_more_seeds_may_be_asked_for_later(text: Path) -> None:
    one = race(text, seeds=1)
    assert one.rows[1].difference is not None and one.rows[1].difference.low is None
    done = snapshot(Path("race/runs/lstm-1"))
    two = race(text, seeds=2)
    assert [run.seed for run in two.rows[0].runs] == [1, 2]
    assert two.rows[0].runs[0] == one.rows[0].runs[0]
    assert snapshot(Path("race/runs/lstm-1")) == done


def test_a_run_that_fails_is_told_and_the_others_go_on(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = api.complete

    def failing(job: Job, *others: Any) -> Any:
        if job.options.cell == ("rnn",) and job.how.seed == 1:
            raise RunError("the loss is no longer finite")
        return complete(job, *others)

    monkeypatch.setattr(api, "complete", failing)
    result = race(text)
    assert result.rows[1].runs[0].failure == "the loss is no longer finite"
    assert result.ended == 4 and result.rows[1].difference is not None
    assert result.rows[1].difference.seeds == 1
    assert "rnn, seed 1: the loss is no longer finite" in Path("race", PAGE).read_text()
    monkeypatch.setattr(api, "complete", complete)
    (Path("race/runs") / "rnn-1.failed").unlink()
    assert race(text).rows[1].runs[0].scores


def test_any_option_may_be_compared(text: Path) -> None:
    result = race(text, cells=[], over=("dropout", ["0", "0.5"]), seeds=1)
    assert [row.variant.options["dropout"] for row in result.rows] == [0.0, 0.5]
    assert result.rows[0].variant.weights == result.rows[1].variant.weights
    rates = race(text, "rates", cells=[], over=("learning_rate", ["0.001", "0.01"]), seeds=1)
    assert [row.variant.training["learning_rate"] for row in rates.rows] == [0.001, 0.01]
    wide = race(
        text, "wide", cells=[], over=("hidden_size", ["4", "8"]), equal="minutes", minutes=0.1,
        epochs=None, hidden_size=None, seeds=1,
    )  # fmt: skip
    assert [row.variant.units for row in wide.rows] == ["4", "8"]


def test_table_json_and_picture_say_the_same(raced: tuple[Path, Path, Result]) -> None:
    _, folder, result = raced
    heads, rows = table(result)
    assert len(rows) == 2 and all(len(row) == len(heads) for row in rows)
    record = json.loads((folder / RESULT).read_text())
    assert record == json.loads(json.dumps(as_record(result)))
    page = (folder / PAGE).read_text()
    assert all(f"| {row[0]} | {row[1]} |" in page for row in rows)
    assert (folder / "comparison.png").exists()
    first, other = (v["runs"] for v in record["variants"])
    apart = [b["scores"]["nats"] - a["scores"]["nats"] for a, b in zip(first, other, strict=True)]
    assert record["variants"][1]["difference"]["mean"] == pytest.approx(sum(apart) / 2)


# ---- What does not fit


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cells": ["lstm", "gru"]}, "holds another comparison .between"),
        ({"hidden_size": 13}, "holds another comparison .hidden_size"),
        ({"epochs": 2}, "holds another comparison .epochs"),
        ({"equal": "minutes", "epochs": None, "minutes": 1.0}, "holds another comparison .equal"),
        ({"dropout": 0.5}, "holds another comparison .dropout: nothing there, 0.5 here"),
    ],
)
def test_a_folder_of_another_comparison_is_refused(
    raced: tuple[Path, Path, Result], changed: dict[str, Any], message: str
) -> None:
    text, folder, _ = raced
    before = snapshot(folder)
    with pytest.raises(UserError, match=message):
        race(text, str(folder), **changed)
    assert snapshot(folder) == before


def edit(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        record = json.loads((folder / PLAN).read_text())
        change(record)
        (folder / PLAN).write_text(json.dumps(record))

    return damage


def write(text: str, name: str = PLAN) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / name).write_text(text)

    return damage


def a_folder_instead(folder: Path) -> None:
    (folder / PLAN).unlink()
    (folder / PLAN).mkdir()


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no JSON": write("{"),
    "a list": write("[]"),
    "deep": write("[" * 100_000),
    "large": write(" " * 1_000_001),
    "a folder": a_folder_instead,
    "no task": edit(lambda record: record["asked"].pop("task")),
    "another task": edit(lambda record: record["asked"].update(task="texts")),
    "weights": edit(lambda record: record["variants"][0].update(weights="many")),
    "options": edit(lambda record: record["variants"][0].update(options=[])),
    "no variants": edit(lambda record: record.update(variants=[])),
    "a value": edit(lambda record: record["asked"]["values"].update(hidden_size="wide")),
    "no threads": edit(lambda record: record["variants"][0]["training"].pop("threads")),
    "scores": write("{}", "runs/lstm-1/scores.json"),
    "options of a run": lambda folder: (folder / "runs/lstm-1/options.toml").unlink(),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_is_told_in_one_line(
    raced: tuple[Path, Path, Result], damage: str, tmp_path: Path
) -> None:
    import shutil

    text, folder, _ = raced
    shutil.copytree(folder, tmp_path / "copy")
    DAMAGE[damage](tmp_path / "copy")
    with pytest.raises(UserError) as told:
        race(text, str(tmp_path / "copy"))
    assert "\n" not in str(told.value) and str(tmp_path / "copy") in str(told.value)


def test_a_run_folder_and_any_other_folder_are_no_comparison(
    raced: tuple[Path, Path, Result], tmp_path: Path
) -> None:
    text, folder, _ = raced
    with pytest.raises(UserError, match="holds a run, not a comparison"):
        race(text, str(folder / "runs/lstm-1"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    for path in (tmp_path / "mine", tmp_path / "mine/letter.txt"):
        with pytest.raises(UserError, match="exists and is not a comparison"):
            race(text, str(path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("text", "--cells", "lstm,gur"), 'unknown cell "gur"; did you mean "gru"?'),
        (("text", "--cells", "lstm"), "got lstm alone; give two at least"),
        (("text", "--cells", "lstm,lstm"), "got lstm twice"),
        (("text", "--cells", "lstm,gru", "--over", "dropout=0,1"), "no --cells beside it"),
        (("text", "--over", "dropout"), "NAME=A,B"),
        (("text", "--over", "droput=0,0.5"), 'unknown option "droput"; did you mean "dropout"'),
        (("text", "--over", "dropout=0,x"), "needs a number"),
        (("text", "--over", "seed=1,2"), "is alike for all runs"),
        (("text", "--over", "hidden-size=1,2"), "needs --equal minutes"),
        (("text", "--over", "dropout=0,0.5", "--dropout", "0"), "is what is compared"),
        (("text", "-"), "standard input can be read only once"),
        (("text", "--equal", "minutes", "--epochs", "1"), "give --minutes"),
        (("text", "--equal", "sizes", "--epochs", "1"), "--equal"),
        (("text", "--validation", "0"), "needs something to score"),
        (("text", "--seeds", "0"), "--seeds 0: needs a value from 1"),
        (("text", "--cells", "lstm,mingru", "--weight-drop", "0.1"), "mingru has no recurrent"),
        (("text", "absent.txt", "--epochs", "1"), "absent.txt"),
        (("text", "--cell", "lstm"), "--cell"),
        (("texts",), "texts"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_written(
    arguments: tuple[str, ...], message: str
) -> None:
    ended = call("compare", *arguments)
    assert ended.code == 2 and message in ended.err
    assert len(ended.err.splitlines()) == 1 and not Path("comparisons").exists()


def test_the_command_races_and_prints_one_table(text: Path) -> None:
    words = ["compare", "text", str(text), "--cells", "gru,mingru", "--seeds", "1", "--epochs", "1",
             "--hidden-size", "4", "--jobs", "1", "--threads", "1", "--run", "here"]  # fmt: skip
    ended = call(*words)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0].startswith("cell") and "mingru" in ended.out
    record = json.loads(call(*words, "--json").out)
    assert record["ended"] == 2 and record["equal"] == "weights"
    assert f"elman compare text {text} --cells gru,mingru" in Path("here", PAGE).read_text()
