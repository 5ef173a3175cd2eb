"""The model: one network or several that forecast together, with intervals about them."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from elman.tasks.forecast.data import Fitted, Inputs, Settings
from elman.tasks.forecast.intervals.conformal import Bands
from elman.tasks.forecast.mixing.shares import Shares
from elman.tasks.forecast.networks.direct import Direct
from elman.tasks.forecast.networks.esrnn import SmoothedNetwork
from elman.tasks.forecast.networks.network import Network, Widths
from elman.tasks.forecast.networks.recursive import Recursive
from elman.tasks.forecast.networks.segments import Segments
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.reading import settled
from elman.tasks.settling import check_settled
from elman.tasks.task import Kept


def make_network(options: ForecastOptions, settings: Settings, widths: Widths) -> Network:
    """The network that settled options ask for."""
    if options.smoothing:
        return SmoothedNetwork(options, settings, widths)
    if options.segment:
        return Segments(options, settings, widths)
    if options.steps_ahead == "recursive":
        return Recursive(options, settings, widths)
    return Direct(options, settings, widths)


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
    """The network, or the networks, that settled options ask for, with intervals about it; and with
    shares for each series, where these may have their own."""
    several = (options.members or 1) > 1
    network: Network = (
        Members(options, settings, widths, options.members or 1)
        if several
        else make_network(options, settings, widths)
    )
    if options.each_share:
        network.mixing = Shares(widths.series, network.share)
    network.bands = Bands(widths.series, settings.horizon, settings.look_back, network.quantiles)
    return network


def each_of(network: Network) -> list[Network]:
    """The networks that learn alone."""
    return network.each if isinstance(network, Members) else [network]


def widths_of(fitted: Fitted, past: int) -> Widths:
    """How many numbers a network reads of each kind."""
    static = len(fitted.static.mean) + sum(map(len, fitted.words))
    return Widths(past, len(fitted.known.mean), static, len(fitted.names))


def build(kept: Kept, options: ForecastOptions) -> Network:
    check_settled(options, "hidden_size", "dropout", "weight_drop", "identity")
    how, settings, fitted = settled(kept)
    return make(options, settings, widths_of(fitted, len(how.options.past_columns)))
