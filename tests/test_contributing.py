"""The cell and the task that CONTRIBUTING.md prints work as printed, and as every other does."""

from __future__ import annotations

import io
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import test_every_cell
import test_every_task
import torch
from calling import call
from jobs import MakeJob, PowerCut, fails_after, final, finish
from torch import nn

import elman
from elman import cells, tasks
from elman.cells import Cell
from elman.errors import UserError
from elman.layers.recurrent import Recurrent
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"
PRINTED = re.compile(r"^`src/elman/([\w/]+\.py)`:\n\n((?:    .*\n|\n)+)", re.MULTILINE)
CELL_LAWS: list[Callable[..., None]] = [
    test_every_cell.test_a_step_is_its_equations_in_numpy,
    test_every_cell.test_gradients_are_the_slopes,
    test_every_cell.test_a_sequence_is_its_steps_repeated,
    test_every_cell.test_packed_equals_padded,
]
TASK_LAWS: list[Callable[[Job], None]] = [
    test_every_task.test_a_task_is_named_and_its_options_survive_being_written,
    test_every_task.test_batches_are_the_same_for_the_same_seed_and_epoch_alone,
    test_every_task.test_the_mean_loss_of_a_new_model_falls_along_its_gradient,
    test_every_task.test_validating_leaves_the_model_as_it_was_and_gives_the_same_twice,
    test_every_task.test_network_and_rivals_answer_the_same_questions,
]
OPTIONS: dict[str, Any] = {"epochs": 2, "batch_size": 16, "hidden_size": 8, "threads": 1}
ELMAN = """
import sys
import elman.tasks
elman.tasks.__path__.append(sys.argv.pop(1))
from elman.apps.cli import main
main()
"""


def printed(below: str) -> dict[str, str]:
    """The files below a folder of the package that the page prints, by their paths there."""
    found = PRINTED.findall(PAGE.read_text(encoding="utf-8"))
    return {
        name.removeprefix(f"{below}/"): dedent(block).strip() + "\n"
        for name, block in found
        if name.startswith(f"{below}/")
    }


def put(
    package: ModuleType, folder: Path, name: str, patch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """What is printed of a part of the package is found in it; → what takes it out again."""
    for path, text in printed(package.__name__.removeprefix("elman.")).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    patch.setattr(package, "__path__", [*package.__path__, str(folder)])

    def take_out() -> None:
        whole = f"{package.__name__}.{name}"
        for module in [m for m in sys.modules if m == whole or m.startswith(f"{whole}.")]:
            del sys.modules[module]
        vars(package).pop(name, None)

    return take_out


@pytest.fixture
def mycell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cell]:
    take_out = put(cells, tmp_path / "cells", "mycell", monkeypatch)
    cells._registry.cache_clear()
    yield cells.get("mycell")
    take_out()
    cells._registry.cache_clear()


@pytest.fixture
def vowels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with `tasks/vowels`, which the registry finds, and `words.txt` to train on."""
    take_out = put(tasks, tmp_path / "tasks", "vowels", monkeypatch)
    draw = random.Random(0)
    words = ["".join(draw.choices("aeioubdgklmnrst", k=draw.randint(1, 7))) for _ in range(400)]
    (tmp_path / "words.txt").write_text(" ".join(words), encoding="utf-8")
    yield tmp_path
    take_out()


def new(folder: Path, run: str, **options: Any) -> Job:
    own, how = parse("vowels", OPTIONS | options | {"run": folder / run})
    data = [str(folder / "words.txt")]
    return prepare.new("vowels", data, own, how, Clock(None), lambda line: None)


@pytest.mark.parametrize("law", CELL_LAWS, ids=lambda law: law.__name__)
def test_the_printed_cell_keeps_the_laws_of_every_cell(
    law: Callable[..., None], mycell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def numpy_mycell(Wx: Any, R: Any, s: Any) -> Any:
        return [(np.tanh(Wx[0] + R(s[0], 0)) + s[0]) / 2]

    monkeypatch.setitem(test_every_cell.NUMPY, "mycell", numpy_mycell)
    law(mycell)


def test_the_printed_cell_learns(mycell: Cell) -> None:
    """An epoch of sums of noise: the error falls far below that of telling nothing."""
    torch.manual_seed(0)
    layer, output = Recurrent(1, 8, cell="mycell"), nn.Linear(8, 1)
    update = torch.optim.Adam([*layer.parameters(), *output.parameters()], lr=1e-2)
    losses = []
    for _ in range(60):
        x = torch.randn(3, 32, 1)
        error = (output(layer(x)[0][-1]) - x.sum(0)).square().mean()
        update.zero_grad()
        error.backward()
        update.step()
        losses.append(error.item())
    assert np.mean(losses[-5:]) < 0.3 * 3  # the variance of what is told


def test_the_printed_cell_is_found_by_its_name(mycell: Cell, make_job: MakeJob) -> None:
    shown = call("trace", "mycell")
    assert shown.code == 0 and all(line in shown.out for line in mycell.equations.splitlines())
    assert "mycell" in call("cells").out
    job = make_job(cell=("mycell",), epochs=1)
    validated = [report.loss for report in finish(job) if report.split == "validation"]
    assert 0 < validated[-1] < np.log(job.dataset.vocabulary.size)


@pytest.mark.parametrize("law", TASK_LAWS, ids=lambda law: law.__name__)
def test_the_printed_task_keeps_the_laws_of_every_task(
    law: Callable[[Job], None], vowels: Path
) -> None:
    law(new(vowels, "run"))


def test_the_printed_task_resumed_ends_as_if_left_alone(vowels: Path) -> None:
    finish(new(vowels, "alone", dropout=0.3, save_every=0.0))
    batches = random.Random().randrange(1, 2 * 20)
    with pytest.raises(PowerCut):
        finish(fails_after(new(vowels, "cut", dropout=0.3, save_every=0.0), batches))
    finish(prepare.again(vowels / "cut", None, None, Clock(None), lambda line: None))
    alone, resumed = final(vowels / "alone"), final(vowels / "cut")
    assert alone.keys() == resumed.keys()
    assert [name for name in alone if not torch.equal(alone[name], resumed[name])] == []


def test_the_printed_task_learns_is_scored_and_answers(vowels: Path) -> None:
    options = OPTIONS | {"epochs": 25, "hidden_size": 16, "learning_rate": 1e-2}
    run = elman.train("vowels", vowels / "words.txt", run=vowels / "run", **options)
    assert run.scores["accuracy"] > run.baseline["accuracy"] + 0.3
    assert run.evaluate().scores == pytest.approx(run.scores)
    assert "vowels" in (run.path / "report.md").read_text(encoding="utf-8")
    lines = "bad  god\n\nsurely\naeiou"
    (vowels / "other.txt").write_text(lines, encoding="utf-8")
    assert run.evaluate(vowels / "other.txt").scores["accuracy"] >= 0
    out = io.StringIO()
    run.predict(vowels / "other.txt", out=out)
    answers = out.getvalue()
    assert [len(line.split()) for line in answers.splitlines()] == [2, 0, 1, 1]
    assert answers.startswith("1 1\n")
    command = [sys.executable, "-c", ELMAN, str(vowels / "tasks")]
    told = subprocess.run(
        [*command, "predict", str(run.path), "-"], input=lines, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert told.stdout == answers
    assert "Read a word and tell how many vowels it has." in call("tasks").out


def test_the_printed_task_refuses_what_it_cannot_learn_from(vowels: Path) -> None:
    (vowels / "one.txt").write_text("alone", encoding="utf-8")
    with pytest.raises(UserError, match="too few words"):
        elman.train("vowels", vowels / "one.txt", run=vowels / "run", **OPTIONS)
