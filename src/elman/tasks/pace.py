"""How fast a model trains here, and what a plan may expect of the time that there is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from elman.tasks.sharing import OfOne, Parted
from elman.tasks.task import Budget, Carry, Epoch
from elman.wording import counted, minutes

Batch = TypeVar("Batch")
LossOf: TypeAlias = Callable[[nn.Module, Batch, Carry, str], tuple[Tensor, int, Carry]]

TRIED = 12  # batches at most
SECONDS = 1.0
SPARE = 1.2  # the update, and machines that are busier later on


def epoch_seconds(
    loss: LossOf[Batch], model: nn.Module, epoch: Epoch[Batch], budget: Budget
) -> float:
    """How long one epoch takes, by a few of its batches; the model's gradients are cleared."""
    device, epoch = budget.device, read_here(epoch, budget)
    model.to(device).train()
    steps, began, first = 0, time.perf_counter(), 0.0
    for k in range(min(len(epoch), TRIED)):
        total, _, _ = loss(model, epoch[k], None, device)
        torch.autograd.backward(total)
        model.zero_grad()
        if k == 0:  # in which memory is asked for and kernels are chosen
            first, began = time.perf_counter() - began, time.perf_counter()
            continue
        steps += 1
        if time.perf_counter() - began > SECONDS:
            break
    each = (time.perf_counter() - began) / steps if steps else first
    return SPARE * each * len(epoch)


def speed(loss: LossOf[Batch], model: nn.Module, epoch: Epoch[Batch], budget: Budget) -> float:
    """Predictions trained in a second, by all processes: the best of two batches after a first; the
    model's gradients are cleared."""
    device, epoch = budget.device, read_here(epoch, budget)
    model.to(device).train()
    best = 0.0
    for k in range(3):
        began = time.perf_counter()
        total, count, _ = loss(model, epoch[k % len(epoch)], None, device)
        torch.autograd.backward(total)
        if device != "cpu":
            torch.accelerator.synchronize()
        if k:
            best = max(best, budget.share.of * count / (time.perf_counter() - began))
        model.zero_grad()
    return best


def read_here(epoch: Epoch[Batch], budget: Budget) -> Epoch[Batch]:
    """What one process reads of an epoch of which several may read their shares."""
    if budget.share.of == 1 or not isinstance(epoch, Parted):
        return epoch
    return cast(Epoch[Batch], OfOne(epoch, budget.share))  # the first has a part of every batch


def expectation(
    loss: LossOf[Batch], model: nn.Module, epoch: Epoch[Batch], budget: Budget, passes: int
) -> str:
    """What is to be expected of a training, in words; `passes` as in `Plan`."""
    return told(budget, fitting(loss, model, epoch, budget), passes)


def fitting(loss: LossOf[Batch], model: nn.Module, epoch: Epoch[Batch], budget: Budget) -> float:
    """How many epochs there will be: those that were asked for, or what the time has room for."""
    if budget.epochs is not None:
        return budget.epochs
    assert budget.seconds is not None
    return budget.seconds / epoch_seconds(loss, model, epoch, budget)


def told(budget: Budget, epochs: float, passes: int) -> str:
    """The same in words, where so many epochs fit."""
    if budget.epochs is not None:
        return counted(budget.epochs, "epoch")
    assert budget.seconds is not None
    if epochs < passes:
        return f"about {counted(max(1, round(epochs)), 'epoch')} in the time there is"
    return (
        f"{counted(passes, 'epoch')}, in about {minutes(passes * budget.seconds / epochs)}, and "
        "more as long as these bring better validations"
    )
