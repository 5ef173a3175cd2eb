"""The likeliest frames within limits, by a beam over steps.

In each step the frames that go on from the hypotheses come one by one in the order of their
probability: a head's questions are a tree, whose branches cannot become likelier further on, and
the best branch of all is followed first.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from elman.errors import UserError
from elman.tasks.music.composing import choosing, held
from elman.tasks.music.composing.limits import Limits, Way
from elman.tasks.music.composing.network import Network, silent
from elman.tasks.music.composing.past import Frozen, Past, frozen
from elman.tasks.music.frames.heads.head import Head

# Frames that are looked at in a step at most: so many a hypothesis, and more.
DRAWINGS, MORE = 4, 30

Frames = tuple[Tensor, ...]  # one a step


@dataclass
class Hypothesis:
    """Frames up to here, with their log probability."""

    total: float
    frames: tuple[Tensor, ...]
    past: Past
    held: Tensor


def search(network: Network, limits: Limits, steps: int, width: int) -> Iterator[Frames]:
    """The best frames up to each step, [...] each; those of the last step are whole.

    UserError: nothing keeps the limits.
    """
    begun = held.of(silent(network.head, 0), network.head.pitches)
    beam = [Hypothesis(0.0, (), limits.past(), begun)]
    contexts, state = network.begin(1, limits.measure)
    for step in range(steps):
        found = list(
            itertools.islice(_next(network.head, contexts, beam, limits, step, width), width)
        )
        if not found:
            raise UserError(limits.stuck(step))
        parents = torch.tensor([parent for _, parent, _ in found])
        beam = [_gone_on(beam[parent], total, frame) for total, parent, frame in found]
        state = [tuple(s[:, parents] for s in layer) for layer in state]
        frames = torch.stack([frame for _, _, frame in found])
        after, state = network.read(frames[None], step, limits.measure, state)
        contexts = after[0]
        yield max(beam, key=lambda one: one.total).frames


def _gone_on(before: Hypothesis, total: float, frame: Tensor) -> Hypothesis:
    past = before.past.branch() if before.past.forbids else before.past
    if past.forbids:
        past.add(frozen(frame))
    return Hypothesis(total, (*before.frames, frame), past, held.after(before.held, frame))


@dataclass(frozen=True)
class _Branch:
    """Frames of a hypothesis by these first answers to the head's questions, or one frame."""

    parent: int
    way: Way
    answers: tuple[int, ...]
    frame: Tensor | None = None


def _next(
    head: Head, contexts: Tensor, beam: Sequence[Hypothesis], limits: Limits, step: int, width: int
) -> Iterator[tuple[float, int, Tensor]]:
    """Total, hypothesis and frame of whatever may come next, the likeliest first.

    Where the model is so unsure that too many branches come before the first whole frames, the
    likeliest of those frames that were looked at.
    """
    order = itertools.count()
    queue: list[tuple[float, int, float, _Branch]] = []

    def push(bound: float, branch: _Branch, told: float) -> None:
        heapq.heappush(queue, (-bound, next(order), told, branch))

    for k, one in enumerate(beam):
        for way in limits.ways(step, one.held):
            push(one.total, _Branch(k, way, ()), 0.0)
    left, seen = DRAWINGS * width + MORE, set[tuple[int, Frozen]]()
    barred = [one.past.barred() for one in beam]
    while queue:
        bound, _, told, branch = heapq.heappop(queue)
        if branch.frame is not None:
            yield -bound, branch.parent, branch.frame
        if branch.frame is not None or not left:
            continue
        left -= 1
        asked = _Asked(branch.answers)
        k, total = branch.parent, beam[branch.parent].total
        frame = choosing.draw(head, contexts[k], branch.way, limits.rules.most, asked)
        for answers, log_p in asked.others(told):
            push(total + log_p, _Branch(k, branch.way, answers), log_p)
        key = (k, frozen(frame))
        if key not in seen and key[1] not in barred[k]:
            seen.add(key)
            # Coins of notes that are required are not asked for, but count.
            whole = choosing.log_p(head, contexts[k], frame[None]) if head.coins else asked.log_p
            own = float(whole)
            push(total + own, _Branch(k, branch.way, (), frame), own)


class _Asked:
    """A `Pick` that answers as it is told as long as it is told, then what is likeliest; it knows
    afterwards what else could have been answered."""

    def __init__(self, told: tuple[int, ...]) -> None:
        self.told, self.answers = told, list[int]()
        self.log_ps: list[Tensor] = []

    def __call__(self, log_p: Tensor) -> int:
        k = len(self.answers)
        answer = self.told[k] if k < len(self.told) else int(log_p.argmax())
        self.answers.append(answer)
        self.log_ps.append(log_p.double())
        return answer

    @property
    def log_p(self) -> float:
        """That of all answers."""
        each = zip(self.log_ps, self.answers, strict=True)
        return sum(float(log_p[answer]) for log_p, answer in each)

    def others(self, told: float) -> Iterator[tuple[tuple[int, ...], float]]:
        """Every other answer after what was told, with the log probability up to there; `told` is
        that of what was told."""
        for k in range(len(self.told), len(self.answers)):
            log_p = self.log_ps[k]
            for other in (log_p > -torch.inf).nonzero()[:, 0].tolist():
                if other != self.answers[k]:
                    yield (*self.answers[:k], other), told + float(log_p[other])
            told += float(log_p[self.answers[k]])
