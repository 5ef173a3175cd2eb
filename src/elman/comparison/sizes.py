"""Layers as wide as give a network so many weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

from elman.errors import UserError
from elman.tasks.task import Task

T = TypeVar("T")

NEAR = 0.02  # share of the weights by which two networks may differ and count as equal
WIDEST = 16_384  # units


def weights(task: Task[Any, Any, Any], kept: Mapping[str, Any], options: Any) -> int:
    """How many weights a network of these settled options has; nothing is made."""
    with torch.device("meta"):
        return sum(p.numel() for p in task.build(kept, options).parameters())


def sized(
    task: Task[Any, Any, Any], kept: Mapping[str, Any], options: Any, target: int
) -> tuple[Any, int]:
    """The options with layers as wide as bring the weights nearest to `target`, and the weights.

    Of several layers the widths keep their proportion. UserError where no width can be built.
    """

    def tried(units: int) -> tuple[Any, int]:
        found = widened(options, units)
        try:
            return found, weights(task, kept, found)
        except UserError:
            # Tied weights want an embedding as wide as the layers.
            both = _with_embedding(options, found)
            if both is None:
                raise
            return both, weights(task, kept, both)

    return nearest(tried, target)


def nearest(tried: Callable[[int], tuple[T, int]], target: int) -> tuple[T, int]:
    """Of `tried(units)` → (what, weights), which grow with the units, that nearest to `target`."""
    low, high = 1, 2
    while high < WIDEST and tried(high)[1] < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if tried(middle)[1] < target else (low, middle)
    return min((tried(low), tried(high)), key=lambda found: abs(found[1] - target))


def widened(options: Any, units: int) -> Any:
    """The options with so many units in the first layer, and all others in proportion."""
    names = [f.name for f in dataclasses.fields(options) if f.name.endswith("hidden_size")]
    widths = {name: getattr(options, name) for name in names if getattr(options, name)}
    first = options.hidden_size[0]
    return dataclasses.replace(
        options,
        **{name: tuple(max(1, round(w * units / first)) for w in old)
           for name, old in widths.items()},
    )  # fmt: skip


def _with_embedding(old: Any, new: Any) -> Any | None:
    """`new` with an embedding that follows the last layer, as it did in `old`; None if not."""
    directions = 2 if old.bidirectional[-1] else 1
    if getattr(old, "embedding", None) != directions * old.hidden_size[-1]:
        return None
    return dataclasses.replace(new, embedding=directions * new.hidden_size[-1])
