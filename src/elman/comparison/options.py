"""What `elman compare` is asked for, beside the options of a task and of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from elman import cells, tasks
from elman.errors import UserError, unknown_name
from elman.options import require, require_range
from elman.run.options import TrainOptions, by_own_name, parse

Equal: TypeAlias = Literal["weights", "minutes"]

CELLS = ("lstm", "gru", "rnn")  # compared where nothing is said
# Options of training that every run of a comparison has alike, or that a comparison sets itself.
ALIKE = frozenset(
    {"run", "force", "minutes", "epochs", "validation", "refit", "seed", "device", "threads",
     "sample", "save_every", "track"}
)  # fmt: skip
SET = frozenset({"run", "force", "refit"})  # those of them that are no flags of `elman compare`


@dataclass(frozen=True)
class CompareOptions:
    """Options of a comparison.

    Parameters
    ----------
    run
        Folder of the comparison; comparisons/NAME of the data if not given. One that was
        interrupted is gone on with by the same command.
    cells
        Cells to compare, a list: lstm,gru,rnn if nothing is said. The others are told against the
        first.
    over
        Another option to compare values of, instead of cells: NAME=A,B,...
    seeds
        Runs of each, which start from other weights and read the data in another order; the same
        number means the same order for all. More may be asked for later.
    equal
        What is alike: weights, where the others' layers are made as wide as gives them as many
        weights as the first has, or minutes, where layers are as they are.
    jobs
        Runs side by side; as many as there are cores if not given.
    """

    run: Path | None = None
    cells: tuple[str, ...] = ()
    over: str | None = None
    seeds: int = 3
    equal: Equal = "weights"
    jobs: int | None = None

    def __post_init__(self) -> None:
        require_range(self, ("seeds",), 1, 1000)
        require_range(self, ("jobs",), 1, 1024)
        for name in self.cells:
            cells.get(name)
        require(self, "over", not (self.cells and self.over), "no --cells beside it")
        self.question()

    def question(self) -> Question:
        """What is compared. UserError: fewer than two values, or one twice."""
        if self.over is None:
            return Question("cell", self.cells or CELLS)
        name, equals, values = self.over.partition("=")
        require(self, "over", bool(name and equals), "NAME=A,B,...")
        return Question(name.strip().lstrip("-").replace("-", "_"), tuple(values.split(",")))


@dataclass(frozen=True)
class Question:
    """An option, and the values of it that are compared; the others are told against the first."""

    name: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        kind = "cells" if self.name == "cell" else f"values of {self.name}"
        for value in self.values:
            if not value or self.values.count(value) > 1:
                what = f"{value} twice" if value else "one that is empty"
                raise UserError(f"{kind}: got {what}; give each once")
        if len(self.values) < 2:
            raise UserError(f"{kind}: got {', '.join(self.values)} alone; give two at least")


@dataclass(frozen=True)
class Asked:
    """A whole request: what is compared, on which task, by which options; plain values."""

    task: str
    data: tuple[str, ...]
    question: Question
    equal: Equal
    values: Mapping[str, Any]  # options of the task and of its training, by their own names

    def parsed(self, value: str) -> tuple[Any, TrainOptions]:
        """The options of one variant, as the user asked for them. UserError: they do not fit."""
        return parse(self.task, {**self.values, self.question.name: value})


def asked(
    task: str, data: tuple[str, ...], values: Mapping[str, Any], how: CompareOptions
) -> Asked:
    """A request, checked as far as it can be without a look at the data. Raises UserError."""
    question = how.question()
    own = by_own_name(task, {n: v for n, v in values.items() if v is not None})
    known = {field.name for kind in (tasks.options(task), TrainOptions) for field in fields(kind)}
    if question.name not in known:
        raise unknown_name("option", question.name, sorted(known - ALIKE))
    if question.name in ALIKE:
        raise UserError(f"--over {question.name}: is alike for all runs; compare another option")
    if question.name in own:
        flag = "--" + question.name.replace("_", "-")
        raise UserError(f"{flag}: is what is compared; leave it out")
    for name in sorted(own.keys() & SET):
        raise UserError(f"--{name}: of no use to a comparison")
    if "-" in data:
        raise UserError("compare: standard input can be read only once; name a file")
    made = Asked(task, data, question, how.equal, own)
    for value in question.values:
        _, training = made.parsed(value)
    if not training.validation:
        raise UserError("--validation 0: a comparison needs something to score")
    if how.equal == "minutes" and training.minutes is None:
        raise UserError("--equal minutes: --epochs take each as long as they do; give --minutes")
    if how.equal == "weights" and question.name.endswith("hidden_size"):
        raise UserError(f"--over {question.name}: needs --equal minutes, as sizes set the weights")
    return made
