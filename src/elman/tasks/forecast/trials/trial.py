"""A way to forecast on trial: networks on the first part of the training part, how near they are.

Where there is little data there are several such parts, one shorter than the other by what is
scored, so that more is: rolling origins, with a network for each.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.errors import UserError
from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Batch, Panel
from elman.tasks.forecast.mixing.mixture import forecasts
from elman.tasks.forecast.mixing.shares import SHARES, Errors, mixed_errors, surely_best
from elman.tasks.forecast.model import make_network, widths_of
from elman.tasks.forecast.networks import output
from elman.tasks.forecast.networks.network import Network
from elman.tasks.forecast.options import Beside, ForecastOptions
from elman.tasks.forecast.scores import point
from elman.tasks.forecast.simple import naive

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

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

    def judged(self, beside: Beside, shares: tuple[float, ...], device: str) -> Errors:
        """Errors of mixtures by share of the network."""
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
        errors = np.concatenate([part.scaled for part in parts])
        counts = np.cumsum([0, *(part.units.max(initial=-1) + 1 for part in parts)])
        units = np.concatenate([part.units + n for part, n in zip(parts, counts, strict=False)])
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
