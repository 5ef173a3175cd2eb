"""Which way to forecast, and how much of it is the network's: by back-tests in the training part.

The ways are tried on the end of the training part, which they do not learn from: all are trained
briefly, the better half goes on, and so on (successive halving, Jamieson and Talwalkar 2016,
arXiv:1502.07943).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from elman.errors import UserError
from elman.tasks.forecast import model as networks
from elman.tasks.forecast import naive, reading, rivals
from elman.tasks.forecast.mixture import forecasts, widths_of
from elman.tasks.forecast.model import Network, make_network
from elman.tasks.forecast.options import Beside, ForecastOptions
from elman.tasks.forecast.panel import Batch, Panel
from elman.tasks.forecast.scores import point
from elman.wording import counted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHARES = (0.25, 0.5, 0.75, 1.0)
SURE = 1.65  # standard errors by which a mixture must be nearer; by chance one in twenty is
VARIED = 0.2  # what one unit's gain varies by at least, as a share of the error
SCORED = 1500  # windows of the back-test
SERIES = 300
FEWEST_STEPS = 40  # updates of a trial, below which it says nothing


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


@dataclass(frozen=True)
class Chosen:
    """The way that was nearest in the back-tests, and the network's share beside a simple one."""

    way: Way
    share: float
    beside: Beside
    tried: int  # ways; 0 where none was, as the series are too short or nothing was left open
    error: float = math.nan  # of the mixture, and of the simple forecast alone
    other: float = math.nan


@dataclass
class _Trial:
    """A network of one way, as it is trained on the first part of the training part."""

    way: Way
    panel: Panel
    network: Network
    optimizer: torch.optim.Optimizer
    random: np.random.Generator
    error: float = math.inf
    share: float = 0.0
    other: float = math.nan
    steps: int = 0
    waiting: list[Ints] = field(default_factory=list)

    def train(self, allowed: Allowance, device: str) -> None:
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
            rate = 0.5 * self.way.learning_rate * (1 + math.cos(math.pi * spent))
            for group in self.optimizer.param_groups:
                group["lr"] = rate * min(1.0, (self.steps + 1) / 20)
            windows = self._next()
            batch = Batch(*(part.to(device) for part in self.panel.batch(windows)))
            total, count = networks.loss(self.network, batch, *self.network.answers(batch))
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(total / count)
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            done, self.steps = done + 1, self.steps + 1
        self.network.eval()

    def _next(self) -> Ints:
        if not self.waiting:
            windows, size = self.panel.train, self.way.batch_size
            order = self.random.permutation(len(windows))
            self.waiting = [windows[order[k : k + size]] for k in range(0, len(order), size)]
        return self.waiting.pop()

    def score(self, beside: Beside, share: float | None, device: str) -> None:
        """How near the mixture is, with the best share or the one that is given."""
        windows = _spread(self.panel.check, SCORED)
        made, _ = forecasts(self.network, self.panel, windows, device)
        middle = point(made, self.way.options.quantiles)
        simple = naive.SIMPLE[beside].make(self.panel, windows)
        self.share, self.error, self.other = best_share(self.panel, windows, middle, simple, share)
        if not math.isfinite(self.error):
            self.error = math.inf


def choose(
    panel: Panel, ways: Sequence[Way], share: float | None, beside: Beside, allowed: Allowance,
    device: str,
) -> Chosen:  # fmt: skip
    """The best of these ways, the likeliest of which stand first, and the network's share, unless
    it is given."""
    if share == 1.0 and len(ways) == 1:
        return Chosen(ways[0], 1.0, beside, 0)
    began = time.perf_counter()
    trials = _trials(panel, _affordable(ways, allowed), device)
    if not trials:
        return Chosen(ways[0], 0.0 if share is None else share, beside, 0)
    tried = len(trials)
    rounds = max(1, math.ceil(math.log2(len(trials))) + 1)
    if allowed.seconds is not None:
        allowed = Allowance(max(1.0, allowed.seconds - (time.perf_counter() - began)), None)
    while True:
        for trial in trials:
            # The last round is one network's alone, and its rate falls from the top once more.
            trial.train(allowed.part(1 / (rounds * len(trials))), device)
            trial.score(beside, share, device)
        trials.sort(key=lambda trial: trial.error)
        if len(trials) == 1:
            break
        trials = trials[: (len(trials) + 1) // 2]
    (best,) = trials
    return Chosen(best.way, best.share, beside, tried, best.error, best.other)


def _affordable(ways: Sequence[Way], allowed: Allowance) -> Sequence[Way]:
    if allowed.steps is None:
        return ways
    return ways[: max(1, allowed.steps // (4 * FEWEST_STEPS))]


def _trials(panel: Panel, ways: Sequence[Way], device: str) -> list[_Trial]:
    """A network for each way that the training part is long enough for."""
    found = []
    for number, way in enumerate(ways):
        try:
            there = reading.back_test(panel, way.options, held_share(panel), SERIES)
        except UserError:
            continue
        torch.manual_seed(number)
        past = len(there.collection.options.past_columns)
        settled = replace(way.options, share=1.0)
        network = make_network(settled, there.settings, widths_of(there.fitted, past)).to(device)
        optimizer = torch.optim.AdamW(network.parameters(), way.learning_rate, betas=(0.9, 0.99))
        found.append(_Trial(way, there, network, optimizer, np.random.default_rng(number)))
    return found


def held_share(panel: Panel) -> float:
    """The share of the training part that is kept from trials: more of it where it is short."""
    longest = int(panel.train[:, 1].max()) + panel.settings.horizon
    return 0.15 if longest > 2000 else 0.2 if longest > 500 else 0.3


def _spread(windows: Ints, most: int) -> Ints:
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), most)).round().astype(np.int64)
    found: Ints = windows[chosen]
    return found


def best_share(
    panel: Panel, windows: Ints, made: Floats, simple: Floats, given: float | None = None
) -> tuple[float, float, float]:
    """The network's share in the nearest mixture of two forecasts [N, H], the mixture's mean scaled
    error, and that of the simple one.

    The share is 0 unless the mixture is nearer by more than chance gives: by `SURE` standard errors
    over units as `rivals.units` has them, which are not let believe that they vary by less than
    `VARIED` of the error, as few of them may by chance.
    """
    mix = _mixing(panel)
    others = rivals.scaled_errors(panel, windows, simple)
    fair = np.isfinite(others)
    if not fair.any():
        return (0.0 if given is None else given), math.nan, math.nan
    other = float(others[fair].mean())
    if given is not None:
        errors = rivals.scaled_errors(panel, windows, mix(made, simple, given))
        return given, float(errors[fair].mean()), other
    _, of = rivals.units(panel, windows)
    of = np.unique(of[fair], return_inverse=True)[1]
    counts = np.bincount(of)
    share, error = 0.0, other
    for w in SHARES:
        errors = rivals.scaled_errors(panel, windows, mix(made, simple, w))[fair]
        if float(errors.mean()) >= error:
            continue
        gains = np.bincount(of, others[fair] - errors) / other  # sums over units
        n, gain = len(counts), float(gains.sum() / counts.sum())
        spread = math.sqrt(float(np.square(gains - gain * counts).sum()) * n / max(1, n - 1))
        if gain > SURE * max(spread / float(counts.sum()), w * VARIED / math.sqrt(n)):
            share, error = w, float(errors.mean())
    return share, error, other


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


def told(chosen: Chosen, panel: Panel) -> str:
    """What the back-tests said, for the user."""
    simple = naive.told(chosen.beside, panel)
    if not chosen.tried:
        if chosen.share == 1.0:
            return "the network alone"
        why = "too few values for back-tests, so that " if chosen.share == 0.0 else ""
        return f"{why}{_shared(chosen, simple)}"
    ways = "the best of " + counted(chosen.tried, "way") + " tried" if chosen.tried > 1 else "tried"
    errors = f"{chosen.error:.3g} against {chosen.other:.3g} of {simple}"
    return f"{ways} on the end of the training part ({errors}, scaled); {_shared(chosen, simple)}"


def _shared(chosen: Chosen, simple: str) -> str:
    if chosen.share == 0.0:
        return f"the forecast is that of {simple}: the network was no nearer than chance could be"
    if chosen.share == 1.0:
        return "the forecast is the network's alone"
    return f"the forecast is {chosen.share:.0%} the network's, the rest {simple}"
