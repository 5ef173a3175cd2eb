"""Elman's own layers under autocast."""

from __future__ import annotations

import torch

from elman.bench.peers.elman_layers import LAYERS
from elman.bench.peers.prepared import Prepared
from elman.bench.peers.torch_autocast import under_autocast
from elman.bench.peers.torch_layers import prepare_layer
from elman.bench.work import Work


def prepare(work: Work, threads: int) -> Prepared | None:
    torch.set_num_threads(threads)
    return prepare_layer(work, under_autocast(LAYERS))
