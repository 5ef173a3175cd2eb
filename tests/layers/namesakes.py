"""What users of `torch.nn.RNN`, `LSTM` and `GRU` rely on, asked of them and of `elman.nn` alike.

Every scenario runs on PyTorch's layer first, which shows that the expectation is PyTorch's own, and
then on ours with the same weights and random numbers: the same numbers, or the same kind of error.
"""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import elman.nn

T, B, I, H = 6, 3, 4, 5

every_name = pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
Scenario = Callable[[nn.Module], Any]


def pair(name: str, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """PyTorch's layer and ours, each made from the same seed."""
    made = []
    for module in (nn, elman.nn):
        torch.manual_seed(1)
        made.append(getattr(module, name)(*(arguments or (I, H)), **options))
    return made[0], made[1]


def outcome(layer: nn.Module, scenario: Scenario) -> Any:
    """What a scenario gives, or the error that it ends in."""
    torch.manual_seed(2)
    try:
        return scenario(layer)
    except Exception as error:
        return error


def agree(ours: Any, theirs: Any, rounding: float = 1e-5) -> None:
    """Other kernels for the same sums: a few units of the last place of numbers near one.

    Sums over all rows, which gradients of weights are, gather some more.
    """
    torch.testing.assert_close(ours, theirs, rtol=rounding, atol=rounding, equal_nan=True)


# Both round to bf16, at other places: tests/layers/test_half.py holds who is closer to the truth.
BF16_ROUNDING = 0.05


def same(
    name: str,
    scenario: Scenario,
    expected: type[Exception] | None = None,
    *,
    word_for_word: bool = False,
    rounding: float = 1e-5,
    **options: Any,
) -> None:
    """Ours does what PyTorch's layer does: it ends in `expected`, or gives the same numbers."""
    theirs, ours = (outcome(layer, scenario) for layer in pair(name, **options))
    if expected is not None:
        assert isinstance(theirs, expected) and type(ours) is type(theirs)
        assert str(ours) == str(theirs) or not word_for_word
        return
    for result in (theirs, ours):
        if isinstance(result, Exception):
            raise result
    agree(ours, theirs, rounding)


def hidden(layer: nn.Module, *shape: int) -> Any:
    h = torch.randn(shape)
    return (h, torch.randn(shape)) if isinstance(layer, nn.LSTM) else h


def flat(result: Any) -> list[Tensor]:
    """Every tensor of `y, state`, whatever their form."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, PackedSequence):
        return [result.data]
    return [t for part in result for t in flat(part)]


def with_gradients(layer: Any, *inputs: Any, extra: tuple[Tensor, ...] = ()) -> list[Tensor]:
    """The results of a call, and the gradients of all parameters and of `extra`."""
    outputs = [o for o in flat(layer(*inputs)) if o.requires_grad]
    leaves = [*(p for p in layer.parameters() if p.requires_grad), *extra]
    ones = [torch.cos(torch.arange(o.numel()).float()).view(o.shape) for o in outputs]
    return [*outputs, *torch.autograd.grad(outputs, leaves, ones)]
