"""What the processor can do at best: arithmetic that stays in registers, and bare reading."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from elman.kernels.native import available, check, extension, half_instruction_sets, which

Precision: TypeAlias = Literal["float32", "bf16"]


def multiply_add(precision: Precision, rounds: int) -> float:
    """Fused multiply-adds in as many threads as PyTorch takes; the operations done, two for each.

    bf16: products into sums of float32, by the best instruction for it. 0 where this processor, or
    this build, has none. ValueError: no kernel runs here.
    """
    isa, threads = which(None), torch.get_num_threads()
    if precision == "bf16":
        sets = half_instruction_sets()
        return float(extension().multiply_add_bf16(sets[-1], threads, rounds)) if sets else 0.0
    return float(extension().multiply_add(isa, threads, rounds))


def multiplies(precision: Precision) -> bool:
    """Whether the processor has an instruction for products of `precision`, and this build it."""
    return available().instruction_set is not None and multiply_add(precision, 1) > 0


def read(numbers: Tensor, passes: int = 1) -> float:
    """The sum of `numbers` [N], read `passes` times in as many threads as PyTorch takes.

    ValueError: another type, device or shape, not contiguous; or no kernel runs here.
    """
    check("numbers", numbers, len(numbers))
    once = extension().read
    given = which(None), torch.get_num_threads(), numbers.data_ptr(), len(numbers)
    for _ in range(passes - 1):  # calls take a microsecond, a second-level cache two
        once(*given)
    return float(once(*given))
