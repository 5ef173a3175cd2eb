"""torch.compile, for what it compiles: at recurrent modules the graph breaks, and torch.nn runs.

(`torch._dynamo.config.allow_rnn` unrolls them, and takes a minute or more to compile 16 steps.)
"""

from __future__ import annotations

import torch

from elman.bench.peers import log_space
from elman.bench.peers.prepared import Prepared
from elman.bench.work import Work


def prepare(work: Work, threads: int) -> Prepared | None:
    torch.set_num_threads(threads)
    if work.kind != "linear":
        return None
    return log_space.prepare(work, torch.compile(log_space.in_log_space, dynamic=False))
