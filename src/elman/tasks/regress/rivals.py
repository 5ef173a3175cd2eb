"""What a regressor has to beat: the mean, an input as it is, the best linear answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.tasks.regress.data import Encoded, Floats, Measured
from elman.tasks.regress.linear.answer import told as told_linearly
from elman.tasks.regress.options import RegressOptions
from elman.tasks.regress.scores import ONE_STEP, errors, tally_of
from elman.tasks.rivals import Rival
from elman.wording import listed

MEAN = "always the mean of the training part"
SHOWN = 5  # names of inputs
NEAR = 0.99  # of the error of a plainer rival: a linear answer above it is not chosen


def rivals(dataset: Measured, options: RegressOptions, training: Measured) -> list[Rival]:
    """All of them on the validation part of `dataset`, the one first that `training` chose.

    With feedback they are scored as the network is: freely, from what is known at the start, and,
    with the prefix of those scores, for one step from the true values before.
    """
    held, feedback = dataset.held, options.feedback
    found = [
        (1.0, _rival(MEAN, dataset, _means(dataset, training), _means(dataset, training), feedback))
    ]
    if feedback:
        own = _means(dataset, training)
        near = [np.concatenate([m[:1], one.y[:-1]]) for m, one in zip(own, held, strict=True)]
        name = "for one step the value before, else the mean"
        found.append((1.0, _rival(name, dataset, own, near, feedback)))
    if copied := _copied(dataset, training):
        found.append((copied[0], _rival(copied[1], dataset, copied[2], copied[2], feedback)))
    if training.learnt:
        share, linear = _linear(dataset, training, feedback=feedback)
        found.append((share / NEAR, linear))
    return [rival for _, rival in sorted(found, key=lambda one: one[0])]


def _rival(
    name: str, dataset: Measured, free: Sequence[Floats], near: Sequence[Floats], feedback: bool
) -> Rival:  # fmt: skip
    true, scale = [item.y for item in dataset.held], dataset.encoder.y
    scores = errors(free, true, scale).scores()
    if feedback:
        scores |= errors(near, true, scale).scores(ONE_STEP)
    return Rival(name, scores, tally_of(free, true, scale))


def _means(dataset: Measured, training: Measured) -> list[Floats]:
    """The mean of what was learnt from, in the place of every value."""
    if not dataset.folds:
        mean = dataset.encoder.y.scaled(training.encoder.y.mean)
        return [np.broadcast_to(mean, item.y.shape) for item in dataset.held]
    own = [np.atleast_2d(item.y) for item in dataset.held]
    means = [
        np.concatenate([y for y, item in zip(own, dataset.held, strict=True) if item.fold != k])
        for k in range(dataset.folds)
    ]
    each = [part.mean(0) for part in means]
    return [np.broadcast_to(each[item.fold], item.y.shape) for item in dataset.held]


def _linear(dataset: Measured, training: Measured, *, feedback: bool) -> tuple[float, Rival]:
    """The linear answer, or those of the folds, each to the sequences that it has not seen; and its
    squared error in the training part as a share of the mean's."""
    held, learnt = dataset.held, training.learnt
    free = [np.zeros(item.y.shape, np.float32) for item in held]
    near = [np.zeros(item.y.shape, np.float32) for item in held]
    asked = 1 if dataset.folds else len(learnt)  # of other data all, and their answers averaged
    for k, one in enumerate(learnt):
        numbers = [n for n, item in enumerate(held) if item.fold in (k, -1)]
        data = dataset.encoder.sequences([held[n] for n in numbers])
        told = told_linearly(one.free, data)
        stepwise = one.near.one_step(data) if one.near is not None else told
        for n, a, b in zip(numbers, told, stepwise, strict=True):
            free[n] += a.astype(np.float32) / asked
            near[n] += b.astype(np.float32) / asked
    names = {one.name for one in learnt}
    name = learnt[0].name if len(names) == 1 else learnt[0].kind
    share = float(np.mean([one.share for one in learnt]))
    return share, _rival(name, dataset, free, near, feedback)


def _copied(dataset: Measured, training: Measured) -> tuple[float, str, list[Floats]] | None:
    """The input that is nearest to each target, as it is or the last one of the sequence; with its
    squared error as a share of the mean's. None where the mean is nearer."""
    items = training.inputs[: training.trained]
    if not items or not items[0].x.shape[1]:
        return None
    encoder, every = training.encoder, training.encoder.every_step
    x = np.concatenate([_raw(item, training, every=every) for item in items])
    y = np.concatenate([encoder.y.back(np.atleast_2d(item.y)) for item in items])
    gaps = ((x[:, :, None] - y[:, None]) ** 2).mean(0) / encoder.y.deviation**2  # [I, O]
    nearest, share = gaps.argmin(0), float(gaps.min(0).mean())
    if share >= 1:
        return None
    told = []
    for item in dataset.held:
        values = _raw(item, dataset, every=every)[:, nearest]
        told.append(dataset.encoder.y.scaled(values if every else values[0]))
    names = training.columns.inputs
    named = len(names) == x.shape[1]
    each = list(dict.fromkeys(names[k] if named else f"{k + 1}" for k in nearest.tolist()))
    if len(each) == 1:
        return share, f"the input {each[0]} {'as it is' if every else 'at its last step'}", told
    shown = listed(each, SHOWN)
    last = "as they are" if every else "at their last steps"
    return share, f"the inputs {shown} {last}", told


def _raw(
    item: Encoded, dataset: Measured, *, every: bool
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The inputs in the units of the data, of every step or of the last [1, I]."""
    return dataset.encoder.x.back(item.x if every else item.x[-1:])
