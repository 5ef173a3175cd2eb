"""Elman's streams: one step at a time, and a whole text in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from elman.bench.peers.prepared import Prepared
from elman.bench.peers.torch_steps import SEED
from elman.bench.work import VOCABULARY, Work, numbers
from elman.kernels.stream import State, Storage, Stream, Weights


def stepping(layer: nn.Module, work: Work) -> Prepared:
    """T steps over vectors, to the last output."""
    stream = Stream([weights(layer, work)])
    xs, start = torch.from_numpy(numbers(work).x).unbind(), zeros(work, work.B)

    def once() -> Sequence[Tensor]:
        state = start
        for x in xs:
            y, state = stream.step(x, state)
        return (y,)

    return Prepared(once, comparable=True)


def writing(layer: nn.Module, output: nn.Linear, work: Work) -> Prepared:
    """T tokens in one call, to all their scores; the variant is how the weights are stored."""
    stream = Stream(
        [weights(layer, work)],
        tokens=VOCABULARY,
        output=(output.weight.detach(), output.bias.detach()),
        storage=cast(Storage, work.variant),
    )
    scores, state = stream.read(torch.zeros(1, dtype=torch.int64), zeros(work, 1))

    def once() -> Sequence[Tensor]:
        return (stream.generate(work.T, scores[0], state, 1, seed=SEED).logits,)

    return Prepared(once, comparable=True)


def weights(layer: nn.Module, work: Work) -> Weights:
    parts = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    return Weights(work.cell, *(getattr(layer, name).detach() for name in parts))


def zeros(work: Work, B: int) -> State:
    return [tuple(torch.zeros(B, work.H) for _ in range(2 if work.cell == "lstm" else 1))]
