"""How much of a forecast is the network's, the rest a simple forecast's: one share for all series
and, where the validation part says so, one for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.errors import scaled_errors
from elman.tasks.forecast.intervals.conformal import PRIOR, stretches
from elman.tasks.forecast.units import units_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Chosen = NDArray[np.bool_]

SHARES = (0.25, 0.5, 0.75, 1.0)  # one for all is among these
SURE = 1.65  # standard errors by which a mixture must be nearer; by chance one in twenty is
VARIED = 0.2  # what one unit's gain varies by at least, as a share of the error
FINE = tuple(k / 10 for k in range(11))  # those of each series are among these
SERIES = 10  # from which on each may have its own


class Errors(NamedTuple):
    """Scaled errors [N, W] of mixtures by the network's share, of the windows [N, 2] that errors
    can be scaled of; their `units` [N] of what is independent; and the numbers of their series for
    the network, `which` [N]."""

    scaled: Floats
    windows: Ints
    units: Ints
    which: Ints

    def at(self, rows: Chosen) -> Errors:
        """Those of some windows."""
        _, units = np.unique(self.units[rows], return_inverse=True)
        return Errors(self.scaled[rows], self.windows[rows], units, self.which[rows])


@final
class Shares(nn.Module):
    """The network's share in the forecast of each series: `own` [2, S], and `new` [2] of one that
    it does not know. The first are by the end of the training part and the validation part; the
    second, by which the validation part is scored, by the training part alone.

    Until they are fitted all are `usual`, the share that back-tests found, and so they stay where
    others are not surely nearer.
    """

    own: Tensor
    new: Tensor

    def __init__(self, series: int, usual: float) -> None:
        super().__init__()
        self.usual = usual
        self.register_buffer("own", torch.full((2, series), usual, dtype=torch.float64))
        self.register_buffer("new", torch.full((2,), usual, dtype=torch.float64))

    def of(self, which: Ints, scored: Chosen) -> Floats:
        """Those of series by number, -1 for a new one, [N]; `scored` [N] where a window is of the
        validation part."""
        own, new, row = self.own.cpu().numpy(), self.new.cpu().numpy(), scored.astype(np.int64)
        found: Floats = np.where(which < 0, new[row], own[row, np.maximum(which, 0)])
        return found

    @property
    def differ(self) -> bool:
        """Whether any is another than the usual."""
        return bool((self.own != self.usual).any())

    def fit(self, learnt: Errors, held: Errors, horizon: int) -> None:
        """By errors of mixtures with the shares `FINE` and `usual`, of windows that the network has
        learnt from and of those that were held back.

        What it has learnt from flatters it, of all series about alike; what that says of each has
        to come surely nearer where it has not learnt. Where another share of all comes nearer still
        than shares of their own, all get that.
        """
        self.own.fill_(self.usual)
        self.new.fill_(self.usual)
        learnt, held = (of.at(of.which >= 0) for of in (learnt, held))
        both = Errors(*(np.concatenate(pair) for pair in zip(learnt, held, strict=True)))
        tried = held.at(np.isin(held.which, learnt.which))
        if len(np.unique(tried.which)) < SERIES:
            return
        series = self.own.shape[1]
        own, common = nearest(learnt, series, horizon)
        usual, of_all = tried.scaled[:, -1], tried.scaled[:, common]
        of_each = tried.scaled[np.arange(len(usual)), own[tried.which]]
        each = bool(of_each.mean() < of_all.mean())
        taken = np.array(FINE)[own[tried.which] if each else common]
        moved = float(np.abs(taken - self.usual).mean())
        gains = usual - (of_each if each else of_all)
        if not surely(gains, tried.units, moved * float(usual.mean())):
            return
        for row, errors in enumerate((both, learnt)):
            own, common = nearest(errors, series, horizon)
            there = np.unique(errors.which)
            shares = np.array(FINE)[own[there] if each else np.full(len(there), common)]
            self.own[row, torch.from_numpy(there)] = torch.from_numpy(shares).to(self.own)
            self.new[row] = FINE[common]


def nearest(errors: Errors, series: int, horizon: int) -> tuple[Ints, int]:
    """Which of `FINE` is the nearest for each of so many series, [S], drawn to the nearest for all
    by the few stretches of it; and that one.

    Each series counts alike, by its errors over their mean of all shares.
    """
    means, weights = np.zeros((series, len(FINE))), np.zeros((series, 1))
    for number in np.unique(errors.which):
        rows = errors.which == number
        own = errors.scaled[rows, : len(FINE)].mean(0)
        means[number] = own / max(float(own.mean()), 1e-12)
        weights[number] = stretches(errors.windows[rows], horizon)
    common = means[weights[:, 0] > 0].mean(0)
    drawn = (weights * means + PRIOR * common) / (weights + PRIOR)
    return drawn.argmin(1).astype(np.int64), int(common.argmin())


# ---- Which share is the nearest ------------------------------------------------------------------


def mixed_errors(
    panel: Panel, windows: Ints, made: Floats, simple: Floats, shares: Sequence[float]
) -> Errors:
    """Of mixtures of two forecasts [N, H] by the share of `made`."""
    mix = _mixing(panel)
    errors = np.stack([scaled_errors(panel, windows, mix(made, simple, w)) for w in shares], 1)
    fair = np.isfinite(errors).all(1)
    _, of = units_of(panel, windows)
    units = np.unique(of[fair], return_inverse=True)[1].astype(np.int64)
    return Errors(errors[fair], windows[fair], units, panel.which[windows[fair, 0]])


def surely_best(errors: Floats, units: Ints) -> int:
    """Which of the mixtures with errors [N, W], by no share and `SHARES`, is the nearest; the
    first, the simple forecast, unless another is surely nearer."""
    least, best = float(errors[:, 0].mean()), 0
    alone = least
    for k, w in enumerate(SHARES, 1):
        mean = float(errors[:, k].mean())
        if mean < least and surely(errors[:, 0] - errors[:, k], units, w * alone):
            best, least = k, mean
    return best


def surely(gains: Floats, units: Ints, size: float) -> bool:
    """Whether gains [N] of units [N] are more than chance gives, by `SURE` standard errors over
    units. These are not let believe that they vary by less than `VARIED` of `size`, as few of them
    may by chance."""
    counts = np.bincount(units)
    n = len(counts)
    sums = np.bincount(units, gains)
    gain = float(sums.sum() / counts.sum())
    spread = math.sqrt(float(np.square(sums - gain * counts).sum()) * n / max(1, n - 1))
    return gain > SURE * max(spread / float(counts.sum()), VARIED * size / math.sqrt(n))


def _mixing(panel: Panel) -> Callable[[Floats, Floats, float], Floats]:
    """How forecasts in the units of the data are mixed: as logarithms where these are read."""
    if not panel.settings.log:
        return lambda made, simple, w: w * made + (1 - w) * simple

    def mixed(made: Floats, simple: Floats, w: float) -> Floats:
        found: Floats = np.exp(
            w * np.log(np.maximum(made, 1e-300)) + (1 - w) * np.log(np.maximum(simple, 1e-300))
        )
        return found

    return mixed
