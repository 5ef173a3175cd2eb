"""A way to forecast on trial: networks on the first part of the training part, how near they are.

Where there is little data there are several such parts, one shorter than the other by what is
scored, so that more is: rolling origins, with a network for each.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.errors import UserError
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Batch, Panel
from elman.tasks.forecast.mixture import forecasts
from elman.tasks.forecast.model import make_network, widths_of
from elman.tasks.forecast.networks import output
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import Beside, ForecastOptions
from elman.tasks.forecast.scores import point, scaled_errors
from elman.tasks.forecast.simple import naive
from elman.tasks.forecast.units import units_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHARES = (0.25, 0.5, 0.75, 1.0)
SURE = 1.65  # standard errors by which a mixture must be nearer; by chance one in twenty is
VARIED = 0.2  # what one unit's gain varies by at least, as a share of the error
SCORED = 1500  # windows of a part
SERIES = 300
FOLDS = 3
FEW = 2000  # windows of the training part up to which there are folds


@dataclass(frozen=True)
class Way:
    """A way to forecast, all settled, in words, and how it is trained."""

    told: str
    options: ForecastOptions
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Allowance:
    """How long the trials may take together: seconds or, so that a run can be repeated, updates."""

    seconds: float | None
    steps: int | None

    def part(self, share: float) -> Allowance:
        return Allowance(
            None if self.seconds is None else share * self.seconds,
            None if self.steps is None else max(1, int(share * self.steps)),
        )


@dataclass
class Fold:
    """A network of one way, which learns from the training part of `panel`."""

    panel: Panel
    network: Network
    optimizer: torch.optim.Optimizer
    random: np.random.Generator
    steps: int = 0
    waiting: list[Ints] = field(default_factory=list)

    def train(self, way: Way, allowed: Allowance, device: str) -> None:
        """One fall of the learning rate on a cosine."""
        began, done = time.perf_counter(), 0
        self.network.train()
        while True:
            spent = 0.0
            if allowed.steps is not None:
                spent = done / allowed.steps
            elif allowed.seconds is not None:
                spent = (time.perf_counter() - began) / allowed.seconds
            if spent >= 1:
                break
            rate = 0.5 * way.learning_rate * (1 + math.cos(math.pi * spent))
            for group in self.optimizer.param_groups:
                group["lr"] = rate * min(1.0, (self.steps + 1) / 20)
            windows = self._next(way.batch_size)
            batch = Batch(*(part.to(device) for part in self.panel.batch(windows)))
            total, count = output.loss(self.network, batch, *self.network.answers(batch))
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(total / count)
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            done, self.steps = done + 1, self.steps + 1
        self.network.eval()

    def _next(self, size: int) -> Ints:
        if not self.waiting:
            windows = self.panel.train
            order = self.random.permutation(len(windows))
            self.waiting = [windows[order[k : k + size]] for k in range(0, len(order), size)]
        return self.waiting.pop()

    def judged(self, beside: Beside, shares: tuple[float, ...], device: str) -> tuple[Floats, Ints]:
        """Scaled errors of mixtures by share of the network, [N, W], of N windows, and their units
        as `units_of` has them."""
        windows = _spread(self.panel.check, SCORED)
        made, _ = forecasts(self.network, self.panel, windows, device)
        middle = point(made, self.network.quantiles)
        simple = naive.SIMPLE[beside].make(self.panel, windows)
        return mixed_errors(self.panel, windows, middle, simple, shares)


@dataclass
class Trial:
    """Networks of one way, and how near they were when last judged."""

    way: Way
    folds: list[Fold]
    rank: float = math.inf  # the least error of any mixture
    share: float = 0.0
    error: float = math.nan  # of the mixture with this share, and of the simple forecast alone
    other: float = math.nan

    def train(self, allowed: Allowance, device: str) -> None:
        for fold in self.folds:
            fold.train(self.way, allowed.part(1 / len(self.folds)), device)

    def pace(self, device: str) -> float:
        """How many seconds an update takes."""
        first = self.folds[0]
        first.train(self.way, Allowance(None, 1), device)  # in which memory is asked for
        began = time.perf_counter()
        first.train(self.way, Allowance(None, 3), device)
        return (time.perf_counter() - began) / 3

    def judge(self, beside: Beside, share: float | None, device: str) -> None:
        """How near the mixture is, with the best share or the one that is given."""
        shares = (0.0, *(SHARES if share is None else (share,)))
        parts = [fold.judged(beside, shares, device) for fold in self.folds]
        errors = np.concatenate([errors for errors, _ in parts])
        counts = np.cumsum([0, *(units.max(initial=-1) + 1 for _, units in parts)])
        units = np.concatenate([u + n for (_, u), n in zip(parts, counts, strict=False)])
        if not len(errors):
            return
        best = 1 if share is not None else surely_best(errors, units)
        means = errors.mean(0)
        self.share, self.error, self.other = shares[best], float(means[best]), float(means[0])
        self.rank = float(means[1:].min() if share is not None else means.min())


def trial_of(panel: Panel, way: Way, seed: int, device: str) -> Trial:
    """The way on trial; without folds where the training part is too short for any."""
    folds: list[Fold] = []
    held, upto = held_share(panel), 1.0
    for _ in range(FOLDS if len(panel.train) <= FEW else 1):
        try:
            there = reading.back_test(panel, way.options, held, SERIES, upto)
        except UserError:
            break
        torch.manual_seed(seed)
        past = len(there.collection.options.past_columns)
        settled = replace(way.options, share=1.0)
        network = make_network(settled, there.settings, widths_of(there.fitted, past)).to(device)
        optimizer = torch.optim.AdamW(network.parameters(), way.learning_rate, betas=(0.9, 0.99))
        folds.append(Fold(there, network, optimizer, np.random.default_rng(seed)))
        upto *= 1 - held
    return Trial(way, folds)


def held_share(panel: Panel) -> float:
    """The share of the training part that is kept from a network on trial."""
    longest = int(panel.train[:, 1].max()) + panel.settings.horizon
    return 0.15 if longest > 2000 else 0.2


def _spread(windows: Ints, most: int) -> Ints:
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), most)).round().astype(np.int64)
    found: Ints = windows[chosen]
    return found


def mixed_errors(
    panel: Panel, windows: Ints, made: Floats, simple: Floats, shares: tuple[float, ...]
) -> tuple[Floats, Ints]:
    """Scaled errors [N, W] of mixtures of two forecasts [N, H] by the share of `made`, and units
    [N]; of the windows that errors can be scaled of."""
    mix = _mixing(panel)
    errors = np.stack([scaled_errors(panel, windows, mix(made, simple, w)) for w in shares], 1)
    fair = np.isfinite(errors).all(1)
    _, of = units_of(panel, windows)
    return errors[fair], np.unique(of[fair], return_inverse=True)[1].astype(np.int64)


def surely_best(errors: Floats, units: Ints) -> int:
    """Which of the mixtures with errors [N, W] is the nearest; the first, the simple forecast,
    unless another is nearer by more than chance gives.

    That is by `SURE` standard errors over units, which are not let believe that they vary by less
    than `VARIED` of the error, as few of them may by chance.
    """
    counts = np.bincount(units)
    n, least, best = len(counts), float(errors[:, 0].mean()), 0
    varied = VARIED * least / math.sqrt(n)
    for k, w in enumerate(SHARES, 1):
        mean = float(errors[:, k].mean())
        if mean >= least:
            continue
        gains = np.bincount(units, errors[:, 0] - errors[:, k])  # sums over units
        gain = float(gains.sum() / counts.sum())
        spread = math.sqrt(float(np.square(gains - gain * counts).sum()) * n / max(1, n - 1))
        if gain > SURE * max(spread / float(counts.sum()), w * varied):
            best, least = k, mean
    return best


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
