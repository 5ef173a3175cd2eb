"""Forecasts of windows: those of a network, mixed with a simple forecast as its share has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.metrics import Loss
from elman.tasks.forecast.data import Batch, Panel
from elman.tasks.forecast.intervals.conformal import NONE, RECENT, Residuals, later, thinned
from elman.tasks.forecast.networks import output
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.simple import naive

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCORED = 1024  # windows at once, where none is trained on
HELD, LEARNT = 8000, 2000  # windows of either part that intervals are calibrated by


class Made(NamedTuple):
    """Forecasts [B, H, Q] of some windows, as they are scaled, and what they are made of."""

    batch: Batch
    scaled: Tensor
    put_out: Tensor  # by the network alone: the same, or parameters of a distribution
    simple: Floats | None  # [B, H] in the units of the data, where one is mixed in
    share: Floats  # [B], the network's


def forecasts(model: nn.Module, dataset: Panel, windows: Ints, device: str) -> tuple[Floats, Loss]:
    """Forecasts [N, H, Q] in the units of the data, quantiles rising, and their loss.

    The quantiles are those asked for or, once intervals are calibrated, `conformal.LEVELS`; else
    Q is 1. The loss, which is of what the network put out, is not finite where a window ends in
    the future. A mixture moves all quantiles alike, so that their distances are the network's.
    Where the network has no share, the forecast is the simple one to the last digit: no rounding
    may look like a gain.
    """
    assert isinstance(model, Network)
    bands = model.bands if model.bands is not None and model.bands.calibrated else None
    told = model.quantiles if bands is None else bands.told
    middle = list(told).index(0.5) if told else 0
    part, which = _parts(dataset, windows), dataset.which[windows[:, 0]]
    parts, loss = [], Loss(0.0, 0)
    for start, made in _made(model, dataset, windows, device, _shares(model, which, part)):
        rows = slice(start, start + len(made.scaled))
        there = Batch(*(one.to(device) for one in made.batch))
        if model.paths:
            total, count = output.pinball(model.quantiles, made.put_out, there.target)
        else:
            judged = made.scaled if model.distribution is None else made.put_out
            total, count = output.loss(model, there, judged, there.target)
        loss = loss + Loss(float(total), count)
        scaled = made.scaled.double().cpu().numpy()
        if bands is not None:
            scaled = bands.around(scaled, which[rows], _unrest(made.batch), part[rows])
        parts.append(dataset.unscaled(scaled, made.batch))
        if bands is not None:
            parts[-1] = bands.not_below(parts[-1])
        if made.simple is not None and (none := made.share == 0).any():
            parts[-1][none] = _about(parts[-1][none], made.simple[none], middle)
    return np.sort(np.concatenate(parts), 2), loss


def calibrate(model: nn.Module, dataset: Panel, options: ForecastOptions, device: str) -> None:
    """Give series shares of their own, where they may have them and that is nearer; and let the
    model's intervals hold as much as they say: by the validation part, or without one by the
    training part, of which forecasts are nearer than they will be."""
    assert isinstance(model, Network)
    if model.mixing is not None and model.beside is not None and len(dataset.check):
        windows = thinned(dataset.check, HELD)
        simple = naive.SIMPLE[model.beside].make(dataset, windows)
        model.mixing.fit(dataset, windows, _alone(model, dataset, windows, device), simple)
    if model.bands is None:
        return
    late = dataset.train[later(dataset.train, RECENT)]
    parts = (thinned(dataset.check, HELD), thinned(late, LEARNT))
    held, learnt = (_residuals(model, dataset, windows, device) for windows in parts)
    ends = np.zeros(len(dataset.lengths), dtype=np.int64)
    np.maximum.at(ends, dataset.train[:, 0], dataset.train[:, 1] + dataset.settings.horizon)
    values = [dataset.history(k, int(end)) for k, end in enumerate(ends)]
    least = 0.0 if all((y >= 0).all() for y in values) else NONE
    model.bands.calibrate(held, learnt, dataset.which, least)


def _residuals(model: Network, dataset: Panel, windows: Ints, device: str) -> Residuals:
    made, came, unrest = [], [], []
    share = _shares(model, dataset.which[windows[:, 0]], _parts(dataset, windows))
    for _, one in _made(model, dataset, windows, device, share):
        made.append(one.scaled.double().cpu().numpy())
        came.append(one.batch.target.double().numpy())
        unrest.append(_unrest(one.batch))
    if not made:
        none = np.zeros((0, model.horizon))
        return Residuals(none[:, :, None], none, windows, np.zeros(0))
    return Residuals(np.concatenate(made), np.concatenate(came), windows, np.concatenate(unrest))


def _unrest(batch: Batch) -> Floats:
    """How much the values of each window change from one to the next, [B], scaled."""
    values = batch.values[:, :, 0].double()
    if values.shape[1] < 2:
        return np.ones(len(values))
    found: Floats = values.diff(dim=1).abs().mean(1).numpy()
    return found


def _alone(model: Network, dataset: Panel, windows: Ints, device: str) -> Floats:
    """What the network makes by itself, [N, H], in the units of the data."""
    middle, made = _middle(model), []
    for _, one in _made(model, dataset, windows, device, np.ones(len(windows))):
        scaled = one.scaled.sort(2).values.double().cpu().numpy()
        made.append(dataset.unscaled(scaled, one.batch)[:, :, middle])
    return np.concatenate(made)


def _middle(model: Network) -> int:
    return list(model.quantiles).index(0.5) if model.quantiles else 0


def _shares(model: Network, which: Ints, part: Ints) -> Floats:
    """The network's share in the forecast of each window, [N]."""
    if model.mixing is None:
        return np.full(len(which), model.share)
    return model.mixing.of(which, part)


def _made(
    model: Network, dataset: Panel, windows: Ints, device: str, share: Floats
) -> Iterator[tuple[int, Made]]:
    """Forecasts of some windows after the other, by the network's `share` [N] in each."""
    simple = None
    if (share < 1).any() and model.beside is not None:
        simple = naive.SIMPLE[model.beside].make(dataset, windows)
    middle = _middle(model)
    with torch.no_grad():
        many = SCORED // 8 if model.paths else SCORED
        for start in range(0, len(windows), many):
            some = windows[start : start + many]
            batch = dataset.batch(some)
            put_out = model(Batch(*(part.to(device) for part in batch)).inputs)
            made = output.told(model, batch, put_out)
            beside = None if simple is None else simple[start : start + many]
            own = share[start : start + many]
            if beside is not None:
                rising = made.sort(2).values
                other = dataset.scaled(beside, some, batch)
                apart = torch.from_numpy(other).to(made) - rising[:, :, middle]
                rest = torch.from_numpy(1 - own).to(made)[:, None, None]
                made = torch.where(rest > 0, rising + rest * apart[:, :, None], made)
            yield start, Made(batch, made, put_out, beside, own)


def _parts(dataset: Panel, windows: Ints) -> Ints:
    """By which part the share and the intervals of each window are: what is scored never counts
    for its own.

    Of the validation part, which they are calibrated by, either half goes by the other one.
    """
    tested = dataset.test is not None and dataset.check is dataset.test  # `reading.held_out`
    if tested or not len(dataset.train) or not len(windows):
        return np.zeros(len(windows), dtype=np.int64)
    late = later(dataset.check)
    by = dict(zip(map(tuple, dataset.check.tolist()), np.where(late, 1, 2).tolist(), strict=True))
    return np.array([by.get(window, 0) for window in map(tuple, windows.tolist())], dtype=np.int64)


def _about(made: Floats, centre: Floats, middle: int) -> Floats:
    """Quantiles [B, H, Q], of which the one in the middle is `centre` [B, H], the others not past
    it."""
    made[:, :, :middle] = np.minimum(made[:, :, :middle], centre[:, :, None])
    made[:, :, middle + 1 :] = np.maximum(made[:, :, middle + 1 :], centre[:, :, None])
    made[:, :, middle] = centre
    return made
