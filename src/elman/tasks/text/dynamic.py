"""Dynamic evaluation: a model that goes on learning from the text that it is scored on.

Krause et al. 2018, arXiv:1709.07432: after every few tokens one step of gradient descent on them,
each weight at a pace of its own, and drawn back to where training left it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.data.batching import Tokens
from elman.tasks.task import State
from elman.tasks.text.costs import WARMUP, Costs, costs

SEGMENT = 20  # tokens learnt from at once
RATE = 2e-4  # of a step, at --dynamic-rate 1
DECAY = 3e-3  # of the way back after each segment, on average
FLOOR = 0.1  # of the mean size, added to each: weights that hardly move stay calm
STREAMS, SEGMENTS = 16, 100  # of the training text, from which the gradients' sizes are learnt


class Pace:
    """How far each weight moves: θ ← θ - η g / (r + ε) + min(λ r / r̄, 1) (θ_trained - θ).

    r is the root mean square of the weight's gradients on the training text, r̄ its mean over all
    weights: weights that training moved much go back sooner, and take smaller steps.
    """

    def __init__(self, sizes: list[Tensor], rate: float) -> None:
        """`sizes` are the r of each parameter."""
        total = sum(float(r.sum()) for r in sizes) / sum(r.numel() for r in sizes)
        mean = max(total, 1e-20)
        self.steps = [rate * RATE / (r + FLOOR * mean) for r in sizes]
        self.back = [(DECAY * r / mean).clamp(max=1) for r in sizes]


def sizes(
    model: nn.Module, ids: Tokens, stop: int, device: str, segments: int = SEGMENTS
) -> list[Tensor]:
    """The root mean square of each parameter's gradients on a text, up to `stop` >= 2.

    They are those of segments from evenly spread places, each led in by as many tokens.
    """
    model = copy.deepcopy(model).eval()
    parameters = list(model.parameters())
    squares = [torch.zeros_like(p) for p in parameters]
    lead = min(SEGMENT, (stop - 1) // 2)
    length = min(SEGMENT, stop - 1 - lead)
    starts = np.linspace(0, stop - lead - length - 1, STREAMS * segments).astype(np.int64)
    for k in range(segments):
        rows = [ids.read(int(start), lead + length + 1) for start in starts[k::segments]]
        text = torch.from_numpy(np.stack(rows, 1)).to(device)  # [lead + length + 1, streams]
        with torch.no_grad():
            state = model(text[:lead])[1] if lead else None
        scores, _ = model(text[lead:-1], state)
        loss = F.cross_entropy(scores.flatten(0, 1), text[lead + 1 :].flatten())
        for square, gradient in zip(squares, _gradients(loss, parameters), strict=True):
            square += gradient**2 / segments
    return [square.sqrt() for square in squares]


def scored(
    model: nn.Module, ids: Tokens, first: int, stop: int, device: str, pace: Pace
) -> Iterator[Costs]:
    """The costs of the tokens `first` >= 1 to `stop`, in order, by a copy of the model that learns.

    Every token is scored before any weight has learnt of it, so that the costs of a text's
    beginning are the same whatever follows.
    """
    model = copy.deepcopy(model).eval()
    parameters = list(model.parameters())
    trained = [p.detach().clone() for p in parameters]
    state: State | None = None
    start = max(first - 1 - WARMUP, 0)
    if start < first - 1:
        with torch.no_grad():
            _, state = model(_read(ids, start, first - 1, device))
    for at in range(first, stop, SEGMENT):
        end = min(at + SEGMENT, stop)
        text = _read(ids, at - 1, end, device)
        scores, after = model(text[:-1], state)
        found = costs(scores[:, 0], text[1:, 0], np.arange(at, end))
        gradients = _gradients(F.cross_entropy(scores[:, 0], text[1:, 0]), parameters)
        state = [tuple(s.detach() for s in layer) for layer in after]
        with torch.no_grad():
            for p, g, origin, step, back in zip(
                parameters, gradients, trained, pace.steps, pace.back, strict=True
            ):
                p.add_(back * (origin - p) - step * g)
        yield found


def _gradients(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """Those of all parameters; zeros for a first state that was learnt, but is not read here."""
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def _read(ids: Tokens, start: int, stop: int, device: str) -> Tensor:
    return torch.from_numpy(ids.read(start, stop - start)).to(device)[:, None]
