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
from elman.tasks.forecast.intervals.conformal import PARTS, PRIOR, later, stretches
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
    can be scaled of; `units` [N] is what is independent among these."""

    scaled: Floats
    windows: Ints
    units: Ints


@final
class Shares(nn.Module):
    """The network's share in the forecast of each series: `own` [3, S], and `new` [3] of one that
    it does not know. The first is by all of the validation part, the second by its first half, for
    what is scored in its second, the third the other way round; so no window counts for its own.

    Until they are fitted all are `usual`, the share that back-tests found, and so they stay where
    shares of their own are not surely nearer.
    """

    own: Tensor
    new: Tensor

    def __init__(self, series: int, usual: float) -> None:
        super().__init__()
        self.usual = usual
        self.register_buffer("own", torch.full((PARTS, series), usual, dtype=torch.float64))
        self.register_buffer("new", torch.full((PARTS,), usual, dtype=torch.float64))

    def of(self, which: Ints, part: Ints) -> Floats:
        """Those of series by number, -1 for a new one, [N]; `part` [N] as `Bands.around` has it."""
        own, new = self.own.cpu().numpy(), self.new.cpu().numpy()
        found: Floats = np.where(which < 0, new[part], own[part, np.maximum(which, 0)])
        return found

    @property
    def differ(self) -> bool:
        """Whether series have their own."""
        return bool((self.own != self.usual).any())

    def fit(self, panel: Panel, windows: Ints, made: Floats, simple: Floats) -> None:
        """By what the network alone and the simple forecast made of windows, [N, H] each.

        Whether series have their own is decided by how near those of either half come in the other.
        Half of a part may share values with the other half; the shares by which this part is scored
        are therefore by windows that share none.
        """
        self.own.fill_(self.usual)
        self.new.fill_(self.usual)
        errors = mixed_errors(panel, windows, made, simple, (*FINE, self.usual))
        windows, horizon = errors.windows, panel.settings.horizon
        which = panel.which[windows[:, 0]]
        if len(np.unique(which[which >= 0])) < SERIES:
            return

        def best(rows: Chosen) -> tuple[Ints, int]:
            found = replaced(errors, rows)
            return nearest(found, which[rows], self.own.shape[1], horizon)

        late = later(windows)
        (by_first, _), (by_second, _) = best(~late), best(late)
        crossed = np.where(late, by_first[which], by_second[which])
        row = np.arange(len(windows))
        gains = errors.scaled[:, -1] - errors.scaled[row, crossed]
        moved = float(np.abs(np.array(FINE)[crossed] - self.usual).mean())
        if not surely(gains, errors.units, moved * float(errors.scaled[:, -1].mean())):
            return
        apart = apart_from(windows, late, horizon)
        for part, rows in enumerate((np.ones(len(row), bool), ~late & apart, late & apart)):
            if rows.any():
                own, new = best(rows)
                self.own[part] = torch.tensor(FINE, dtype=torch.float64)[torch.from_numpy(own)]
                self.new[part] = FINE[new]


def replaced(errors: Errors, rows: Chosen) -> Errors:
    """Those of some windows."""
    return Errors(errors.scaled[rows], errors.windows[rows], errors.units[rows])


def nearest(errors: Errors, which: Ints, series: int, horizon: int) -> tuple[Ints, int]:
    """Which of `FINE` is the nearest for each of so many series, [S], drawn to the nearest for all
    by the few stretches of it; and that one.

    Each series counts alike, by its errors over their mean of all shares.
    """
    means, weights = np.zeros((series, len(FINE))), np.zeros((series, 1))
    for number in np.unique(which[which >= 0]):
        rows = which == number
        own = errors.scaled[rows, : len(FINE)].mean(0)
        means[number] = own / max(float(own.mean()), 1e-12)
        weights[number] = stretches(errors.windows[rows], horizon)
    there = weights[:, 0] > 0
    common = means[there].mean(0)
    drawn = (weights * means + PRIOR * common) / (weights + PRIOR)
    return drawn.argmin(1).astype(np.int64), int(common.argmin())


def apart_from(windows: Ints, late: Chosen, horizon: int) -> Chosen:
    """Which windows [N, 2] of each series share no value to be forecast with the other half."""
    found = np.ones(len(windows), dtype=np.bool_)
    for number in np.unique(windows[:, 0]):
        rows = windows[:, 0] == number
        first, second = windows[rows & ~late, 1], windows[rows & late, 1]
        if len(first) and len(second):
            found[rows & ~late] = first + horizon <= second.min()
            found[rows & late] = second >= first.max() + horizon
    return found


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
    return Errors(errors[fair], windows[fair], units)


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
