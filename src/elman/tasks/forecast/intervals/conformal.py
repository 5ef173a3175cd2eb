"""Intervals that hold as many values as they say: conformal calibration.

How far forecasts were off where the network had not learnt says how far they will be (split
conformal prediction, Lei et al. 2018, arXiv:1604.04173); quantiles that were learnt are moved by
how far values came to lie outside of them (Romano et al. 2019, arXiv:1905.03222). Each step ahead
has bounds of its own where there are enough forecasts that share no values; of fewer ones all steps
go together, by how errors grow with the step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.1, 0.5, 0.9)  # quantiles that are told where none are asked for
MANY = 40  # stretches from which on each step, and each end of an interval, is on its own
FEW = 10  # stretches up to which what was learnt from is looked at, too
PRIOR = 2.0  # stretches by which what few tell is drawn to what is usual
RECENT = 1 / 3  # of what was learnt from: long ago a short series told less, and errors were others
SETTLED = 24  # values by which the unrest of a window is drawn to the usual
CHANGED = (0.25, 4.0)  # times the usual unrest
WIDER = (1.0, 3.0)  # how much larger errors may be than where the network has learnt
NONE = -3e38  # below all values
PARTS = 3  # bounds by all of the calibration part, and by either half of it


def levels(quantiles: Sequence[float]) -> tuple[float, ...]:
    """The quantiles that are told: those asked for, or an interval of 80 % and the middle."""
    return tuple(quantiles) or LEVELS


def pairs(quantiles: Sequence[float]) -> list[tuple[int, int]]:
    """The numbers of quantiles that bound an interval about the median, the widest first."""
    count = len(quantiles)
    return [(k, count - 1 - k) for k in range(count // 2)]


@dataclass(frozen=True)
class Residuals:
    """Forecasts [N, H, Q] and what came [N, H], both scaled; of which series, from which origin."""

    made: Floats
    came: Floats
    windows: Ints  # [N, 2]
    unrest: Floats  # [N]: how much the values that were read change from one to the next

    def of(self, rows: NDArray[np.bool_]) -> Residuals:
        """Those of some windows."""
        return Residuals(self.made[rows], self.came[rows], self.windows[rows], self.unrest[rows])

    def errors(self, middle: int) -> Floats:
        """How far the middle forecast was off, [N, H]."""
        found: Floats = np.abs(self.came - self.made[:, :, middle])
        return found

    def stretches(self) -> int:
        """How many forecasts there are that share no values."""
        return stretches(self.windows, self.came.shape[1])


class Bands(nn.Module):
    """How far the ends of each interval lie from the quantiles of a network, or from its forecast.

    `moved` [3, H, K, 2] in sizes of errors, for K intervals: the lower end down, the upper one up.
    `size` [S] is how far forecasts of each series are off, scaled as they are, and `unrest` [S] how
    much its windows change: of one that changes twice as much errors are thought to be twice as
    large (locally weighted, Lei et al. 2018). `reads` is how many values it has. `least` is what no
    lower end passes, in the units of the data: 0 where no value lay below it, else as good as none.
    """

    moved: Tensor
    size: Tensor
    unrest: Tensor
    least: Tensor
    ready: Tensor

    def __init__(self, series: int, horizon: int, reads: int, quantiles: Sequence[float]) -> None:
        super().__init__()
        self.sure = reads / (reads + SETTLED)
        self.quantiles, self.told = tuple(quantiles), levels(quantiles)
        self.ends = pairs(self.told)
        self.register_buffer("moved", torch.zeros(PARTS, horizon, len(self.ends), 2))
        self.register_buffer("size", torch.ones(series))
        self.register_buffer("unrest", torch.ones(series))
        self.register_buffer("least", torch.full((1,), NONE))
        self.register_buffer("ready", torch.zeros(1))

    @property
    def calibrated(self) -> bool:
        """Whether `calibrate` has been called."""
        return bool(self.ready.item())

    def around(self, made: Floats, which: Ints, unrest: Floats, part: Ints) -> Floats:
        """Scaled forecasts [N, H, Q] of series → all quantiles that are told, [N, H, Q'].

        `which` [N] are the numbers of the series, -1 for new ones, and `unrest` [N] that of the
        windows; `part` [N] says by which part the bounds are: 0 all of it, 1 its first half, 2 its
        second.
        """
        found = np.repeat(made, len(self.told), 2) if not self.quantiles else made.copy()
        moved, sizes = self.moved.double().cpu().numpy()[part], self._sizes(which, unrest)
        for k, (low, high) in enumerate(self.ends):
            found[:, :, low] -= sizes * moved[:, :, k, 0]
            found[:, :, high] += sizes * moved[:, :, k, 1]
        return found

    def not_below(self, made: Floats) -> Floats:
        """Quantiles [N, H, Q'] in the units of the data, of which no lower end passes `least`."""
        middle = self.told.index(0.5)
        floor = np.minimum(float(self.least.item()), made[:, :, middle, None])
        made[:, :, :middle] = np.maximum(made[:, :, :middle], floor)
        return made

    def calibrate(
        self, held: Residuals, learnt: Residuals, which: Ints, least: float = NONE
    ) -> None:
        """By forecasts of a part that was held back, or was not: `held` may be empty.

        `learnt` are forecasts of what the network has learnt from, which are the nearer for it:
        the errors of one series beside another are taken from them. `which` [S] are the numbers
        of series for the network, and `least` what no value of the training part lay below.
        """
        self.least.fill_(least)
        middle = self.told.index(0.5) if self.quantiles else 0
        self._measure(learnt, which, middle)
        halves = [held]
        if len(held.windows):
            late = later(held.windows)
            halves += [held.of(~late), held.of(late)]
        for part, some in enumerate(halves):
            self._move(part, some, learnt, which, middle)
        if len(halves) == 1:
            self.moved[1:] = self.moved[0]
        self.ready.fill_(1.0)

    def _sizes(self, which: Ints, unrest: Floats) -> Floats:
        """How far forecasts from each window are off, [N, 1]."""
        size, usual = (
            np.where(which < 0, each.mean(), each[np.maximum(which, 0)])
            for each in (self.size.double().cpu().numpy(), self.unrest.double().cpu().numpy())
        )
        more = np.clip(unrest / np.maximum(usual, 1e-12), *CHANGED)
        # Of a few values it tells little.
        found: Floats = (size * (self.sure * more + 1 - self.sure))[:, None]
        return found

    def _measure(self, learnt: Residuals, which: Ints, middle: int) -> None:
        """`size`: the mean error of each series, drawn to that of all by its few stretches; and
        `unrest`, the mean of its windows."""
        errors = learnt.errors(middle).mean(1)
        overall = max(float(errors.mean()), 1e-12)
        self.size.fill_(overall)
        self.unrest.fill_(max(float(learnt.unrest.mean()), 1e-12))
        for number in np.unique(learnt.windows[:, 0]):
            rows = learnt.windows[:, 0] == number
            n = learnt.of(rows).stretches()
            own = float(errors[rows].mean())
            if which[number] >= 0:
                self.size[which[number]] = (n * own + PRIOR * overall) / (n + PRIOR)
                self.unrest[which[number]] = max(float(learnt.unrest[rows].mean()), 1e-12)

    def _move(
        self, part: int, held: Residuals, learnt: Residuals, which: Ints, middle: int
    ) -> None:
        n = held.stretches() if len(held.windows) else 0
        used = [(held, 1.0)] if n else []
        if n <= FEW:  # those that were learnt from, as much larger as the others tell
            used.append((learnt, self._wider(held, learnt, which, middle) if n else 1.0))
        errors = np.concatenate([w * self._scaled(some, which, middle) for some, w in used])
        growth = np.ones(errors.shape[1]) if n >= MANY else rising(errors.mean(0))
        growth = np.maximum(growth, 1e-12)
        for k, (low, high) in enumerate(self.ends):
            below, above = [], []
            for some, w in used:
                scale = self._sizes(which[some.windows[:, 0]], some.unrest) * growth / w
                bottom, top = (low, high) if self.quantiles else (0, 0)
                below.append((some.made[:, :, bottom] - some.came) / scale)
                above.append((some.came - some.made[:, :, top]) / scale)
            moved = bounds(
                np.concatenate(below), np.concatenate(above), self.told[low], self.told[high],
                apart=n >= MANY,
            )  # fmt: skip
            self.moved[part, :, k] = torch.from_numpy(moved * growth[:, None]).to(self.moved)

    def _scaled(self, some: Residuals, which: Ints, middle: int) -> Floats:
        sizes = self._sizes(which[some.windows[:, 0]], some.unrest)
        found: Floats = some.errors(middle) / sizes
        return found

    def _wider(self, held: Residuals, learnt: Residuals, which: Ints, middle: int) -> float:
        """How much larger errors are where the network has not learnt; the fewer tell, the less."""
        there = float(self._scaled(held, which, middle).mean())
        here = float(self._scaled(learnt, which, middle).mean())
        n = held.stretches()
        told = float(np.clip(there / max(here, 1e-12), *WIDER))
        return (n * told + PRIOR) / (n + PRIOR)


def bounds(below: Floats, above: Floats, low: float, high: float, *, apart: bool) -> Floats:
    """How far an interval's ends are to be moved out, [H, 2], by how far values lay outside [N, H].

    `apart` sees to each step and each end of its own: the share asked for is raised to that of
    N + 1 values, one of which is yet to come. Else all steps go together, and both ends alike.
    """
    if apart:
        n = len(below)
        return np.stack([
            np.sort(part, 0)[min(n, math.ceil((n + 1) * share - 1e-9)) - 1]
            for part, share in ((below, 1 - low), (above, high))
        ], 1)  # fmt: skip
    moved = np.quantile(np.maximum(below, above), high - low, method="higher")
    return np.full((below.shape[1], 2), moved)


def rising(values: Floats) -> Floats:
    """The nearest values, by squares, that nowhere fall: pool-adjacent-violators."""
    means: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        means.append(value)
        counts.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            last, n = means.pop(), counts.pop()
            means[-1] = (means[-1] * counts[-1] + last * n) / (counts[-1] + n)
            counts[-1] += n
    return np.repeat(means, counts)


def stretches(windows: Ints, horizon: int) -> int:
    """How many of these windows [N, 2], of so many values each, there are that share none."""
    found = 0
    for number in np.unique(windows[:, 0]):
        origins = windows[windows[:, 0] == number, 1]
        found += int(origins.max() - origins.min()) // horizon + 1
    return found


def later(windows: Ints, share: float = 0.5) -> NDArray[np.bool_]:
    """Which windows [N, 2] of each series stand in the last half, or share, of its origins."""
    found = np.zeros(len(windows), dtype=np.bool_)
    for number in np.unique(windows[:, 0]):
        rows = windows[:, 0] == number
        origins = windows[rows, 1]
        found[rows] = origins > share * origins.min() + (1 - share) * origins.max()
    if found.all() or not found.any():  # a window a series: every second series
        found = windows[:, 0] % 2 == 1
    if found.all() or not found.any():
        found = np.arange(len(windows)) % 2 == 1
    return found


def recent(windows: Ints) -> Ints:
    """Those windows [N, 2] of each series that stand in the last `RECENT` of its origins; of one
    with few of them at least the last."""
    last = np.diff(windows[:, 0], append=-1) != 0  # windows of a series follow one another
    found: Ints = windows[later(windows, RECENT) | last]
    return found


def thinned(windows: Ints, most: int) -> Ints:
    """At most about so many windows, of each series some, evenly spread over its own."""
    numbers, firsts, counts = np.unique(windows[:, 0], return_index=True, return_counts=True)
    each = max(2, math.ceil(most / max(1, len(numbers))))
    parts = [
        first + np.linspace(0, count - 1, min(each, count)).round().astype(np.int64)
        for first, count in zip(firsts, counts, strict=True)
    ]
    found: Ints = windows[np.unique(np.concatenate(parts))] if parts else windows
    return found
