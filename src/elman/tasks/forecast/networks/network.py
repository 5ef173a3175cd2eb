"""What all networks that forecast have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.layers.regularize import dropout
from elman.tasks.forecast.data import Batch, Inputs, Settings
from elman.tasks.forecast.intervals.conformal import Bands, levels
from elman.tasks.forecast.intervals.distributions import DISTRIBUTIONS
from elman.tasks.forecast.mixing.shares import Shares
from elman.tasks.forecast.options import ForecastOptions


class Widths(NamedTuple):
    """How many numbers a network reads of each kind, and S, the number of series."""

    past: int  # P
    known: int  # F
    static: int  # K
    series: int  # S


class Identity(nn.Module):
    """A learnt vector [W] for each series; for one that is new, the mean of all."""

    def __init__(self, series: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(series, width))

    def forward(self, which: Tensor) -> Tensor:
        known = F.embedding(which.clamp(min=0), self.vectors)
        return torch.where(which[:, None] < 0, self.vectors.mean(0), known)


class Network(nn.Module, ABC):
    """Windows → Q forecasts of each step ahead, [B, H, Q], scaled; Q is 1 without quantiles.

    With a distribution they are its D parameters instead, or, where the network draws `paths`, the
    quantiles of these.
    """

    def __init__(self, options: ForecastOptions, settings: Settings, widths: Widths) -> None:
        super().__init__()
        assert options.identity is not None and options.dropout is not None  # by the task's plan
        self.horizon, self.look_back = settings.horizon, settings.look_back
        self.log, self.kind, self.quantiles = settings.log, options.loss, options.quantiles
        self.dropout, self.input_dropout = options.dropout, options.input_dropout
        self.smooths = bool(options.smoothing)
        self.bands: Bands | None = None  # those that forecast for users have some
        # The simple forecast that `forecasts` mixes in, and the network's own share, of all series
        # or of each.
        self.beside, self.share = options.beside, 1.0 if options.share is None else options.share
        self.mixing: Shares | None = None
        self.identity = Identity(widths.series, options.identity) if options.identity else None
        self.always = widths.static + options.identity  # what is read at every step alike
        self.distribution = DISTRIBUTIONS.get(options.distribution or "")
        self.paths = self.distribution is not None and options.steps_ahead == "recursive"
        self.outputs = max(1, len(options.quantiles))  # Q, or D parameters of a distribution
        if self.distribution is not None:
            self.outputs = self.distribution.size
            self.quantiles = levels(options.quantiles)

    @abstractmethod
    def forward(self, inputs: Inputs) -> Tensor: ...

    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What is trained: forecasts [B, S, Q] of S steps, and what they should be, [B, S]."""
        return self(batch.inputs), batch.target

    def told(self, inputs: Inputs) -> Tensor:
        """Static columns and identity [B, A], A of `always`."""
        if self.identity is None:
            return inputs.static
        return torch.cat([inputs.static, self.identity(inputs.which)], -1)

    def at_every_step(self, x: Tensor, inputs: Inputs) -> Tensor:
        """`x` [B, T, I] → [B, T, I + A], with input dropout."""
        told = self.told(inputs)[:, None].expand(-1, x.shape[1], -1)
        return dropout(torch.cat([x, told], -1), self.input_dropout, training=self.training)
