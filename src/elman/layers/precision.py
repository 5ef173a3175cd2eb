"""In which numbers layers are asked to compute their products: float32, or bf16."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

from elman import kernels

_half = ContextVar("half", default=False)


@contextmanager
def half(wanted: bool = True) -> Iterator[None]:
    """Within it recurrent layers and convolutions multiply in bf16 where this processor can, and
    give float32.

    Unlike `torch.autocast`, nothing else changes: sums, states, losses stay float32.
    """
    before = _half.set(wanted)
    try:
        yield
    finally:
        _half.reset(before)


def autocast() -> torch.dtype | None:
    """The type that autocast asks for on a CPU just now, if it does."""
    if not torch.is_autocast_enabled("cpu"):
        return None
    return torch.get_autocast_dtype("cpu")


def half_is_asked(weight: Tensor) -> bool:
    """Whether products with a weight are to be in bf16: by its type, by autocast, or by `half`."""
    return weight.dtype == torch.bfloat16 or autocast() == torch.bfloat16 or _half.get()


def half_runs(x: Tensor) -> bool:
    """Whether `half` is asked for, and products with x can be so here."""
    on_cpu = x.dtype == torch.float32 and x.device.type == "cpu"
    return _half.get() and on_cpu and kernels.available_half()[0] is not None
