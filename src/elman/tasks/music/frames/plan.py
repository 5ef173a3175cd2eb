"""How large a network to train on pieces, and how hard to hold it back, given data and time."""

from __future__ import annotations

import math

from elman import cells
from elman.tasks.music.frames.data import FrameData
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.frames.training import ALL_KEYS, epoch, loss
from elman.tasks.music.options import HeadName, MusicOptions
from elman.tasks.pace import expectation
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan

HIDDEN, CHAIN = 256, 128
DROPOUT, WEIGHT_DROP = 0.5, 0.3
WINDOW = 128
BATCHES = ((400, 4), (800, 8), (math.inf, 16))  # pieces side by side, by how many there are
RATES = {"independent": 6e-3, "chain": 4e-3, "voices": 4e-3}
UPDATES = 2_000  # after which the learning rate has fallen for the first time
PASSES = (10, 40)  # at least, at most


def plan(dataset: FrameData, options: MusicOptions, budget: Budget) -> Plan[MusicOptions]:
    """Few pieces are read in small batches: it is updates that they lack."""
    reading, pieces = dataset.reading, len(dataset.train)
    head: HeadName = options.head or ("voices" if reading.voices else "chain")
    recurrent = any(cells.get(name).recurrent for name in options.cell)
    settled = settle(
        options, form="frames", hidden_size=(HIDDEN,), head=head, head_size=CHAIN, dropout=DROPOUT,
        weight_drop=WEIGHT_DROP if recurrent else 0.0, sequence_length=WINDOW,
        transpose=0 if reading.one_key else -ALL_KEYS[0], steps_per_quarter=reading.per_quarter,
    )  # fmt: skip
    size = budget.batch_size or next(batch for most, batch in BATCHES if pieces <= most)
    first = epoch(dataset, settled, size, 0, 0)
    least, most = PASSES
    passes = min(max(round(UPDATES / len(first)), least), most)
    told = expectation(loss, FrameModel(reading, settled), first, budget, passes)
    units = ", ".join(map(str, settled.hidden_size or ()))
    keys = f"moved by up to {settled.transpose} semitones" if settled.transpose else "not moved"
    if settled.transpose == 0 and options.transpose is None:
        keys += ", as they stand in one key"
    why = f"{'/'.join(settled.cell)} of {units} units, head {head}; pieces {keys}: {told}"
    return Plan(settled, size, budget.learning_rate or RATES[head], why, passes)
