"""torch.nn as one line makes it faster: weights in float32, products in bf16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from elman.bench.peers.prepared import Prepared
from elman.bench.peers.torch_layers import LAYERS, Kinds, prepare_layer
from elman.bench.work import Work


class Autocast(nn.Module):
    """A layer whose forward pass runs under autocast."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *given: Any, **options: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return self.layer(*given, **options)


def prepare(work: Work, threads: int) -> Prepared | None:
    torch.set_num_threads(threads)
    return prepare_layer(work, under_autocast(LAYERS))


def under_autocast(kinds: Kinds) -> Kinds:
    def wrapped(kind: Callable[[int, int], nn.Module]) -> Callable[[int, int], nn.Module]:
        return lambda I, H: Autocast(kind(I, H))  # noqa: E741

    return {cell: wrapped(kind) for cell, kind in kinds.items()}
