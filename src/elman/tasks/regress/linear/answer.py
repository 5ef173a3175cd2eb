"""The best linear answer to what a regressor is asked: its rival, and a path beside its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.tasks import folds
from elman.tasks.regress.linear import features, recursion
from elman.tasks.regress.linear.features import Featured, featured_from_json
from elman.tasks.regress.linear.recursion import Recursion, Sequences, recursion_from_json
from elman.wording import counted

Values = NDArray[np.float64]
Linear: TypeAlias = Recursion | Featured

GAINED = 0.9  # of the mean's squared error: a linear answer below it may be worth a path
NEARLY = 0.1  # below it, it is worth one whatever it leaves over
WHITE = 0.5  # correlation of what is left over at neighbouring steps: more is no noise
FOLDS = {True: 3, False: 5}  # by which a form is chosen, for values at every step and for one


@dataclass(frozen=True)
class Learnt:
    """Linear answers, chosen and fitted on a training part alone.

    `share` is what their squared error was of the mean's, over folds in it. `near` is the best one
    step ahead of true values, where that is asked. `smooth` is how what is left over is correlated
    from step to step, 0 where one value a sequence is told.
    """

    free: Linear
    share: float
    near: Recursion | None
    name: str
    smooth: float = 0.0

    @property
    def kind(self) -> str:
        """What it is called where folds chose different orders."""
        recursive = isinstance(self.free, Recursion) and self.free.order.outputs > 0
        return "a linear recursion" if recursive else "a linear model"

    @property
    def worth_a_path(self) -> bool:
        """Whether a network does well to begin from it.

        Where it leaves much over, and no noise, it stands in the way: the phase of a pendulum, told
        wrongly, has to be unlearnt first.
        """
        return self.share < NEARLY or (self.share < GAINED and self.smooth < WHITE)


def learn(
    data: Sequences, digests: Sequence[bytes], *, every_step: bool, ahead: int, near: bool
) -> Learnt:
    """From scaled values [T, O] of each sequence or, without `every_step`, [O].

    `ahead`: inputs ahead that may be read, 0 unless the network reads both ways.
    """
    if not every_step:
        taken = np.unique(np.linspace(0, len(data.x) - 1, features.MOST).astype(np.int64))
        part = data.pick(taken)
        groups = folds.drawn([digests[k] for k in taken], FOLDS[False])
        y = np.stack(part.y)
        if len(set(groups.tolist())) < 2:
            form, share = features.Form(0, features.RIDGES[-1]), 1.0
        else:
            judged = features.choose(part.x, y, part.known, groups)
            form, share = judged.form, _share(judged.error, judged.mean)
        featured = features.fit(part.x, y, part.known, form)
        return Learnt(featured, share, None, form.told() + _sampled(part, data, "sequence"))
    part = recursion.sample(data)
    pieces = recursion.parted(part, FOLDS[True])
    groups = np.arange(len(pieces.x)) % FOLDS[True]
    if len(set(groups.tolist())) < 2 or not any(len(x) for x in pieces.x):
        order = recursion.Order(0, 0, 0, recursion.RIDGES[-1])
        return Learnt(recursion.fit(part, order), 1.0, None, order.told())
    every = recursion.judged(pieces, groups, ahead, near=near)
    best = recursion.least(every)
    free, name, one_step = recursion.fit(part, best.order), best.order.told(), None
    if near:
        order = recursion.least(every, near=True).order
        one_step = recursion.fit(part, order)
        if order != best.order:
            name += f" (for one step, {order.told()})"
    name += _sampled(part, data, "step")
    return Learnt(free, _share(best.free, best.mean), one_step, name, _smooth(free, part))


def told(made: Linear, data: Sequences) -> list[Values]:
    """What it tells of each sequence, [T, O] run freely or [O], scaled."""
    if isinstance(made, Recursion):
        return made.told(data)
    return list(made.told(data.x, data.known)) if len(data.x) else []


def check(made: Linear, inputs: int, outputs: int, known: int) -> None:
    """ValueError unless it reads so many inputs and known values and tells so many outputs."""
    if isinstance(made, Featured):
        width = features.width_of(inputs, known, made.form.last)
        fits = made.weights.shape == (width, outputs)
    else:
        p, q, ahead, _ = made.order
        width = p * outputs + (ahead + 1 + q) * inputs + known + 1
        fits = made.weights.shape == (width, outputs)
        fits &= made.before.shape[0] == p * outputs + q * inputs
        fits &= made.before.shape[1] == known + 1 or not len(made.before)
    if not fits:
        raise ValueError("a linear answer to other sequences")


def from_json(data: Mapping[str, Any]) -> Linear:
    """The one that gave this `to_json`. ValueError, KeyError or TypeError where it is damaged."""
    return recursion_from_json(data) if "order" in data else featured_from_json(data)


def _smooth(made: Recursion, data: Sequences) -> float:
    """The correlation of what it leaves over with itself one step later."""
    gaps = [y - told for y, told in zip(data.y, made.told(data), strict=True)]
    whole = sum(float((gap[1:] ** 2).sum()) for gap in gaps)
    return sum(float((gap[1:] * gap[:-1]).sum()) for gap in gaps) / max(whole, 1e-12)


def _share(error: float, mean: float) -> float:
    """Of a target that never changes, 1: there is nothing to be gained."""
    return min(error / mean, 1.0) if mean > 0 else 1.0


def _sampled(part: Sequences, whole: Sequences, what: str) -> str:
    if what == "sequence":
        own, all_ = len(part.x), len(whole.x)
    else:
        own, all_ = (sum(len(x) for x in one.x) for one in (part, whole))
    return f", fitted to {own:,} of {counted(all_, what)}" if own < all_ else ""
