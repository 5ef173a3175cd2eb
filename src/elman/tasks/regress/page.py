"""What people read of a regressor: the data doctor's page, and each target's errors."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from torch import nn

from elman.data.doctor import Page, flattered
from elman.tasks.regress import advice, pictures
from elman.tasks.regress.data import Measured
from elman.tasks.regress.model import Regressor
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.rivals import rivals
from elman.tasks.regress.scores import errors, tally_of, tell
from elman.wording import counted

FAR = 3.0  # standard deviations of the training part, of a mean of the validation part


def examine(dataset: Measured) -> Page:
    """One page: what matters first."""
    train, check = dataset.train, dataset.check
    warnings = dataset.bad.told("row or sequence", "rows or sequences")
    facts = [*train.facts]
    known = {item.digest() for item in train.items}
    shared = 0 if dataset.folds else sum(item.digest() in known for item in check.items)
    if shared:
        warnings.append(flattered(shared, len(check), "sequences"))
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


def remarks(
    model: nn.Module, dataset: Measured, options: RegressOptions, device: str, sample: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """Each target's errors, what is told beside what was measured, and what to try next."""
    model, held, scale = cast(Regressor, model), dataset.held, dataset.encoder.y
    if not held:
        return []
    true = [item.y for item in held]
    told = tell(model, held, options, device)
    one_step = None
    if options.feedback:
        near = tell(model, held, options, device, one_step=True)
        one_step = errors(near, true, scale)
    lines = [
        "Errors in the units of each target"
        + (", the network reading its own values, and for one step the true ones:"
           if options.feedback else ":"),
        "",
        *pictures.target_table(dataset.targets, errors(told, true, scale), one_step),
        "",
    ]  # fmt: skip
    shown = len(held) if not dataset.encoder.every_step else pictures.SEQUENCES
    names = [item.name or Path(item.where).name for item in dataset.check.items[:shown]]
    drawn = pictures.draw(
        dataset.targets,
        [scale.back(values) for values in told[:shown]],
        [scale.back(values) for values in true[:shown]],
        names,
        folder,
    )
    if drawn:
        lines += ["![true values and predicted ones](predictions.png)", ""]
    if (tally := tally_of(told, true, scale)).unit == "block":
        each = round(float(tally.sums[:, 1].mean()))
        lines += [
            f"Few sequences are scored: gains are counted by their blocks, of about {each:,} "
            "values each, as if these were independent.",
            "",
        ]
    own = errors(told, true, scale).scores()["rmse"]
    found = rivals(dataset, options, dataset)
    return lines + advice.next_try(own, found, options, folder)


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
