"""A look: a batch of what a network was not trained on, and what people see of it step by step."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Batch = TypeVar("Batch")
# Networks that answer together: all of them in a list, or the others beside the first.
ENSEMBLE = re.compile(r"^(members|networks|beside)\.(\d+)\.")
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Look(Generic[Batch]):
    """B sequences as `Task.loss` takes them, and in words.

    `steps` are what each step of each sequence reads: a token, the number of a row, a time. Where
    the network reads several of them in a step, `stride` says how many. `labels` are what is to be
    told, one for each step or one for the sequence; `quantities` what is known in numbers beside
    it, each [T] or one number for the sequence. `answers` are the steps of a second network, one
    that writes what the first has read.
    """

    batch: Batch
    steps: list[list[str]]
    what: str  # "16 stretches of 200 characters of the validation part"
    labels: list[list[str]] = field(default_factory=list)
    quantities: Mapping[str, list[NDArray[Any]]] = field(default_factory=dict)
    answers: list[list[str]] = field(default_factory=list)
    unit: str = "step"  # what a step is: character, token, row
    stride: int = 1
    truncation: int | None = None  # steps after which training cuts the gradient, where it does

    @property
    def lengths(self) -> list[int]:
        """The steps of each sequence, as they are read."""
        return [len(steps) for steps in self.steps]


def network_number(path: str) -> int:
    """The number of the network to which a module belongs, of several that answer together; 0 of
    the first."""
    found = ENSEMBLE.match(path)
    if found is None:
        return 0
    return int(found[2]) + (found[1] == "beside")


def alike(path: str) -> bool:
    """Whether a module belongs to a network that is made like the first of several."""
    return network_number(path) > 0


def picked(count: int, size: int, seed: int) -> list[int]:
    """`size` of `count` numbers, drawn, in order; all where there are no more."""
    draw = np.random.default_rng(seed)
    chosen = draw.choice(count, size=min(size, count), replace=False)
    return sorted(chosen.tolist())


def numbered(lengths: Sequence[int]) -> list[list[str]]:
    """Steps that have nothing but a number, from 1."""
    return [[str(t + 1) for t in range(length)] for length in lengths]
