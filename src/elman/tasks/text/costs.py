"""What each token of a stretch of text costs a language model, every token scored once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.data import batching
from elman.data.batching import Tokens
from elman.tasks.task import State
from elman.tasks.text.passages import Passages

STREAMS, STEPS, WARMUP, WINDOWS = 16, 256, 256, 256

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Costs:
    """Some tokens of a text: their `places` [n], the `nats` [n] of each, and the nats [n] of that
    token which the model held for the likeliest there, by which it tells how sure it was."""

    places: NDArray[np.integer[Any]]
    nats: Floats
    least: Floats


@torch.no_grad()
def carried(
    model: nn.Module, ids: Tokens, first: int, stop: int, device: str, streams: int = STREAMS
) -> Iterator[Costs]:
    """The costs of the tokens `first` >= 1 to `stop`, the state carried from token to token.

    The stretch is read in so many streams at once. Each starts cold, but up to `WARMUP` tokens
    before the first that it scores.
    """
    state: State | None = None
    batches = batching.Scoring(ids, first - 1, stop, streams, STEPS, warmup=WARMUP)
    for k, (x, y, scored) in enumerate(batches):
        scores, state = _step(model, x.to(device), state)
        yield costs(scores[scored.to(device)], y[scored], batches.places(k)[scored.numpy()])


@torch.no_grad()
def windowed(
    model: nn.Module, ids: Tokens, first: int, stop: int, device: str, steps: int
) -> Iterator[Costs]:
    """The costs of the tokens `first` >= `steps` to `stop`, each after the `steps` before it."""
    place = first
    for x, y in batching.Windows(ids, first - steps, stop, WINDOWS, steps, seed=None):
        scores, _ = _step(model, x.to(device), None)
        yield costs(scores, y, np.arange(place, place + len(y)))
        place += len(y)


def costs(scores: Tensor, y: Tensor, places: NDArray[np.integer[Any]]) -> Costs:
    """The costs of tokens `y` [n] at `places` [n] by these scores [n, V]."""
    log_p = scores.log_softmax(-1)
    each = log_p.gather(-1, y.to(log_p.device)[:, None])[:, 0]
    nats, least = (-part.detach().cpu().double().numpy() for part in (each, log_p.amax(-1)))
    return Costs(places, nats, least)


def summed(blocks: Iterable[Costs], first: int, stop: int) -> Passages:
    """The sums over the passages of the tokens `first` to `stop`."""
    made = Passages(first, stop)
    for block in blocks:
        made.add(block.places, block.nats)
    return made


def in_order(blocks: Iterable[Costs], first: int, stop: int) -> Costs:
    """The same tokens as one, in the order of the text."""
    nats, least = np.zeros(stop - first), np.zeros(stop - first)
    for block in blocks:
        nats[block.places - first] = block.nats
        least[block.places - first] = block.least
    return Costs(np.arange(first, stop), nats, least)


def _step(model: nn.Module, x: Tensor, state: State | None) -> tuple[Tensor, State]:
    scores, after = model(x, state)
    return scores, after
