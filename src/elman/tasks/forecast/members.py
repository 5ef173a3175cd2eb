"""Several networks that forecast together."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from elman.tasks.forecast.conformal import Bands
from elman.tasks.forecast.model import Network, Widths, make_network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.panel import Inputs, Settings


@final
class Members(Network):
    """Networks alike but for their first weights; they forecast the median of their forecasts.

    Each learns alone, on its own loss.
    """

    def __init__(
        self, options: ForecastOptions, settings: Settings, widths: Widths, count: int
    ) -> None:
        super().__init__(options, settings, widths)
        self.identity = None  # each has its own
        self.networks = nn.ModuleList(make_network(options, settings, widths) for _ in range(count))

    @property
    def each(self) -> list[Network]:
        """The members."""
        return [one for one in self.networks if isinstance(one, Network)]

    def forward(self, inputs: Inputs) -> Tensor:
        made = torch.stack([one(inputs) for one in self.each])  # [M, B, H, Q]
        # The mean of the two in the middle, where their number is even.
        return torch.quantile(made, 0.5, dim=0)


def make(options: ForecastOptions, settings: Settings, widths: Widths) -> Network:
    """The network, or the networks, that settled options ask for, with intervals about it."""
    several = (options.members or 1) > 1
    network: Network = (
        Members(options, settings, widths, options.members or 1)
        if several
        else make_network(options, settings, widths)
    )
    network.bands = Bands(widths.series, settings.horizon, settings.look_back, network.quantiles)
    return network


def each_of(network: Network) -> list[Network]:
    """The networks that learn alone."""
    return network.each if isinstance(network, Members) else [network]
