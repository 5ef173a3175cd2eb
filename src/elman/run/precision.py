"""In which numbers a run's layers multiply while it trains."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Literal, NamedTuple

from elman import kernels
from elman.layers.precision import half
from elman.run.options import TrainOptions


class Precision(NamedTuple):
    """What is settled, and a sentence for the user where that is worth one."""

    name: Literal["float32", "bf16"]
    why: str = ""


def settle(how: TrainOptions, device: str, *, teaches: bool) -> Precision:
    """From what was asked; `teaches` where products in bf16 were shown to teach a task as well."""
    if how.precision == "float32" or (how.precision == "auto" and not teaches):
        return Precision("float32")
    runs, why = kernels.available_half()
    if device == "cpu" and runs is not None:
        return Precision("bf16", f"products in bf16 ({runs}), scores in float32")
    if how.precision == "auto":
        return Precision("float32")
    why = why if device == "cpu" else f"on {device} PyTorch's kernels run"
    return Precision("float32", f"products in float32, not bf16: {why}")


def training(how: TrainOptions) -> AbstractContextManager[None]:
    """In which a loss is computed. A run of an earlier version, which says auto, is float32."""
    return half(how.precision == "bf16")
