"""What the machine can do: the rate of a large product, and how fast a product streams a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from elman.bench.peers.prepared import Prepared
from elman.bench.work import GATES, Work


def prepare(work: Work, threads: int) -> Prepared | None:
    """`mm`: a product of two [H, H]. `mv`: of [H, H] and a vector. `weights`: as `mv`, of the
    matrix that holds both of a layer's, so that it streams what the layer's step must."""
    torch.set_num_threads(threads)
    rows = 2 * GATES[work.cell] * work.H if work.kind == "weights" else work.H
    a = torch.randn(rows, work.H)
    b = torch.randn(work.H, work.H) if work.kind == "mm" else torch.randn(work.H)

    def once() -> Sequence[Tensor]:
        return (torch.mm(a, b) if work.kind == "mm" else torch.mv(a, b),)

    return Prepared(once)
