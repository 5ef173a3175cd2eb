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
from elman.tasks.forecast.intervals.conformal import NONE, Residuals, later, recent, thinned
from elman.tasks.forecast.mixing.shares import FINE, mixed_errors
from elman.tasks.forecast.networks import output
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.simple import naive

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCORED = 1024  # windows at once, where none is trained on
HELD, LEARNT = 8000, 2000  # windows of either part that intervals are calibrated by


class Made(NamedTuple):
    """What is made of some windows: scaled by the network alone, [B, H, Q], and what it put out,
    which is the same, or parameters of a distribution; and, where one is mixed in, a simple
    forecast [B, H], scaled and in the units of the data."""

    batch: Batch
    alone: Tensor
    put_out: Tensor
    scaled: Tensor | None
    simple: Floats | None


class Tried(NamedTuple):
    """What was made of windows [N, 2] and what came, [N, H], scaled; `middle` is the network's one
    forecast in the units of the data, as `simple` is."""

    windows: Ints
    alone: Tensor
    scaled: Tensor | None
    came: Floats
    unrest: Floats
    middle: Floats
    simple: Floats | None


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
    share, own = shares_of(model, which, part > 0), _middle(model)
    parts, loss = [], Loss(0.0, 0)
    for start, made in _made(model, dataset, windows, device):
        rows = slice(start, start + len(made.alone))
        mixture = mixed(made.alone, made.scaled, share[rows], own)
        there = Batch(*(one.to(device) for one in made.batch))
        if model.paths:
            total, count = output.pinball(model.quantiles, made.put_out, there.target)
        else:
            judged = mixture if model.distribution is None else made.put_out
            total, count = output.loss(model, there, judged, there.target)
        loss = loss + Loss(float(total), count)
        scaled = mixture.double().cpu().numpy()
        if bands is not None:
            scaled = bands.around(scaled, which[rows], _unrest(made.batch), part[rows])
        parts.append(dataset.unscaled(scaled, made.batch))
        if bands is not None:
            parts[-1] = bands.not_below(parts[-1])
        if made.simple is not None and (none := share[rows] == 0).any():
            parts[-1][none] = _about(parts[-1][none], made.simple[none], middle)
    return np.sort(np.concatenate(parts), 2), loss


def mixed(alone: Tensor, other: Tensor | None, share: Floats, middle: int) -> Tensor:
    """The network's forecasts [N, H, Q] and a simple one [N, H], scaled, by the network's share
    [N]. All quantiles are moved alike."""
    if other is None:
        return alone
    rising = alone.sort(2).values
    rest = torch.from_numpy(1 - share).to(alone)[:, None, None]
    moved = rising + rest * (other - rising[:, :, middle])[:, :, None]
    return torch.where(rest > 0, moved, alone)


def calibrate(model: nn.Module, dataset: Panel, options: ForecastOptions, device: str) -> None:
    """Give series shares of their own, where they may have them and that is nearer; and let the
    model's intervals hold as much as they say: by the validation part, or without one by the
    training part, of which forecasts are nearer than they will be. Intervals are about forecasts
    with the shares by which the validation part is scored."""
    assert isinstance(model, Network)
    parts = (thinned(dataset.check, HELD), thinned(recent(dataset.train), LEARNT))
    held, learnt = (_tried(model, dataset, windows, device) for windows in parts)
    if model.mixing is not None and len(held.windows) and len(learnt.windows):
        grid = (*FINE, model.mixing.usual)
        assert held.simple is not None and learnt.simple is not None
        model.mixing.fit(
            mixed_errors(dataset, learnt.windows, learnt.middle, learnt.simple, grid),
            mixed_errors(dataset, held.windows, held.middle, held.simple, grid),
            dataset.settings.horizon,
        )
    if model.bands is None:
        return
    ends = np.zeros(len(dataset.lengths), dtype=np.int64)
    np.maximum.at(ends, dataset.train[:, 0], dataset.train[:, 1] + dataset.settings.horizon)
    values = [dataset.history(k, int(end)) for k, end in enumerate(ends)]
    least = 0.0 if all((y >= 0).all() for y in values) else NONE
    off, better = (_residuals(model, dataset, of) for of in (held, learnt))
    model.bands.calibrate(off, better, dataset.which, least)


def _tried(model: Network, dataset: Panel, windows: Ints, device: str) -> Tried:
    alone, scaled, simple = [], [], []
    came, unrest = [np.zeros((0, model.horizon))], [np.zeros(0)]
    middle = [came[0]]
    for _, one in _made(model, dataset, windows, device):  # its batch is not kept
        alone.append(one.alone)
        if one.scaled is not None and one.simple is not None:
            scaled.append(one.scaled)
            simple.append(one.simple)
        came.append(one.batch.target.double().numpy())
        unrest.append(_unrest(one.batch))
        middle.append(_in_units(model, dataset, one))
    return Tried(
        windows, torch.cat(alone) if alone else torch.zeros(0, model.horizon, 1),
        torch.cat(scaled) if scaled else None, np.concatenate(came), np.concatenate(unrest),
        np.concatenate(middle), np.concatenate(simple) if simple else None,
    )  # fmt: skip


def _residuals(model: Network, dataset: Panel, of: Tried) -> Residuals:
    scored = np.ones(len(of.windows), dtype=np.bool_)
    share = shares_of(model, dataset.which[of.windows[:, 0]], scored)
    made = mixed(of.alone, of.scaled, share, _middle(model)).double().cpu().numpy()
    return Residuals(made, of.came, of.windows, of.unrest)


def _unrest(batch: Batch) -> Floats:
    """How much the values of each window change from one to the next, [B], scaled."""
    values = batch.values[:, :, 0].double()
    if values.shape[1] < 2:
        return np.ones(len(values))
    found: Floats = values.diff(dim=1).abs().mean(1).numpy()
    return found


def _middle(model: Network) -> int:
    return list(model.quantiles).index(0.5) if model.quantiles else 0


def _in_units(model: Network, dataset: Panel, made: Made) -> Floats:
    """The network's one forecast [B, H] in the units of the data."""
    rising = made.alone.sort(2).values.double().cpu().numpy()
    return dataset.unscaled(rising, made.batch)[:, :, _middle(model)]


def shares_of(model: Network, which: Ints, scored: NDArray[np.bool_]) -> Floats:
    """The network's share in the forecast of each window, [N], as `Shares.of` has it."""
    if model.mixing is None:
        return np.full(len(which), model.share)
    return model.mixing.of(which, scored)


def _made(model: Network, dataset: Panel, windows: Ints, device: str) -> Iterator[tuple[int, Made]]:
    simple = None
    may_be_mixed = model.share < 1 or model.mixing is not None
    if may_be_mixed and model.beside is not None and len(windows):
        simple = naive.SIMPLE[model.beside].make(dataset, windows)
    with torch.no_grad():
        many = SCORED // 8 if model.paths else SCORED
        for start in range(0, len(windows), many):
            some = windows[start : start + many]
            batch = dataset.batch(some)
            put_out = model(Batch(*(part.to(device) for part in batch)).inputs)
            made = output.told(model, batch, put_out)
            scaled, beside = None, None
            if simple is not None:
                beside = simple[start : start + many]
                scaled = torch.from_numpy(dataset.scaled(beside, some, batch)).to(made)
            yield start, Made(batch, made, put_out, scaled, beside)


def _parts(dataset: Panel, windows: Ints) -> Ints:
    """By which part the share and the intervals of each window are: what is scored never counts
    for its own.

    Of the validation part, which they are calibrated by, either half goes by the other one.
    """
    tested = dataset.test is not None and np.array_equal(dataset.check, dataset.test)
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
