"""One step ahead after the other."""

from __future__ import annotations

from typing import final

import numpy as np
import torch
from torch import Tensor, nn

from elman.layers.regularize import dropout
from elman.tasks.forecast.data import Batch, Inputs, Settings
from elman.tasks.forecast.intervals.distributions import Normal, Student
from elman.tasks.forecast.networks.network import Network, Widths
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.reader import recurrent


@final
class Recursive(Network):
    """One step from the one before; ahead of the present it reads its own forecasts.

    It is trained on every step of the window and of what follows, with the true value before. With
    a distribution it draws values and goes on from each, `PATHS` ways: their quantiles move apart
    as errors grow.
    """

    PATHS = 100

    def __init__(self, options: ForecastOptions, settings: Settings, widths: Widths) -> None:
        super().__init__(options, settings, widths)
        self.recurrent = recurrent(options, 1 + widths.known + self.always)
        self.output = nn.Linear(self.recurrent.output_size, self.outputs)

    def forward(self, inputs: Inputs) -> Tensor:
        if self.paths:
            return self._drawn(inputs)
        x = self._inputs(inputs.values, inputs.known[:, 1 : self.look_back + 1], inputs)
        y, state = self.recurrent(x)
        value = self._read(y[-1:])  # [1, B, 1]
        made = [value]
        for k in range(self.look_back + 1, self.look_back + self.horizon):
            x = self._inputs(value.transpose(0, 1), inputs.known[:, k : k + 1], inputs)
            y, state = self.recurrent(x, state)
            value = self._read(y)
            made.append(value)
        return torch.cat(made).transpose(0, 1)

    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        inputs, whole = batch.inputs, torch.cat([batch.values[..., 0], batch.target], 1)
        x = self._inputs(whole[:, :-1, None], inputs.known[:, 1:], inputs)
        y, _ = self.recurrent(x)
        return self._read(y).transpose(0, 1), whole[:, 1:]

    def _drawn(self, inputs: Inputs) -> Tensor:
        """Quantiles [B, H, Q] of paths, always by the same random numbers for every window."""
        assert isinstance(self.distribution, Normal | Student)
        B, S, H = len(inputs.values), self.PATHS, self.horizon
        random = np.random.default_rng(1)  # at each step all shares of the distribution, shuffled
        shares = [(random.permutation(S) + 0.5) / S for _ in range(H)]
        x = self._inputs(inputs.values, inputs.known[:, 1 : self.look_back + 1], inputs)
        y, state = self.recurrent(x)
        says = self._read(y[-1]).repeat_interleave(S, 0)  # [B*S, D]
        state = [tuple(s.repeat_interleave(S, 1) for s in layer) for layer in state]
        many = Inputs(*(part.repeat_interleave(S, 0) for part in inputs))
        made = []
        for k in range(H):
            drawn = self.distribution.drawn(says.double().cpu().numpy(), np.tile(shares[k], B))
            value = torch.from_numpy(drawn).to(says)
            made.append(value.view(B, S))
            if k + 1 < H:
                step = self.look_back + 1 + k
                x = self._inputs(value[:, None, None], many.known[:, step : step + 1], many)
                y, state = self.recurrent(x, state)
                says = self._read(y[-1])
        wanted = torch.tensor(self.quantiles, dtype=says.dtype, device=says.device)
        return torch.quantile(torch.stack(made, 1), wanted, dim=2).permute(1, 2, 0)

    def _inputs(self, values: Tensor, known: Tensor, inputs: Inputs) -> Tensor:
        """Values [B, T, 1], and what is known of the step after each → [T, B, I]."""
        return self.at_every_step(torch.cat([values, known], -1), inputs).transpose(0, 1)

    def _read(self, y: Tensor) -> Tensor:
        made: Tensor = self.output(dropout(y, self.dropout, training=self.training))
        return made
