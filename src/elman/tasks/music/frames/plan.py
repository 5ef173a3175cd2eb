"""How large a network to train on pieces, and how hard to hold it back, given data and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

from elman import cells
from elman.tasks.music.frames.data import FrameData
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.frames.training import ALL_KEYS, epoch, loss
from elman.tasks.music.options import HeadName, MusicOptions
from elman.tasks.pace import epoch_seconds, expectation
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan

WIDTHS = (512, 384, 256, 128, 64)  # of minutes, the widest that has the time
WIDTH, CHAIN = 256, 128  # of epochs; of what tells the notes of a step
SHARE = 0.6  # of the minutes, for the first fall of the learning rate
DROPOUTS = ((60_000, 0.5), (math.inf, 0.3))  # of units, by the steps for training
WEIGHT_DROPS = ((256, 0.3), (math.inf, 0.5))  # of recurrent weights, by the units of a layer
MANY = 0.6  # of that, where there are many steps
WINDOW = 128
BATCHES = ((400, 4), (800, 8), (math.inf, 16))  # pieces side by side, by how many there are
RATES = {"independent": 6e-3, "chain": 4e-3, "voices": 4e-3}
UPDATES = 2_000  # after which the learning rate has fallen for the first time
PASSES = (10, 40)  # at least, at most

V = TypeVar("V")


def plan(dataset: FrameData, options: MusicOptions, budget: Budget) -> Plan[MusicOptions]:
    """Few pieces are read in small batches: it is updates that they lack."""
    reading, pieces = dataset.reading, len(dataset.train)
    head: HeadName = options.head or ("voices" if reading.voices else "chain")
    settled = settle(
        options, form="frames", head=head, head_size=CHAIN, sequence_length=WINDOW,
        transpose=0 if reading.one_key else -ALL_KEYS[0], steps_per_quarter=reading.per_quarter,
        dropout=_by(DROPOUTS, int(dataset.lengths.sum())),
    )  # fmt: skip
    size = budget.batch_size or _by(BATCHES, pieces)
    first = epoch(dataset, settled, size, 0, 0)
    passes = min(max(round(UPDATES / len(first)), PASSES[0]), PASSES[1])
    for width in WIDTHS if budget.seconds is not None else (WIDTH,):
        tried = _of_width(settled, width, int(dataset.lengths.sum()))
        model = FrameModel(reading, tried)
        fixed = budget.seconds is None or options.hidden_size or width == WIDTHS[-1]
        if fixed or passes * epoch_seconds(loss, model, first, budget.device) <= SHARE * (
            budget.seconds or math.inf
        ):
            break
    told = expectation(loss, model, first, budget, passes)
    units = ", ".join(map(str, tried.hidden_size or ()))
    keys = f"moved by up to {tried.transpose} semitones" if tried.transpose else "not moved"
    if reading.one_key and options.transpose is None:
        keys += ", as they stand in one key"
    why = f"{'/'.join(tried.cell)} of {units} units, head {head}; pieces {keys}: {told}"
    return Plan(tried, size, budget.learning_rate or RATES[head], why, passes)


def _of_width(options: MusicOptions, width: int, steps: int) -> MusicOptions:
    """The options with layers of so many units, unless others were asked for."""
    recurrent = any(cells.get(name).recurrent for name in options.cell)
    settled = settle(options, hidden_size=(width,))
    drop = _by(WEIGHT_DROPS, max(settled.hidden_size or (width,)))
    drop *= 1.0 if steps <= DROPOUTS[0][0] else MANY
    return settle(settled, weight_drop=drop if recurrent else 0.0)


def _by(rule: Sequence[tuple[float, V]], size: int) -> V:
    """What a rule says for so much."""
    return next(value for most, value in rule if size <= most)
