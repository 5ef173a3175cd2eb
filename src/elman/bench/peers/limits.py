"""What the machine can do: its arithmetic, a large product, and how fast it reads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from elman.bench.peers.prepared import Prepared
from elman.bench.work import GATES, PEAK_OPERATIONS, READ_BYTES, Work
from elman.kernels import limits
from elman.kernels.limits import Precision


def prepare(work: Work, threads: int) -> Prepared | None:
    """`mm`: a product of two [H, H]. `mv`: of [H, H] and a vector. `weights`: as `mv`, of the
    matrix that holds both of a layer's, so that it streams what the layer's step must. `fma`:
    `PEAK_OPERATIONS` in registers. `read`: `READ_BYTES`, out of [H, H]. The variant bf16 makes a
    product or operations of that."""
    torch.set_num_threads(threads)
    half = work.variant == "bf16"
    if work.kind == "fma":
        return arithmetic("bf16" if half else "float32")
    if work.kind == "read":
        return reading(torch.zeros(work.H * work.H))
    rows = 2 * GATES[work.cell] * work.H if work.kind == "weights" else work.H
    a = torch.randn(rows, work.H)
    b = torch.randn(work.H, work.H) if work.kind == "mm" else torch.randn(work.H)
    if half:
        a, b = a.bfloat16(), b.bfloat16()

    def once() -> Sequence[Tensor]:
        return (torch.mm(a, b) if work.kind == "mm" else torch.mv(a, b),)

    return Prepared(once)


def arithmetic(precision: Precision) -> Prepared | None:
    if not limits.multiplies(precision):
        return None
    rounds = round(PEAK_OPERATIONS / limits.multiply_add(precision, 1))
    return Prepared(lambda: (limits.multiply_add(precision, rounds),))


def reading(numbers: Tensor) -> Prepared:
    passes = max(1, READ_BYTES // (4 * len(numbers)))
    return Prepared(lambda: (limits.read(numbers, passes),))
