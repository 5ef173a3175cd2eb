"""Exponential smoothing and a recurrent network trained as one: ES-RNN.

After Smyl 2020, doi:10.1016/j.ijforecast.2019.03.017. Level and seasons of each series are smoothed
by shares that are learnt with the network, which reads and forecasts what is left once both are
taken away. Sums here stand for his products: of logarithms they are the same, and values that are 0
or below can be read too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from elman.layers.regularize import dropout
from elman.tasks.forecast.data import Batch, Inputs, Settings
from elman.tasks.forecast.networks.network import Network, Widths
from elman.tasks.forecast.networks.seasons import LEAST, fitting
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.reader import recurrent

BLOCK = 32  # steps smoothed at once where there is no season
SIZE = 2.0  # brings what is left of a series, a part of its deviation, near 1
LEVEL, SEASON, LONGER = -2.5, -2.0, -0.5  # logits of the shares, as they begin
PACE = 20.0  # shares of smoothing learn so much faster than weights


class Smoothed(NamedTuple):
    """Level and season of B series at each of T steps, and the next values of each season."""

    level: Tensor  # [B, T], after the value of the step
    seasons: tuple[Tensor, ...]  # [B, T + m] of each season m: what was expected at each step


def smoothed(
    z: Tensor, alpha: Tensor, gammas: Sequence[Tensor], level: Tensor, first: Sequence[Tensor]
) -> Smoothed:
    """Additive smoothing of `z` [B, T] by shares [B], from a level [B] and seasons [B, m].

    l_t = a (z_t - s_t) + (1 - a) l_{t-1}, s_{t+m} = s_t + g (z_t - l_t - s_t), where those of
    several seasons add up. As many steps as the shortest season go at once, for what they need of
    the seasons is known before: within them the level is one product with a triangular matrix.
    """
    size = min((s.shape[1] for s in first), default=BLOCK)
    steps = torch.arange(size, device=z.device)
    faded = (1 - alpha)[:, None] ** torch.arange(size + 1, device=z.device)  # [B, size + 1]
    apart = steps[:, None] - steps
    shares = alpha[:, None, None] * faded[:, apart.clamp(min=0)] * (apart >= 0)  # [B, size, size]
    queues, levels = list(first), []
    passed: list[list[Tensor]] = [[] for _ in first]
    for start in range(0, z.shape[1], size):
        here = z[:, start : start + size]
        n = here.shape[1]
        expected = [queue[:, :n] for queue in queues]
        rest = here - sum(expected, torch.zeros_like(here))
        before = faded[:, 1 : n + 1] * level[:, None]
        now = torch.baddbmm(before[..., None], shares[:, :n, :n], rest[..., None])[..., 0]
        error, level = rest - now, now[:, -1]
        levels.append(now)
        for k, (s, gamma) in enumerate(zip(expected, gammas, strict=True)):
            passed[k].append(s)
            queues[k] = torch.cat([queues[k][:, n:], s + gamma[:, None] * error], 1)
    seasons = (torch.cat([*p, q], 1) for p, q in zip(passed, queues, strict=True))
    return Smoothed(torch.cat(levels, 1), tuple(seasons))


def beginning(z: Tensor, seasons: Sequence[int]) -> tuple[Tensor, list[Tensor]]:
    """A level [B] and seasons [B, m] to start from, out of the first values `z` [B, K] of series.

    The mean; of what is left, the mean at each place of the shortest season; and so on. K is no
    less than any season.
    """
    level = z.mean(1)
    rest, first = z - level[:, None], []
    for m in seasons:
        whole = rest[:, : z.shape[1] // m * m].reshape(len(z), -1, m).mean(1)
        season = whole - whole.mean(1, keepdim=True)
        first.append(season)
        rest = rest - season.repeat(1, -(-z.shape[1] // m))[:, : z.shape[1]]
    return level, first


def ahead(season: Tensor, first: int, count: int, horizon: int) -> Tensor:
    """The season known at each of `count` steps from `first` on, of the steps ahead, [B, count, H].

    `season` is [B, T + m] as in `Smoothed`, m the last that is known at once; beyond a season the
    same values come again.
    """
    m = season.shape[1] - (first + count)
    known = season.unfold(1, m, 1)[:, first + 1 : first + count + 1]  # [B, count, m]
    return known.repeat(1, 1, -(-horizon // m))[..., :horizon]


@final
class SmoothedNetwork(Network):
    """Layers over what is left of a window once its level and seasons are taken away.

    The first two of the longest season give the level and seasons to start from. From there on
    each step reads the values up to it less the level and seasons known there, the seasons ahead,
    and what else is known; its output is added to level and seasons ahead. It is trained on the
    forecasts from every step. A series that is new is smoothed by the mean shares of all.
    """

    def __init__(self, options: ForecastOptions, settings: Settings, widths: Widths) -> None:
        super().__init__(options, settings, widths)
        self.seasons = fitting(options.smoothing or (), settings.look_back)
        longest = max(self.seasons, default=0)
        self.begin = 2 * longest or min(LEAST, settings.look_back)  # K
        least = max(1, min(LEAST, settings.look_back))
        self.reads = min(self.begin, max(least, min(self.seasons, default=0)))  # W
        self.level = nn.Parameter(torch.zeros(widths.series))
        self.season = nn.ParameterList(torch.zeros(widths.series) for _ in self.seasons)
        width = self.reads + self.horizon * bool(self.seasons) + widths.past + widths.known
        self.recurrent = recurrent(options, width + self.always)
        self.hidden = nn.Linear(self.recurrent.output_size, self.recurrent.output_size)
        self.output = nn.Linear(self.recurrent.output_size, self.horizon * self.outputs)
        # How much each thing that is known of a step ahead moves the forecast of it.
        self.effect = nn.Linear(self.recurrent.output_size, widths.known) if widths.known else None
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, inputs: Inputs) -> Tensor:
        return self._from(inputs)[:, -1]

    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Forecasts from every step, [B, P*H, Q] of P, and what came, [B, P*H]."""
        made = self._from(batch.inputs)
        whole = torch.cat([batch.values[..., 0], batch.target], 1)
        came = whole.unfold(1, self.horizon, 1)[:, self.begin :]
        return made.flatten(1, 2), came.flatten(1)

    def shares(self, which: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Shares [B] by which the level and each season are smoothed, in (0, 1)."""
        # Longer seasons come by seldom, and follow what comes at once.
        starts = (LEVEL, SEASON, *[LONGER] * len(self.season))
        found = []
        for start, own in zip(starts, (self.level, *self.season), strict=False):
            known = torch.where(which < 0, own.mean(), own[which.clamp(min=0)])
            found.append(torch.sigmoid(start + PACE * known))
        return found[0], found[1:]

    def _from(self, inputs: Inputs) -> Tensor:
        """Forecasts [B, P, H, Q] from each of the P steps from the last of the beginning on."""
        z, K, W = inputs.values[..., 0], self.begin, self.reads
        first = beginning(z[:, :K], self.seasons)
        alpha, gammas = self.shares(inputs.which)
        found = smoothed(z, alpha, gammas, *first)
        count = self.look_back - K + 1  # P
        rest, coming = z, torch.zeros(len(z), count, self.horizon, device=z.device)
        for season in found.seasons:
            rest = rest - season[:, : self.look_back]
            coming = coming + ahead(season, K - 1, count, self.horizon)
        level = found.level[:, K - 1 :, None]  # [B, P, 1]
        read = [SIZE * (rest.unfold(1, W, 1)[:, K - W :] - level)]
        if self.seasons:
            read.append(coming)
        read.append(inputs.values[:, K - 1 :, 1:])
        read.append(inputs.known[:, K : self.look_back + 1])
        x = self.at_every_step(torch.cat(read, -1), inputs)
        y, _ = self.recurrent(x.transpose(0, 1))  # [P, B, D*H]
        y = torch.tanh(self.hidden(dropout(y, self.dropout, training=self.training))).transpose(
            0, 1
        )
        made = self.output(y).view(*y.shape[:2], self.horizon, self.outputs)
        if self.effect is not None:
            known = inputs.known[:, K:].unfold(1, self.horizon, 1)  # [B, P, F, H]
            made = made + torch.einsum("bpf,bpfh->bph", self.effect(y), known)[..., None]
        centre: Tensor = (level + coming)[..., None]
        if self.distribution is None:
            whole: Tensor = centre + made / SIZE
            return whole
        return torch.cat([centre + made[..., :1] / SIZE, made[..., 1:]], -1)
