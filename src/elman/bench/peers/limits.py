"""What the machine can do: the rate of a large product, and how fast a product streams a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from elman.bench.peers.prepared import Prepared
from elman.bench.work import Work


def prepare(work: Work, threads: int) -> Prepared | None:
    """`mm`: a product of two [H, H]. `mv`: of [H, H] and a vector."""
    torch.set_num_threads(threads)
    a = torch.randn(work.H, work.H)
    b = torch.randn(work.H, work.H) if work.kind == "mm" else torch.randn(work.H)

    def once() -> Sequence[Tensor]:
        return (torch.mm(a, b) if work.kind == "mm" else torch.mv(a, b),)

    return Prepared(once)
