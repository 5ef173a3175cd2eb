"""How large a network to train on pieces, and how hard to hold it back, given data and time."""

from __future__ import annotations

from elman.tasks.music.frames.data import FrameData
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.frames.training import ALL_KEYS, epoch, loss
from elman.tasks.music.options import HeadName, MusicOptions
from elman.tasks.pace import expectation
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan

HIDDEN, CHAIN = 256, 128
DROPOUT = 0.5
WINDOW = 128
BATCH = 16
RATE = 3e-3
PASSES = 60


def plan(dataset: FrameData, options: MusicOptions, budget: Budget) -> Plan[MusicOptions]:
    reading = dataset.reading
    head: HeadName = "voices" if reading.voices else "chain"
    every = 0 if reading.one_key else -ALL_KEYS[0]
    settled = settle(
        options, hidden_size=(HIDDEN,), head=head, head_size=CHAIN, dropout=DROPOUT,
        weight_drop=0.0, transpose=every, sequence_length=WINDOW, embedding=0,
    )  # fmt: skip
    size, rate = budget.batch_size or BATCH, budget.learning_rate or RATE
    model, first = FrameModel(reading, settled), epoch(dataset, settled, size, 0, 0)
    why = f"{settled.cell[0]}: {expectation(loss, model, first, budget, PASSES)}"
    return Plan(settled, size, rate, why, PASSES)
