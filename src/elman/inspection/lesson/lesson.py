"""The lesson as a whole: who is trained on what, what was found in words, tables and JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from elman import cells
from elman.errors import UserError
from elman.inspection.lesson.problems import FEWEST_STEPS, PROBLEMS
from elman.inspection.lesson.training import Contestant, Seen, Trained, can_open, train

FAR = 100.0  # times larger or smaller, over all steps, from which on gradients explode or vanish
LEARNT = 0.5  # of the loss of a guess, below which a problem counts as being learnt
RANGES = {
    "steps": (FEWEST_STEPS, 5_000),
    "updates": (1, 1_000_000),
    "hidden_size": (1, 4_096),
    "seed": (0, 2**62),
}


@dataclass(frozen=True)
class Lesson:
    """What is taught: which cells, over how many steps.

    With `rnn` among the cells it is trained twice more, from recurrent weights whose largest
    eigenvalue is `radius`, without clipping and clipped to `clip`. A cell with a gate that keeps
    its state is trained once more with that gate open from the start.
    """

    cells: tuple[str, ...] = ("rnn", "lstm", "gru")
    steps: int = 100
    updates: int = 600
    hidden_size: int = 32
    radius: float = 2.0
    clip: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        if not self.cells or len(set(self.cells)) < len(self.cells):
            raise UserError(f"--cells {','.join(self.cells)}: needs names, each once")
        for name in self.cells:
            cells.get(name)
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                flag = name.replace("_", "-")
                raise UserError(f"--{flag} {value}: needs a value from {low} to {high}")
        for name in ("radius", "clip"):
            if not 0 < getattr(self, name) <= 1_000:
                raise UserError(
                    f"--{name} {getattr(self, name):g}: needs a value above 0, at most 1000"
                )

    @property
    def contestants(self) -> tuple[Contestant, ...]:
        made: list[Contestant] = []
        for name in self.cells:
            made.append(Contestant(name, clip=self.clip))
            if can_open(name):
                made.append(Contestant(name, clip=self.clip, open=True))
        if "rnn" in self.cells:
            made += [Contestant("rnn", self.radius, clip) for clip in (None, self.clip)]
        return tuple(made)


@dataclass(frozen=True)
class Taught:
    """A lesson that was held."""

    lesson: Lesson
    trained: tuple[Trained, ...]

    def of(self, problem: str) -> list[Trained]:
        return [one for one in self.trained if one.problem.name == problem]

    def record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"lesson": {**vars(self.lesson), "cells": list(self.lesson.cells)},
                "trained": [_record(one) for one in self.trained],
                "findings": findings(self)}  # fmt: skip


def teach(lesson: Lesson, say: Callable[[str], None] = lambda line: None) -> Taught:
    """Train every contestant on every problem; `say` is told each when it is done."""
    made: list[Trained] = []
    for problem in PROBLEMS:
        for contestant in lesson.contestants:
            found = train(
                contestant, problem, lesson.steps, lesson.updates, lesson.hidden_size, lesson.seed
            )
            made.append(found)
            told = f"{found.losses[-1]:.4f} {problem.unit}, a guess has {problem.guess:.4f}"
            say(f"{problem.name}, {contestant.name}: {told}")
    return Taught(lesson, tuple(made))


HEADS = (
    "problem", "network", "factor a step, before", "after", "1 % after steps, before", "after",
    "gate keeps, before", "after", "loss", "largest gradient", "median",
)  # fmt: skip


def table(taught: Taught) -> list[tuple[str, ...]]:
    """A row for each network on each problem."""
    return [
        (
            one.problem.name,
            one.contestant.name,
            *(f"{seen.flow.growth().number:.3f}" for seen in (one.before, one.after)),
            *(_reach(seen) for seen in (one.before, one.after)),
            *("" if s.kept is None else f"{s.kept:.2f}" for s in (one.before, one.after)),
            f"{_end(one):.4f}" if not one.failed_at else f"not finite at {one.failed_at}",
            f"{max(one.norms):.3g}",
            f"{median(one.norms):.3g}",
        )
        for one in taught.trained
    ]


def findings(taught: Taught) -> list[str]:
    """What the lesson shows, in sentences made of its own numbers."""
    return [line for one in taught.trained for line in _findings(one, taught.lesson)]


def _findings(one: Trained, lesson: Lesson) -> list[str]:
    who = f"{one.problem.name}, {one.contestant.name}"
    lines = []
    for when, seen in (("before training", one.before), ("after", one.after)):
        factor = seen.flow.growth().number
        if not math.isfinite(factor):
            continue
        over = factor ** (lesson.steps - 1)
        kind = "explode" if over > FAR else "vanish" if over < 1 / FAR else "last"
        lines.append(
            f"{who}, {when}: gradients {kind}, by {factor:.3f} a step, "
            f"{over:.1e} over {lesson.steps} steps"
        )
    told = f"{who}: " + "; ".join(line.removeprefix(f"{who}, ") for line in lines)
    if one.failed_at:
        return [f"{told}. Its loss was no longer finite at update {one.failed_at}."]
    learnt = _end(one) < LEARNT * one.problem.guess
    verdict = "is being learnt" if learnt else "is not learnt"
    return [
        f"{told}. The problem {verdict}: {_end(one):.4f} {one.problem.unit}, "
        f"where a guess has {one.problem.guess:.4f}."
    ]


def _end(one: Trained) -> float:
    """The loss of the last updates, a twentieth of all."""
    last = one.losses[-max(1, len(one.losses) // 20) :]
    return sum(last) / len(last)


def _reach(seen: Seen) -> str:
    steps, left = seen.flow.reach()
    if left.number > 0.5:
        return f"over {seen.flow.whole.shape[1] - 1}"
    return f"{steps.number:.0f}"


def _record(one: Trained) -> dict[str, Any]:
    def seen(found: Seen) -> dict[str, Any]:
        return {
            "gradient_by_lag": found.flow.by_lag().record(),
            "share_by_lag": found.flow.share_by_lag().record(),
            "factor_a_step": found.flow.growth().record(),
            "gate_keeps": found.kept,
            "loss": found.loss,
        }

    return {
        "problem": one.problem.name,
        "network": one.contestant.name,
        "cell": one.contestant.cell,
        "radius": one.contestant.radius,
        "clip": one.contestant.clip,
        "open": one.contestant.open,
        "guess": one.problem.guess,
        "unit": one.problem.unit,
        "before": seen(one.before),
        "after": seen(one.after),
        "losses": _finite(one.losses),
        "gradient_norms": _finite(one.norms),
        "failed_at": one.failed_at,
    }


def _finite(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]
