"""Segment by segment: SegRNN."""

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
class Segments(Network):
    """SegRNN (Lin et al. 2023, arXiv:2308.11200) with parallel decoding.

    W values at a time are embedded and read in a step; each segment ahead is one more step of the
    same layers from the state that the window left, its input saying which segment it is and of
    which series. All segments ahead are forecast at once. What is known of the times of a segment,
    which the paper does not use, is embedded and added.
    """

    def __init__(self, options: ForecastOptions, settings: Settings, widths: Widths) -> None:
        super().__init__(options, settings, widths)
        assert options.hidden_size and options.segment
        self.segment = options.segment  # W
        self.ahead = -(-self.horizon // self.segment)  # M
        embedding = options.hidden_size[0]  # E
        self.embed = nn.Linear(self.segment * (1 + widths.past + widths.known), embedding)
        self.recurrent = recurrent(options, embedding)
        self.position = nn.Parameter(torch.randn(self.ahead, embedding - (options.identity or 0)))
        self.static = nn.Linear(widths.static, embedding) if widths.static else None
        self.known = nn.Linear(self.segment * widths.known, embedding) if widths.known else None
        self.output = nn.Linear(self.recurrent.output_size, self.segment * self.outputs)

    def forward(self, inputs: Inputs) -> Tensor:
        B, W, M = len(inputs.values), self.segment, self.ahead
        before, ahead = inputs.known[:, : self.look_back], inputs.known[:, self.look_back :]
        x = torch.cat([inputs.values, before], -1).reshape(B, self.look_back // W, -1)
        x = F.relu(self.embed(dropout(x, self.input_dropout, training=self.training)))
        _, state = self.recurrent(x.transpose(0, 1))  # N steps
        # Every state [D, B, H] M times, window by window: B*M sequences of one step.
        state = [tuple(s.repeat_interleave(M, 1) for s in layer) for layer in state]
        step = self.position.expand(B, -1, -1)  # [B, M, E less the identity]
        if self.identity is not None:
            step = torch.cat([step, self.identity(inputs.which)[:, None].expand(-1, M, -1)], -1)
        if self.static is not None:
            step = step + self.static(inputs.static)[:, None]
        if self.known is not None:
            padded = F.pad(ahead, (0, 0, 0, M * W - self.horizon))
            step = step + self.known(padded.reshape(B, M, -1))
        y, _ = self.recurrent(step.reshape(1, B * M, -1), state)
        made: Tensor = self.output(dropout(y[0], self.dropout, training=self.training))
        return made.view(B, M * W, self.outputs)[:, : self.horizon]
