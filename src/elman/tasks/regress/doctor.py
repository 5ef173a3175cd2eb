"""What the data doctor says of sequences with values."""

from __future__ import annotations

import numpy as np

from elman.data.doctor import Page
from elman.tasks.regress.data import Measured
from elman.wording import counted

FAR = 3.0  # standard deviations of the training part, of a mean of the validation part


def examine(dataset: Measured) -> Page:
    """One page: what matters first."""
    train, check = dataset.train, dataset.check
    warnings, facts = [], [*train.facts]
    if dataset.bad.count:
        told = "; ".join(dataset.bad.first[:3])
        warnings.append(
            f"{counted(dataset.bad.count, 'row or sequence', 'rows or sequences')} left out, "
            f"such as {told}"
        )
    known = {item.digest() for item in train.items}
    shared = 0 if dataset.folds else sum(item.digest() in known for item in check.items)
    if shared:
        warnings.append(
            f"{shared:,} of {len(check):,} sequences for validation stand in the training data "
            "too: the scores flatter"
        )
    if repeated := len(train) - len(known):
        warnings.append(f"{repeated:,} of {len(train):,} sequences for training are repeats")
    warnings += _still(dataset) + _far(dataset)
    spread = np.quantile(dataset.lengths, [0, 0.5, 1]).astype(int)
    facts.append(f"lengths in steps: {spread[0]:,} to {spread[2]:,}, half below {spread[1] + 1:,}")
    scale = dataset.encoder.y
    told = ", ".join(
        f"{name} {mean:.4g} ± {deviation:.4g}"
        for name, mean, deviation in zip(dataset.targets, scale.mean, scale.deviation, strict=True)
    )
    facts.append(f"targets, mean ± standard deviation: {told}")
    if dataset.folds:
        steps = counted(int(dataset.lengths.sum()) // 2, "step")
        facts.append(
            "each sequence is told, to be scored, by networks that have not seen it (--folds 0 "
            "holds a share back instead)"
        )
        return Page(
            f"{dataset.name}: {counted(len(train), 'sequence')}, {steps}, all for training and for "
            f"validation, by {dataset.folds} folds",
            tuple(warnings),
            tuple(facts),
        )
    headline = (
        f"{dataset.name}: {counted(len(train), 'sequence')} for training, {len(check):,} for "
        "validation, "
        f"{counted(int(dataset.lengths.sum()), 'step')}"
    )
    return Page(headline, tuple(warnings), tuple(facts))


def _still(dataset: Measured) -> list[str]:
    """What never changes in the training part."""
    items = dataset.inputs[: dataset.trained]
    if not items:
        return []
    lines = []
    for what, names in (("x", dataset.columns.inputs), ("y", dataset.targets)):
        values = np.concatenate([np.atleast_2d(getattr(item, what)) for item in items])
        still = np.flatnonzero(np.ptp(values, axis=0) == 0)
        kind = "inputs" if what == "x" else "targets"
        if len(still):
            whole = len(names) == values.shape[1]
            told = ", ".join(names[k] if whole else f"number {k + 1}" for k in still[:10])
            lines.append(f"{kind} that never change: {told}")
    return lines


def _far(dataset: Measured) -> list[str]:
    """Targets whose validation part lies elsewhere."""
    if not dataset.held or not dataset.trained:
        return []
    mean = np.concatenate([np.atleast_2d(item.y) for item in dataset.held]).mean(0)
    far = [name for name, m in zip(dataset.targets, mean, strict=True) if abs(m) > FAR]
    if not far:
        return []
    return [f"the validation part lies far from the training part in {', '.join(far)}"]
