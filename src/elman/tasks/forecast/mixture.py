"""Forecasts of windows: those of a network, mixed with a simple forecast as its share has it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.metrics import Loss
from elman.tasks.forecast import model as networks
from elman.tasks.forecast import naive
from elman.tasks.forecast.model import Network, Widths
from elman.tasks.forecast.panel import Batch, Fitted, Panel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCORED = 1024  # windows at once, where none is trained on


def widths_of(fitted: Fitted, past: int) -> Widths:
    """How many numbers a network reads of each kind."""
    static = len(fitted.static.mean) + sum(map(len, fitted.words))
    return Widths(past, len(fitted.known.mean), static, len(fitted.names))


def forecasts(model: nn.Module, dataset: Panel, windows: Ints, device: str) -> tuple[Floats, Loss]:
    """Forecasts [N, H, Q] in the units of the data, quantiles rising, and their loss.

    The loss is not finite where a window ends in the future. A mixture moves all quantiles alike,
    so that their distances are the network's.
    """
    assert isinstance(model, Network)
    simple = None
    if model.share < 1 and model.beside is not None and len(windows):
        simple = naive.SIMPLE[model.beside].make(dataset, windows)
    middle = list(model.quantiles).index(0.5) if model.quantiles else 0
    parts, loss = [], Loss(0.0, 0)
    with torch.no_grad():
        for start in range(0, len(windows), SCORED):
            some = windows[start : start + SCORED]
            batch = dataset.batch(some)
            there = Batch(*(part.to(device) for part in batch))
            made = model(there.inputs)
            if simple is not None:
                other = dataset.scaled(simple[start : start + SCORED], some, batch)
                apart = torch.from_numpy(other).to(made) - made[:, :, middle]
                made = made + (1 - model.share) * apart[:, :, None]
            total, count = networks.loss(model, there, made, there.target)
            loss = loss + Loss(float(total), count)
            parts.append(dataset.unscaled(made.double().cpu().numpy(), batch))
    return np.sort(np.concatenate(parts), 2), loss
