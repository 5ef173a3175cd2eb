"""What the user left open of a forecaster, settled by back-tests in the training part."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from elman.tasks.forecast import reading
from elman.tasks.forecast.data import Panel
from elman.tasks.forecast.mixing.shares import SERIES
from elman.tasks.forecast.model import make, widths_of
from elman.tasks.forecast.options import ForecastOptions
from elman.tasks.forecast.rivals import chosen
from elman.tasks.forecast.training import epoch, loss
from elman.tasks.forecast.trials.choice import choose, told
from elman.tasks.forecast.trials.trial import Allowance, Way
from elman.tasks.forecast.trials.ways import ways
from elman.tasks.pace import expectation
from elman.tasks.task import Budget, Plan
from elman.wording import counted

TRIED = 0.25  # share of the time in which ways to forecast are tried
ENOUGH = 600  # updates
STEPS = 6000  # updates after which a small data set has been learnt
SMOOTHED_STEPS = 600  # updates of networks that smooth, each of all steps of its windows
UNUSED = 3  # passes of a network that has no share in the forecast


def plan(dataset: Panel, options: ForecastOptions, budget: Budget) -> Plan[ForecastOptions]:
    began = time.perf_counter()
    tried = ways(dataset, options, budget.batch_size, budget.learning_rate)
    beside = options.beside or chosen(dataset)
    allowed = allowance(dataset, tried[0], budget)
    best = choose(dataset, tried, options.share, beside, allowed, budget.device)
    way = best.way
    each, enough_tell = options.each_share, len(np.unique(dataset.check[:, 0])) >= SERIES
    if each is None:  # where a network is to forecast at all
        each = options.share is None and best.share > 0 and enough_tell
    settled = replace(way.options, beside=beside, share=best.share, each_share=each)
    there = reading.otherwise(dataset, settled)
    count = min(len(there.train), settled.windows or len(there.train))
    if settled.smoothing:
        count = len(epoch(there, settled, 1, 0, 0))
    used = bool(settled.share or (each and enough_tell))
    enough = passes(count, way.batch_size, settled) if used else UNUSED
    past = len(there.collection.options.past_columns)
    model = make(settled, there.settings, widths_of(there.fitted, past))
    first = epoch(there, settled, way.batch_size, 0, 0)
    if budget.seconds is not None:
        budget = replace(budget, seconds=budget.seconds - (time.perf_counter() - began))
    expected = expectation(loss, model, first, budget, enough)
    why = f"{shown(way)}, {counted(count, 'window')}: {expected}; {told(best, there)}"
    if each and enough_tell:
        why += "; in the end each series gets a share of its own, if that proves nearer"
    return Plan(settled, way.batch_size, way.learning_rate, why, enough, there)


def allowance(dataset: Panel, first: Way, budget: Budget) -> Allowance:
    """How long the ways may be tried: a quarter of the time, or, of a run in epochs, about as many
    updates as it has, or a quarter of them where they are many."""
    if budget.epochs is None:
        assert budget.seconds is not None
        return Allowance(TRIED * budget.seconds, None)
    count = min(len(dataset.train), first.options.windows or len(dataset.train))
    steps = budget.epochs * -(-count // first.batch_size)
    return Allowance(None, min(steps, max(ENOUGH, int(TRIED * steps))))


def passes(count: int, batch_size: int, options: ForecastOptions) -> int:
    """Passes over so many windows after which they have been learnt."""
    steps = SMOOTHED_STEPS if options.smoothing else STEPS
    return max(10, steps // -(-count // batch_size))


def shown(way: Way) -> str:
    """The network of a way, in words."""
    own = way.options
    assert own.hidden_size is not None
    shape = f"{'/'.join(own.cell)} of {', '.join(map(str, own.hidden_size))} units"
    if own.members and own.members > 1:
        shape = f"{own.members} times {shape}"
    read = [name for name, on in (
        ("logarithms", own.log), ("differences from the season before", own.seasonal),
        (f"segments of {own.segment}", own.segment),
        (f"smoothed with seasons {', '.join(map(str, own.smoothing or ()))}", own.smoothing),
        (f"scaled by the {own.scaling}", own.scaling in ("series", "window")),
    ) if on]  # fmt: skip
    return ", ".join([shape, *read, f"from {own.look_back} values to the next {own.horizon}"])
