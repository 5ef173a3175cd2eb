"""`elman doctor`: the task that data is for, and what training would read of it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from calling import call

from elman.tasks.guessing import guess

DRAW = random.Random(1)
FOOD = ["the", "food", "was", "nice", "quick", "cold", "slow", "tasty", "dear", "cheap"]


def texts(count: int) -> list[str]:
    return [" ".join(DRAW.choices(FOOD, k=8)) for _ in range(count)]


FILES = {
    "text": ("hamlet.txt", "To be, or not to be, that is the question.\n" * 50),
    "classify": (
        "reviews.csv", "label,review\n" + "".join(f"{DRAW.choice('ab')},{t}\n" for t in texts(90))
    ),
    "translate": ("pairs.tsv", "".join(f"{t}\t{t[::-1]}\n" for t in texts(90))),
    "forecast": (
        "sales.csv", "date,sold\n" + "".join(f"2024-03-{d:02},{d * 7 % 31}\n" for d in range(1, 31))
    ),
    "regress": (
        "pendulum.csv",
        "sequence,force,angle\n" + "".join(f"{k // 9},{k % 7}.5,{k % 5}.25\n" for k in range(90)),
    ),
    "tag": ("words.conll", "the DET\ncat NOUN\nsat VERB\n\n" * 40),
    "music": ("tune.abc", "X:1\nT:Tune\nK:C\nCDEF|GABc|\n"),
}  # fmt: skip


@pytest.mark.parametrize("task", FILES)
def test_the_task_is_guessed_from_a_file(tmp_path: Path, task: str) -> None:
    name, content = FILES[task]
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert guess([str(tmp_path / name)]).task == task


@pytest.mark.parametrize("task", ["text", "classify", "forecast", "tag", "translate"])
def test_what_it_tells_is_what_training_tells(tmp_path: Path, task: str) -> None:
    name, content = FILES[task]
    (tmp_path / name).write_text(content, encoding="utf-8")
    told = call("doctor", tmp_path / name).out.splitlines()
    assert told[0].startswith(f"task {task}: ")
    trained = call(
        "train", task, tmp_path / name, "--epochs", "1", "--hidden-size", "2", "--sample", "0"
    )
    assert trained.err.splitlines()[: len(told) - 1] == told[1:]


def test_as_json_it_has_the_same_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("To be, or not to be.\n" * 50)
    lines = call("doctor", tmp_path / "a.txt").out.splitlines()
    told = json.loads(call("doctor", tmp_path / "a.txt", "--json").out)
    assert told["task"] == "text" and told["page"]["headline"] == lines[1]


def test_what_is_wrong_is_told_as_training_tells_it(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    for data in ((), ("--nothing",), (tmp_path / "no.txt",), (tmp_path / "empty.txt",)):
        ended = call("doctor", *data)
        assert ended.code == 2 and ended.err.count("\n") == 1
    wrong = call("doctor", tmp_path / "empty.txt", "--task", "text").err
    assert wrong == call("train", "text", tmp_path / "empty.txt").err
