"""Flags made from options: lists shown as lists, other names accepted and not shown."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from calling import call

from elman import tasks
from elman.options import aliases
from elman.run.options import parse

MONTHS = [f"{2000 + m // 12}-{m % 12 + 1:02}-01" for m in range(60)]
TINY = (
    "--epochs",
    "1",
    "--hidden-size",
    "2",
    "--horizon",
    "2",
    "--look-back",
    "4",
    "--threads",
    "1",
)


@pytest.mark.parametrize("task", tasks.names())
def test_lists_are_shown_as_lists(task: str) -> None:
    command = [sys.executable, "-m", "elman", "train", task, "--help"]
    wide = os.environ | {"COLUMNS": "200"}  # so that no flag is cut
    shown = subprocess.run(command, env=wide, capture_output=True, text=True, check=True).stdout
    for field in dataclasses.fields(tasks.options(task)):
        flag = "--" + field.name.replace("_", "-")
        if "tuple[" in str(field.type):
            assert f"{flag} A,B,..." in shown
        assert f"{flag} STR..." not in shown
    for other in aliases(tasks.options(task)):
        assert "--" + other.replace("_", "-") not in shown


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "x.csv"
    draw = random.Random(0)
    rows = "".join(f"{m},{draw.random():.3f},{draw.random():.3f}\n" for m in MONTHS)
    path.write_text("ds,sales,price\n" + rows)
    return path


@pytest.mark.parametrize("flag", ["--target", "--target-columns", "--target_columns"])
def test_target_has_two_names_on_the_command_line(flag: str, table: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    ended = call("train", "forecast", table, flag, "sales", *TINY, "--run", run)
    assert ended.code == 0, ended.err
    options = (run / "options.toml").read_text()
    assert "target = [" in options and "target_columns" not in options
    # A folder from the time of the other name.
    (run / "options.toml").write_text(options.replace("target = [", "target_columns = ["))
    assert call("evaluate", run).code == 0
    config = ("--config", run / "options.toml", "--target", "price", "--run", tmp_path / "other")
    assert call("train", "forecast", *config).code == 0
    assert '"price"' in (tmp_path / "other" / "options.toml").read_text()


def test_one_option_by_two_names_is_refused(table: Path) -> None:
    ended = call("train", "forecast", table, "--target", "sales", "--target-columns", "price")
    assert ended.code == 2
    assert ended.err == "elman: target and target_columns are two names of one option; give one\n"
    assert not Path("runs").exists()


def test_python_knows_both_names() -> None:
    for name in ("target", "target_columns"):
        assert parse("forecast", {name: ["a"], "epochs": 1})[0].target == ("a",)
    assert json.dumps(sorted(aliases(tasks.options("forecast")))) == '["target_columns"]'
