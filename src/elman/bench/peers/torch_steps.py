"""torch.nn one step at a time, and the model that is asked to write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman import decode
from elman.bench.peers.prepared import Prepared
from elman.bench.work import VOCABULARY, Work, numbers

SEED = 1


def stepping(layer: nn.Module, work: Work) -> Prepared:
    """T steps over vectors, to the last output."""
    xs = torch.split(torch.from_numpy(numbers(work).x), 1)

    @torch.no_grad()
    def once() -> Sequence[Tensor]:
        state = None
        for x in xs:
            y, state = layer(x, state)
        return (y[0],)

    return Prepared(once, comparable=True)


def writing(layer: nn.Module, output: nn.Linear, work: Work) -> Prepared:
    """T tokens by `elman.decode`, one call of the layer each, to all their scores."""

    @torch.no_grad()
    def step(ids: Tensor, state: Any) -> tuple[Tensor, Any]:
        y, after = layer(F.one_hot(ids, VOCABULARY).float(), state)
        return output(y[-1]), after

    place = decode.start(step, None, [0])

    def once() -> Sequence[Tensor]:
        made = decode.generate(step, place, work.T, decode.Sampling(seed=SEED))
        return (torch.stack([after.logits for _, after in made]),)

    return Prepared(once, comparable=True)


def writer(kind: type[nn.Module], work: Work) -> tuple[nn.Module, nn.Linear]:
    """A layer over `VOCABULARY` tokens, one-hot, and an output: the same in every process."""
    torch.manual_seed(0)
    return kind(VOCABULARY, work.H), nn.Linear(work.H, VOCABULARY)
