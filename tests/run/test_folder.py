"""A run folder is whole or not there, holds what is documented, and is replaced only on demand."""

from __future__ import annotations

import json
import math
import os
import pickletools
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from jobs import MakeJob, finish

import elman
from elman.errors import UserError
from elman.run import folder
from elman.run.folder import RunFolder
from elman.run.log import Log
from elman.run.options import TrainOptions
from elman.run.train import Progress

SMALL: dict[str, Any] = {
    "epochs": 1,
    "hidden_size": 3,
    "batch_size": 8,
    "sequence_length": 16,
    "sample": 10,
}


@pytest.mark.pictures
def test_a_run_leaves_these_files_and_nothing_else(text: Path, tmp_path: Path) -> None:
    run = elman.train("text", text, run=tmp_path / "run", **SMALL)
    left = {str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file()}
    assert left == {
        "options.toml", "preprocessing.json", "model.safetensors", "checkpoint/state.safetensors",
        "metrics.jsonl", "scores.json", "report.md", "curves.png", "README.md",
        "rivals.json",
    }  # fmt: skip
    assert {p.name for p in tmp_path.iterdir()} == {"run", "text.txt"}

    options = RunFolder(run.path).options()
    assert options["task"] == "text" and options["data"] == [str(text)]
    assert options["text"]["hidden_size"] == [3]
    # Every option is there but those that no longer matter and the one that excludes the other.
    settled = set(TrainOptions.__dataclass_fields__) - {"run", "minutes", "cycle"}
    assert set(options["train"]) == settled
    readable = {oct(p.stat().st_mode & 0o777) for p in run.path.iterdir() if p.is_file()}
    assert len(readable) == 1


def test_no_file_of_a_run_is_a_pickle(text: Path, tmp_path: Path) -> None:
    run = elman.train("text", text, run=tmp_path / "run", **SMALL)
    for path in run.path.rglob("*"):
        if path.is_file():
            assert not zipfile.is_zipfile(path), path
            with pytest.raises(Exception):  # noqa: B017 whatever it is that stops the parser
                list(pickletools.genops(path.read_bytes()))


def test_runs_without_a_name_are_numbered(text: Path, tmp_path: Path) -> None:
    paths = [elman.train("text", text, **SMALL).path for _ in range(3)]
    assert paths == [tmp_path / "runs" / name for name in ("text", "text-2", "text-3")]
    assert all(path.is_dir() for path in paths)


def test_force_replaces_a_run_whole(make_job: MakeJob, tmp_path: Path) -> None:
    finish(make_job(hidden_size=3))
    (tmp_path / "run/notes.txt").write_text("mine")
    with pytest.raises(UserError, match="holds a run; give --force"):
        make_job(hidden_size=4)
    assert RunFolder(tmp_path / "run").options()["text"]["hidden_size"] == [3]

    make_job(hidden_size=4, force=True)
    assert RunFolder(tmp_path / "run").options()["text"]["hidden_size"] == [4]
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "options.toml", "preprocessing.json", "checkpoint"
    }  # fmt: skip
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_run_is_never_replaced(force: bool, make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in ("photo.jpg", "options.toml"):
        (tmp_path / "run" / name).write_text("precious")
        with pytest.raises(UserError, match="exists and is not a run folder"):
            make_job(force=force)
        assert (tmp_path / "run" / name).read_text() == "precious"
    (tmp_path / "file").write_text("precious")
    with pytest.raises(UserError, match="exists and is not a run folder"):
        make_job("file", force=force)
    assert (tmp_path / "file").read_text() == "precious"


def test_an_empty_folder_may_become_a_run(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    finish(make_job())
    assert elman.load(tmp_path / "run").task == "text"


@pytest.mark.parametrize("where", [".", "..", "/"])
def test_the_folder_one_is_in_is_refused(where: str, text: Path) -> None:
    with pytest.raises(UserError, match="is the folder you are in, or above it"):
        elman.train("text", text, run=where, **SMALL)


def test_a_place_that_cannot_be_is_refused_in_one_line(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name in ("file/run", "x" * 300):
        with pytest.raises(UserError) as told:
            make_job(name)
        assert "\n" not in str(told.value)


def test_if_making_a_run_fails_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written"):
        folder.create(
            tmp_path / "run", {}, {}, {"input.txt": tmp_path / "absent"}, force=False
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_what_a_stranger_may_have_damaged_is_told(make_job: MakeJob, tmp_path: Path) -> None:
    finish(make_job())
    run = tmp_path / "run"
    tables = RunFolder(run).options()

    def refused(name: str, content: str, told: str) -> None:
        before = (run / name).read_text(encoding="utf-8")
        (run / name).write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=told):
            elman.load(run)
        (run / name).write_text(before, encoding="utf-8")

    refused("options.toml", "task = ", "not valid TOML")
    refused("options.toml", "", "no task in it")
    refused("options.toml", tomli_w.dumps(tables | {"task": "txt"}), "unknown task")
    refused("options.toml", tomli_w.dumps(tables | {"data": 3}), "data is not a list")
    small = tables | {"text": {k: v for k, v in tables["text"].items() if k != "hidden_size"}}
    refused("options.toml", tomli_w.dumps(small), "damaged .no hidden_size in it.")
    wide = tables | {"text": tables["text"] | {"hidden_size": [16_000]}}
    refused("options.toml", tomli_w.dumps(wide), "does not fit the run's options")
    refused("preprocessing.json", "[" * 100_000, "damaged")
    refused("preprocessing.json", "{}", "no vocabulary in it")
    assert elman.load(run).task == "text"


def test_the_log_holds_every_validation_and_no_nan(tmp_path: Path) -> None:
    def event(split: str, seconds: float, loss: float) -> Progress:
        return Progress(split, 1, 0, 0.5, loss, 9, seconds, 1.0, 0.1, 1.0)  # type: ignore[arg-type]

    log = Log(tmp_path / "metrics.jsonl")
    for tenth in range(1000):
        log.write(event("train", tenth / 10, 2.0))
        if tenth % 100 == 0:
            log.write(event("validation", tenth / 10, math.nan))
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line, parse_constant=lambda name: pytest.fail(name)) for line in lines]
    splits = [record["split"] for record in records]
    assert splits.count("validation") == 10
    assert 95 <= splits.count("train") <= 101  # once a second
    assert {record["loss"] for record in records if record["split"] == "validation"} == {None}


def test_half_a_line_at_the_end_of_the_log_is_passed_over(tmp_path: Path) -> None:
    event = Progress("train", 1, 0, 0.5, 2.0, 9, 1.0, 1.0, 0.1, 1.0)
    log = Log(tmp_path / "metrics.jsonl")
    log.write(event)
    with log.path.open("a", encoding="utf-8") as file:
        file.write('3\n{"step": 2, "sam')
    assert RunFolder(tmp_path).metrics() == [asdict(event)]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(UserError, match="cannot be written"):
        make_job("closed/run")
