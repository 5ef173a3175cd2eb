"""The loss of a language model on a stretch of text, each token scored once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from elman.data import batching
from elman.data.batching import Tokens
from elman.metrics import Loss
from elman.tasks.task import State

STREAMS, STEPS, WARMUP, WINDOWS = 16, 256, 256, 256


@torch.no_grad()
def carried(
    model: nn.Module, ids: Tokens, first: int, stop: int, device: str, streams: int = STREAMS
) -> Loss:
    """The loss of the tokens `first` >= 1 to `stop`, the state carried from token to token.

    The stretch is read in so many streams at once. Each starts cold, but up to `WARMUP` tokens
    before the first that it scores.
    """
    loss, state = Loss(0.0, 0), None
    for x, y, scored in batching.Scoring(ids, first - 1, stop, streams, STEPS, warmup=WARMUP):
        scores, state = _step(model, x.to(device), state)
        each = F.cross_entropy(scores.flatten(0, 1), y.to(device).flatten(), reduction="none")
        kept = each[scored.to(device).flatten()]
        loss += Loss(kept.double().sum().item(), kept.numel())
    return loss


@torch.no_grad()
def windowed(model: nn.Module, ids: Tokens, first: int, stop: int, device: str, steps: int) -> Loss:
    """The loss of the tokens `first` >= `steps` to `stop`, each after the `steps` tokens before."""
    loss = Loss(0.0, 0)
    for x, y in batching.Windows(ids, first - steps, stop, WINDOWS, steps, seed=None):
        scores, _ = _step(model, x.to(device), None)
        each = F.cross_entropy(scores, y.to(device), reduction="none")
        loss += Loss(each.double().sum().item(), y.numel())
    return loss


def _step(model: nn.Module, x: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
    scores, after = model(x, state)
    return scores, after
