"""All steps ahead at once, from the end of the window."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.layers.regularize import dropout
from elman.tasks.forecast.data import Inputs, Settings
from elman.tasks.forecast.networks.network import Network, Widths
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.reader import recurrent


@final
class Direct(Network):
    """Layers over the window, then every step ahead from their last output.

    The last output gives a context to each step ahead, [B, H, C], and a small network shared by all
    steps forecasts from it and from what is known of that step: the decoder of MQ-RNN (Wen et al.
    2017, arXiv:1711.11053).
    """

    CONTEXT = 16  # C

    def __init__(self, options: ForecastOptions, settings: Settings, widths: Widths) -> None:
        super().__init__(options, settings, widths)
        self.recurrent = recurrent(options, 1 + widths.past + widths.known + self.always)
        width = self.recurrent.output_size
        self.both_ways = self.recurrent.bidirectional[-1]
        self.context = nn.Linear(width, self.horizon * self.CONTEXT)
        self.local = nn.Linear(self.CONTEXT + widths.known, 2 * self.CONTEXT)
        self.output = nn.Linear(2 * self.CONTEXT, self.outputs)

    def forward(self, inputs: Inputs) -> Tensor:
        before, ahead = inputs.known[:, : self.look_back], inputs.known[:, self.look_back :]
        x = self.at_every_step(torch.cat([inputs.values, before], -1), inputs)
        y, _ = self.recurrent(x.transpose(0, 1))  # [L, B, D*H]
        last = y[-1]
        if self.both_ways:
            half = last.shape[-1] // 2
            last = torch.cat([last[:, :half], y[0, :, half:]], -1)
        last = dropout(last, self.dropout, training=self.training)
        context = self.context(last).view(len(x), self.horizon, self.CONTEXT)
        local = F.relu(self.local(torch.cat([context, ahead], -1)))
        made: Tensor = self.output(local)
        return made
