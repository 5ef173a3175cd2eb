"""What the user left open of a tagger, settled by the data."""

from __future__ import annotations

import numpy as np

from elman.tasks.pace import expectation
from elman.tasks.settling import settle
from elman.tasks.tag.data import Tagged
from elman.tasks.tag.model import build
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.training import epoch, loss
from elman.tasks.task import Budget, Plan

PASSES = 20


def plan(dataset: Tagged, options: TagOptions, budget: Budget) -> Plan[TagOptions]:
    batch = budget.batch_size or max(4, min(16, dataset.trained // 50))
    rate = budget.learning_rate or 3e-3
    letters = dataset.encoded.letters
    spelt = bool(letters) and np.mean([len(token) for token in letters]) > 2
    settled = settle(
        options, hidden_size=(128,), embedding=64, characters=32 if spelt else 0, dropout=0.3,
        weight_drop=0.0, token_dropout=0.1,
    )  # fmt: skip
    model, first = build(dataset.preprocessing(), settled), epoch(dataset, settled, batch, 0, 0)
    assert settled.hidden_size and settled.characters is not None
    units = ", ".join(map(str, settled.hidden_size))
    why = (
        (f"{settled.members} times " if settled.members > 1 else "")
        + f"{'/'.join(settled.cell)} of {units} units, tokens as {settled.embedding} numbers"
        + (f" and {2 * settled.characters} from their letters" if settled.characters else "")
        + f", dropout {settled.dropout:g}: "
        + expectation(loss, model, first, budget, PASSES)
    )
    return Plan(settled, batch, rate, why, PASSES)
