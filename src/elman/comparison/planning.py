"""What is run: every variant with its options settled, alike in all that is not compared.

Batches are those of the first variant, so that the same seed is the same data in the same order
for all. The learning rate is what the task's plan takes for each variant, unless it is given: which
rate suits depends on the cell and on the width.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from elman import cells, tasks
from elman.comparison.options import Asked
from elman.comparison.sizes import sized, weights
from elman.errors import UserError
from elman.options import plain
from elman.run import prepare
from elman.run.options import TrainOptions
from elman.tasks.networks import StackOptions
from elman.tasks.task import Budget, Plan, Task

NO_WEIGHTS = ("weight_drop", "recurrent_dropout")  # options that a cell without R cannot have


@dataclass(frozen=True)
class Variant:
    """One of those that are compared: its settled options, and how many weights they make."""

    name: str
    options: Mapping[str, Any]  # of the task, plain values
    training: Mapping[str, Any]  # of the training, without seed and run; plain values
    weights: int

    @property
    def units(self) -> str:
        """The widths of its layers."""
        return ", ".join(str(width) for width in self.options["hidden_size"])


def variants(asked: Asked, threads: int) -> tuple[list[Variant], list[str]]:
    """Every variant, and lines on the data and the first one's plan. UserError: what `elman train`
    would refuse."""
    task = tasks.get(asked.task)
    values = asked.question.values
    own, how = asked.parsed(values[0])
    device = prepare.choose_device(how.device)
    torch.set_num_threads(threads)
    data = list(asked.data) or task.built_in
    dataset = task.read(data, own, how.validation)
    lines = task.examine(dataset).lines()
    first = _planned(task, dataset, _without_drops(asked, own), how, device, None)
    lines.append(f"{values[0]}: {first.why}")
    kept = (first.dataset or dataset).preprocessing()
    target = weights(task, kept, first.options)
    found = [_variant(values[0], first, how, target, threads)]
    for value in values[1:]:
        own, how = asked.parsed(value)
        there = dataset
        if asked.question.name == "cell":
            settled = replace(first.options, cell=own.cell)
        else:
            there = task.read(data, own, how.validation)
            own = _pinned(own, first.options)
            settled = _planned(task, there, own, how, device, first.batch_size).options
        count = weights(task, kept, settled)
        if asked.equal == "weights":
            settled, count = sized(task, kept, settled, target)
        plan = _planned(task, there, settled, how, device, first.batch_size)
        found.append(_variant(value, plan, how, count, threads))
    return found, lines


def _planned(
    task: Task[Any, Any, Any], dataset: Any, options: Any, how: TrainOptions, device: str,
    batch_size: int | None,
) -> Plan[Any]:  # fmt: skip
    torch.manual_seed(how.seed)
    budget = Budget(
        how.seconds, how.epochs, how.batch_size or batch_size, how.learning_rate, device
    )
    return task.plan(dataset, options, budget)


def _variant(name: str, plan: Plan[Any], how: TrainOptions, count: int, threads: int) -> Variant:
    settled = replace(prepare.planned(how, plan), threads=threads)
    training = plain(settled)
    del training["seed"]
    return Variant(name, plain(plan.options), training, count)


def _without_drops(asked: Asked, own: Any) -> Any:
    """Nothing that only some of the cells can have, unless the user asks for it."""
    if asked.question.name != "cell":
        return own
    none = [value for value in asked.question.values if not cells.get(value).recurrent]
    for name in NO_WEIGHTS:
        if none and getattr(own, name):
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag}: {none[0]} has no recurrent weights; leave out one of them")
    return replace(own, weight_drop=0.0) if none and own.weight_drop is None else own


def _pinned(own: Any, settled: Any) -> Any:
    """A variant's own options; its layers, and how many networks, as those of the first where
    nothing is said of them."""
    layers = {field.name for field in fields(StackOptions)} | {"embedding", "members"}
    open_ = {
        field.name: getattr(settled, field.name)
        for field in fields(own)
        if getattr(own, field.name) is None
        and (field.name in layers or field.name.endswith("hidden_size"))
    }
    return dataclasses.replace(own, **open_)
