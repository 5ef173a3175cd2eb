"""How large a network to train on pieces, and how hard to hold it back, given data and time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from elman import cells
from elman.tasks.music.frames.data import BACK, FrameData
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.frames.training import ALL_KEYS, epoch, loss
from elman.tasks.music.options import HeadName, MusicOptions
from elman.tasks.pace import epoch_seconds, expectation
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan

WIDTHS = (64, 128, 256, 384, 512)  # of minutes, the widest that has the time
MEMBERS = 4  # networks at most, where there is time for more than one
WIDTH, CHAIN = 256, 128  # of epochs; of what tells the notes of a step
SHARE = 0.6  # of the minutes, for the first fall of the learning rate
FEW = 60_000  # steps for training
DROPOUTS = ((FEW, 0.5), (math.inf, 0.3))  # of units, by the steps for training
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
    reading, steps = dataset.reading, int(dataset.lengths.sum())
    head: HeadName = options.head or ("voices" if reading.voices else "chain")
    settled = settle(
        options, form="frames", head=head, head_size=CHAIN, sequence_length=WINDOW,
        transpose=0 if reading.one_key else -ALL_KEYS[0], steps_per_quarter=reading.per_quarter,
        dropout=_by(DROPOUTS, steps), lookback=_lookback(dataset),
    )  # fmt: skip
    size = budget.batch_size or _by(BATCHES, len(dataset.train))
    first = epoch(dataset, settled, size, 0, 0)
    passes = min(max(round(UPDATES / len(first)), PASSES[0]), PASSES[1])
    width, members = WIDTH, options.members or 1
    if budget.seconds is not None and None in (options.hidden_size, options.members):
        tried = FrameModel(reading, replace(_of_width(settled, WIDTH, steps), members=1))
        each = passes * epoch_seconds(loss, tried, first, budget)
        room = SHARE * budget.seconds / each  # for so many of these networks
        open_width = options.hidden_size is None
        if open_width:
            # Few steps are learnt by heart sooner by wider layers: several networks come first.
            most = WIDTH if steps <= FEW and options.members is None else max(WIDTHS)
            width = _widest(members, room, most)
        if options.members is None:
            members = int(np.clip(room / (_cost(width) if open_width else 1), 1, MEMBERS))
            width = max(width, _widest(members, room, max(WIDTHS)))
    settled = settle(_of_width(settled, width, steps), members=members)
    told = expectation(loss, FrameModel(reading, settled), first, budget, passes)
    units = ", ".join(map(str, settled.hidden_size or ()))
    keys = f"moved by up to {settled.transpose} semitones" if settled.transpose else "not moved"
    if reading.one_key and options.transpose is None:
        keys += ", as they stand in one key"
    bars = ", ".join(f"{bars:g}" for bars in settled.looks_back)
    back = f", looking back {bars} bar{'' if bars == '1' else 's'}" if bars else ""
    shape = f"{'/'.join(settled.cell)} of {units} units, head {head}{back}"
    shape = f"{members} times {shape}" if members > 1 else shape
    why = f"{shape}; pieces {keys}: {told}"
    return Plan(settled, size, budget.learning_rate or RATES[head], why, passes)


def _lookback(dataset: FrameData) -> tuple[float, ...]:
    """Those bars back of which half of the pieces have twice as many; 0 where they tell none."""
    firsts = (dataset.reading.bar_at(int(score.places[0])) for score in dataset.train)
    bars = [n / at[0] if at else 0.0 for n, at in zip(dataset.lengths, firsts, strict=True)]
    return tuple(back for back in BACK if 2 * back <= np.median(bars)) or (0.0,)


def _widest(members: int, room: float, most: int) -> int:
    """Units of so many networks for which there is room, at most so many."""
    fitting = (w for w in WIDTHS if w <= most and members * _cost(w) <= room)
    return max(fitting, default=min(WIDTHS))


def _cost(width: int) -> float:
    """How much longer an epoch takes than with layers of `WIDTH` units; what heads and inputs cost
    grows with the width, what layers cost with its square."""
    wider = width / WIDTH
    return 0.3 * wider + 0.7 * wider**2


def _of_width(options: MusicOptions, width: int, steps: int) -> MusicOptions:
    """The options with layers of so many units, unless others were asked for."""
    recurrent = any(cells.get(name).recurrent for name in options.cell)
    settled = settle(options, hidden_size=(width,))
    drop = _by(WEIGHT_DROPS, max(settled.hidden_size or (width,)))
    drop *= 1.0 if steps <= FEW else MANY
    return settle(settled, weight_drop=drop if recurrent else 0.0)


def _by(rule: Sequence[tuple[float, V]], size: int) -> V:
    """What a rule says for so much."""
    return next(value for most, value in rule if size <= most)
