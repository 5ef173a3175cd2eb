"""What the user left open of a regressor, settled by the data."""

from __future__ import annotations

from dataclasses import replace

from elman.tasks.pace import expectation
from elman.tasks.regress.data import Measured
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.reading import first_state
from elman.tasks.regress.training import epoch, loss
from elman.tasks.settling import settle
from elman.tasks.task import Budget, Plan

RATE, RATED = 1e-2, 64  # learning rate, of layers of so many units; less where they are more
PASSES, FEWEST_PASSES = 300, 3
UPDATES = 6_000  # of the weights, after which the learning rate has fallen, within those passes


def plan(dataset: Measured, options: RegressOptions, budget: Budget) -> Plan[RegressOptions]:
    start = first_state(options, dataset.columns)
    batch = budget.batch_size or _batch(dataset.trained)
    rate = budget.learning_rate or RATE * min(1.0, RATED / max(options.hidden_size or (64,)))
    settled = settle(options, hidden_size=(64,), dropout=0.0, weight_drop=0.0, initial_state=start)
    settled = replace(
        settled, linear=bool(dataset.encoder.linear), folds=dataset.folds,
        members=members_for(options.members, dataset.folds),
    )  # fmt: skip
    model, first = Regressor(settled, dataset.encoder), epoch(dataset, settled, batch, 0, 0)
    passes = max(FEWEST_PASSES, min(PASSES, UPDATES // len(first)))
    assert settled.hidden_size
    units = ", ".join(map(str, settled.hidden_size))
    columns = dataset.columns
    from_ = {"given": columns.states, "encoded": columns.statics}.get(start, ())
    beside = f", beside {dataset.learnt[0].kind}" if settled.linear else ""
    many = f"{settled.members} networks, each " if settled.members > 1 else ""
    why = (
        f"{many}{'/'.join(settled.cell)} of {units} units, first state {start}"
        f"{' from ' + ', '.join(from_) if from_ else ''}{beside}: "
        + expectation(loss, model, first, budget, passes)
    )
    return Plan(settled, batch, rate, why, passes)


def members_for(asked: int, folds: int) -> int:
    """As many networks for each fold, and so many in all at least."""
    return -(-asked // folds) * folds if folds else asked


def _batch(sequences: int) -> int:
    """How many are trained on side by side: more where they are many, and each tells little."""
    return max(4, min(64, sequences // 16), min(512, sequences // 300))
