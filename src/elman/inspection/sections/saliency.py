"""Which steps answers depend on: integrated gradients, and by how much their sums are wrong."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.errors import UserError
from elman.inspection import lettering, pictures
from elman.inspection.section import Found, Section
from elman.inspection.subject import Subject
from elman.probe.measured import Measured
from elman.probe.opened import Call
from elman.probe.saliency import FIRST, MOST, Saliency, asked, integrated_gradients
from elman.tasks.text.data import TextData
from elman.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
SHARES = (0.5, 0.9)  # of what decides, whose reach is told
WIDTH, SHOWN = 64, 4  # steps and sequences of the picture
STEPS_BETWEEN = 64  # places on the way from nothing to what was read, for one answer
TEXTS = 8  # stretches of a text that are asked about


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of a model, and what its sequences read."""

    call: Callable[[nn.Module], Tensor]
    what: str
    at_end: bool  # whether it is told after the last step alone
    lengths: list[int]
    steps: list[list[str]] | None
    unit: str
    first: int = 0  # the step that they begin with, where not the first of a sequence


def find(subject: Subject) -> Found | None:
    """None where the first module reads its steps in several calls."""
    path = subject.calls[0].path
    question = _question(subject, subject.calls[0])
    if max(question.lengths) < 2:
        return None
    try:
        with asked(subject.model, question.call, path) as (f, x):
            began = time.perf_counter()
            integrated_gradients(f, x, most=1)
            each = (time.perf_counter() - began) / 2
            # Half of them are taken on the way to so many.
            points = 2 ** int(np.log2(max(1.0, subject.seconds / (2 * each))))
            found = integrated_gradients(f, x, most=int(np.clip(points, FIRST, MOST)))
    except UserError:
        return None
    by_lag = _by_lag(found, question.lengths) if question.at_end else None
    return Found(
        _told(found, question, by_lag),
        [f"What was asked: {question.what}. {found.told()}."],
        [found.measured(), *([] if by_lag is None else [_measured(by_lag)])],
        functools.partial(draw, question, found, by_lag),
        "Above, where what decides lies, by steps before the end, and the middle half of the "
        "sequences. Below, what single steps add to an answer (violet) or take from it (orange)."
        if by_lag is not None
        else "What single steps add to the answers (violet) or take from them (orange).",
    )


def answers_by_step(subject: Subject) -> bool:
    """Whether there is an answer after each step, rather than one of a whole sequence."""
    look = subject.look
    return look is not None and isinstance(subject.dataset, TextData) and look.batch[1].dim() > 1


def at_step(
    subject: Subject, sequence: int, step: int, call: Call | None = None
) -> tuple[Question, Saliency, Floats]:
    """What one answer depends on, and the share of each step in it, [steps].

    Of a network that writes on, the answer is the true token after the `step`-th one of a sequence,
    from 0; of others all that the sequence tells, by what the module of `call` reads, one of
    `subject.calls`, by default the first.
    UserError: a module that reads its steps in several calls.
    """
    call, own = call or subject.calls[0], sequence
    if isinstance(subject.dataset, TextData):
        question, own = _next_token(subject, sequence, step), 0
    else:
        question = replace(_question(subject, call), what="how small the loss of this sequence is")
    with asked(subject.model, question.call, call.path) as (f, x):
        found = integrated_gradients(f, x, most=STEPS_BETWEEN)
    return question, found, found.values[: question.lengths[own], own]


def _next_token(subject: Subject, sequence: int, step: int) -> Question:
    look = subject.look
    assert look is not None
    x, y = look.batch
    windowed = y.dim() == 1
    stop = len(x) if windowed else step + 1
    start = 0 if windowed else max(0, stop - WIDTH)
    read = x[start:stop, sequence : sequence + 1].to(subject.device)
    true = int(y[sequence] if windowed else y[step, sequence])

    def chance(model: nn.Module) -> Tensor:
        scores, _ = model(read)
        log_p: Tensor = (scores if windowed else scores[-1]).log_softmax(-1)
        return log_p[:, true]

    row = look.steps[sequence][start:stop]
    label = look.labels[sequence][-1 if windowed else step]
    return Question(
        chance, f"how likely “{label}” is after {counted(len(row), look.unit)}", True, [len(row)],
        [row], look.unit, start,
    )  # fmt: skip


def _question(subject: Subject, call: Call) -> Question:
    look = subject.look
    unit = subject.unit(call.path)
    if look is None or not isinstance(subject.dataset, TextData):
        at_end = look is None or all(len(row) <= 1 for row in look.labels)
        return Question(
            lambda model: -subject.loss(model), "how small the loss of these sequences is", at_end,
            call.rows.lengths.tolist(), subject.steps_of(call), unit,
        )  # fmt: skip
    x, y = look.batch
    windowed = y.dim() == 1
    # Many steps bend the way from nothing to all of them, and few gradients do not follow it.
    steps = len(x) if windowed else min(len(x), WIDTH)
    x, last = x[-steps:, :TEXTS].to(subject.device), (y if windowed else y[-1])[:TEXTS]
    last = last.to(subject.device)

    def chances(model: nn.Module) -> Tensor:
        scores, _ = model(x)
        log_p: Tensor = (scores if windowed else scores[-1]).log_softmax(-1)
        return log_p.gather(-1, last[:, None])[:, 0]

    return Question(
        chances, f"how likely the true {look.unit} is after {steps} others", True,
        [steps] * len(last), [row[-steps:] for row in look.steps[:TEXTS]], unit,
    )  # fmt: skip


def _by_lag(found: Saliency, lengths: Sequence[int]) -> Floats:
    """The share of what decides that lies so many steps before the end, [lags, B].

    NaN beyond the beginning, and for sequences whose shares do not sum up to what they tell of.
    """
    sizes = abs(found.values)
    by_lag = np.full(sizes.shape, np.nan)
    for b, length in enumerate(lengths):
        own = sizes[:length, b][::-1]
        if own.sum() > 0 and found.whole[min(b, len(found.whole) - 1)]:
            by_lag[:length, b] = own / own.sum()
    return by_lag


def _reach(by_lag: Floats, share: float) -> Floats:
    """Of each sequence the last steps in which so much of what decides lies, [B]."""
    kept = by_lag[:, np.isfinite(by_lag[0])]
    reached = np.nancumsum(kept, 0) >= share - 1e-9
    found: Floats = reached.argmax(0) + 1.0
    return found


def _measured(by_lag: Floats) -> Measured:
    with np.errstate(invalid="ignore"):
        counts = np.isfinite(by_lag).sum(1)
        mean = np.nansum(by_lag, 1) / np.maximum(counts, 1)
        spread = np.sqrt(np.nansum((by_lag - mean[:, None]) ** 2, 1) / np.maximum(counts, 1))
    return Measured(
        "share of what decides, by steps before the end", mean, "share", ("lag",), by_lag.shape[1],
        "sequences", spread,
    )  # fmt: skip


def _told(found: Saliency, question: Question, by_lag: Floats | None) -> list[str]:
    if by_lag is None or not np.isfinite(by_lag[0]).any():
        return []
    reaches = [_reach(by_lag, share) for share in SHARES]
    low, high = np.quantile(reaches[1], (0.25, 0.75))
    half, most = (float(np.median(reach)) for reach in reaches)
    return [
        f"Half of what decides {question.what} lies in the last "
        f"{counted(round(half), question.unit)}, {SHARES[1]:.0%} in the last {most:.0f} ({low:.0f} "
        f"to {high:.0f} for the middle half of {counted(len(reaches[1]), 'answer')}; integrated "
        "gradients)."
    ]


def draw(question: Question, found: Saliency, by_lag: Floats | None) -> Figure:
    """Shares by lag, and steps of a few sequences on what they add."""
    from matplotlib.figure import Figure

    lengths, steps = question.lengths, question.steps
    shown = min(SHOWN, len(lengths))
    figure = Figure(figsize=(10, 0.42 * shown + (3.4 if by_lag is not None else 0.6)),
                    layout="constrained")  # fmt: skip
    heights = ([3.0] if by_lag is not None else []) + [0.42 * shown]
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if by_lag is not None and np.isfinite(by_lag).any():
        known = np.flatnonzero(np.isfinite(by_lag).any(1))
        mean = _measured(by_lag).values[known]
        low, high = np.nanquantile(by_lag[known], (0.25, 0.75), axis=1)
        pictures.line(panels[0], 0, known.astype(float), mean, "mean")
        pictures.band(panels[0], 0, known.astype(float), low, high)
        panels[0].set_yscale("log")
        panels[0].set_ylim(bottom=max(1e-5, float(mean[mean > 0].min()) / 2))
        pictures.tidy(panels[0], f"{question.unit}s before the last", "share of what decides")
    grid = np.full((shown, WIDTH), np.nan)
    for b in range(shown):
        own = found.values[max(0, lengths[b] - WIDTH) : lengths[b], b]
        grid[b, WIDTH - len(own) :] = own / (abs(own).max() or 1)
    panel = panels[-1]
    panel.imshow(grid, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    for b in range(shown if steps is not None else 0):
        assert steps is not None
        own_steps = steps[b][-WIDTH:]
        for k, step in enumerate(own_steps):
            x = WIDTH - len(own_steps) + k
            lettering.step(panel, x, b, step, light=abs(grid[b, x]) > 0.7)
    panel.set_xticks([])
    panel.set_yticks([])
    return figure


SECTION = Section("saliency", "What answers depend on", 6, 1.0, find)
