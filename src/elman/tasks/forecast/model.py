"""The networks that forecast: all steps at once, one after the other, or segment by segment."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from elman.tasks.forecast.conformal import Bands, levels
from elman.tasks.forecast.distributions import DISTRIBUTIONS, Normal, Student
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.panel import Batch, Inputs, Settings
from elman.tasks.reader import recurrent


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
        # The simple forecast that `forecasts` mixes in, and the network's own share.
        self.beside, self.share = options.beside, 1.0 if options.share is None else options.share
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
        return F.dropout(torch.cat([x, told], -1), self.input_dropout, self.training)


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
        last = F.dropout(last, self.dropout, self.training)
        context = self.context(last).view(len(x), self.horizon, self.CONTEXT)
        local = F.relu(self.local(torch.cat([context, ahead], -1)))
        made: Tensor = self.output(local)
        return made


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
        made: Tensor = self.output(F.dropout(y, self.dropout, self.training))
        return made


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
        x = F.relu(self.embed(F.dropout(x, self.input_dropout, self.training)))
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
        made: Tensor = self.output(F.dropout(y[0], self.dropout, self.training))
        return made.view(B, M * W, self.outputs)[:, : self.horizon]


def make_network(options: ForecastOptions, settings: Settings, widths: Widths) -> Network:
    """The network that settled options ask for."""
    if options.smoothing:
        # Not above: it goes on from `Network`.
        from elman.tasks.forecast.esrnn import SmoothedNetwork

        return SmoothedNetwork(options, settings, widths)
    if options.segment:
        return Segments(options, settings, widths)
    if options.steps_ahead == "recursive":
        return Recursive(options, settings, widths)
    return Direct(options, settings, widths)


def told(network: Network, batch: Batch, made: Tensor) -> Tensor:
    """Scaled forecasts [B, H, Q] of what a network puts out: itself, or quantiles of what it says
    of a distribution."""
    kind = network.distribution
    if kind is None or network.paths:
        return made
    spread = batch.spread.cpu().numpy()
    values = _first(made.double(), batch) if kind.counts else made.double()
    found = kind.quantiles(values.cpu().numpy(), network.quantiles, spread)
    if kind.counts:
        found = (found - _centre(batch, made.shape[1]).cpu().numpy()) / spread[:, None, None]
    return torch.from_numpy(found).to(made)


def _centre(batch: Batch, steps: int) -> Tensor:
    """What was taken away from the values of steps ahead, [B, S, 1]; float64."""
    base = batch.base[:, -1:] if steps > batch.base.shape[1] else batch.base[:, -steps:]
    return base[..., None] + batch.level[:, None, None]


def _first(made: Tensor, batch: Batch) -> Tensor:
    """Parameters, the first of which is scaled, with that one in the units of the data."""
    spread = batch.spread[:, None, None]
    values = _centre(batch, made.shape[1]) + spread * made[..., :1]
    return torch.cat([values.to(made), made[..., 1:]], -1)


def _nats(network: Network, batch: Batch, made: Tensor, y: Tensor) -> tuple[Tensor, int]:
    """Minus the log likelihood of `y` [B, S], by parameters [B, S, D]."""
    assert network.distribution is not None
    spread = batch.spread[:, None]
    if network.distribution.counts:
        made = _first(made, batch)
        y = (_centre(batch, y.shape[1])[..., 0] + spread * y).to(y).clamp(min=0.0)
    return network.distribution.nats(made, y, spread.to(y)).sum(), y.numel()


def pinball(quantiles: Sequence[float], made: Tensor, y: Tensor) -> tuple[Tensor, int]:
    """The summed loss of quantiles [B, S, Q], the mean over them, and how many it sums."""
    q = torch.tensor(quantiles, device=y.device)
    error = y[..., None] - made
    return torch.maximum(q * error, (q - 1) * error).sum() / len(q), y.numel()


def loss(network: Network, batch: Batch, made: Tensor, y: Tensor) -> tuple[Tensor, int]:
    """The summed error of scaled forecasts [B, S, Q] of `y` [B, S], and how many it sums; of the
    parameters [B, S, D] of a distribution, what `y` is off by in nats.

    Errors are of scaled values, but those of `smape`, 2 |y - f| / (|y| + |f|); where logarithms
    are smoothed they are those of the logarithms, so that shares count alike in all series.
    """
    if network.distribution is not None:
        return _nats(network, batch, made, y)
    y = y[..., None]
    if network.smooths and network.log:
        spread = batch.spread.to(y.dtype)[:, None, None]
        y, made = spread * y, spread * made
    if network.quantiles:
        return pinball(network.quantiles, made, y[..., 0])
    match network.kind:
        case "mse":
            errors = (y - made).square()
        case "mae":
            errors = (y - made).abs()
        case "huber":
            errors = F.huber_loss(made, y, reduction="none")
        case _:
            level, spread = batch.level[:, None, None], batch.spread[:, None, None]
            level = level + batch.base[:, -made.shape[1] :, None]
            y, made = level + spread * y, level + spread * made
            if network.log:
                y, made = y.exp(), made.exp()
            errors = 2 * (y - made).abs() / (y.abs() + made.abs()).clamp(min=1e-8)
    return errors.sum(), y.numel()
