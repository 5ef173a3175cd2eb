"""What a network puts out: read as forecasts, and judged by what came."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from elman.tasks.forecast.data import Batch
from elman.tasks.forecast.networks.network import Network


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


def pinball(quantiles: Sequence[float], made: Tensor, y: Tensor) -> tuple[Tensor, int]:
    """The summed loss of quantiles [B, S, Q], the mean over them, and how many it sums."""
    q = torch.tensor(quantiles, device=y.device)
    error = y[..., None] - made
    return torch.maximum(q * error, (q - 1) * error).sum() / len(q), y.numel()


def _nats(network: Network, batch: Batch, made: Tensor, y: Tensor) -> tuple[Tensor, int]:
    """Minus the log likelihood of `y` [B, S], by parameters [B, S, D]."""
    assert network.distribution is not None
    spread = batch.spread[:, None]
    if network.distribution.counts:
        made = _first(made, batch)
        y = (_centre(batch, y.shape[1])[..., 0] + spread * y).to(y).clamp(min=0.0)
    return network.distribution.nats(made, y, spread.to(y)).sum(), y.numel()


def _first(made: Tensor, batch: Batch) -> Tensor:
    """Parameters, the first of which is scaled, with that one in the units of the data."""
    spread = batch.spread[:, None, None]
    values = _centre(batch, made.shape[1]) + spread * made[..., :1]
    return torch.cat([values.to(made), made[..., 1:]], -1)


def _centre(batch: Batch, steps: int) -> Tensor:
    """What was taken away from the values of steps ahead, [B, S, 1]; float64."""
    base = batch.base[:, -1:] if steps > batch.base.shape[1] else batch.base[:, -steps:]
    return base[..., None] + batch.level[:, None, None]
