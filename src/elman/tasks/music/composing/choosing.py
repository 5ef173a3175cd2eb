"""One frame chosen by a head, drawn or the likeliest: within limits, and none that is barred."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from elman import decode
from elman.decode import Sampling
from elman.tasks.music.composing.limits import Way
from elman.tasks.music.composing.past import Frozen, frozen
from elman.tasks.music.frames.heads.head import SILENCE, Head, Pick

TRIES = 50  # drawings of a frame until one is not barred; then those barred are taken out
MOST_SPLIT = 8  # frames that are taken out
STREAMS, CHOICES = 1 << 24, 1 << 20  # numbers that the steps have, and each of the ways of a step


@dataclass
class Chance:
    """The uniform numbers of one step, which depend on seed, step and stream alone."""

    seed: int
    step: int
    stream: int = 0  # of tries that stand side by side
    used: int = field(default=0, init=False)

    def __call__(self) -> float:
        self.used += 1
        position = (self.step * STREAMS + self.stream) * CHOICES + self.used
        return decode.uniform(self.seed, position)


def chooser(sampling: Sampling, chance: Chance) -> Pick:
    """A `Pick` by temperature, top-k and top-p."""

    def pick(log_p: Tensor) -> int:
        return decode.choose(decode.distribution(log_p, (), sampling), chance())

    return pick


def choose(
    head: Head, context: Tensor, ways: Sequence[Way], most: int | None, barred: Container[Frozen],
    sampling: Sampling, chance: Chance,
) -> Tensor | None:  # fmt: skip
    """A frame by one of the ways, with at most `most` notes, that is not `barred`; None: all are.

    Where there are several ways, a frame is drawn by each, and one of these by their probability.
    """
    if not ways:
        return None
    pick = chooser(sampling, chance)
    for _ in range(TRIES if sampling.temperature else 1):
        made = [draw(head, context, way, most, pick) for way in ways]
        frame = _one_of(head, context, made, pick)
        if frozen(frame) not in barred:
            return frame
    for _ in range(MOST_SPLIT):
        # Every frame of a way but `frame` is in one of the ways that it is split into.
        ways = [part for way in ways for part in without(head, way, frame, most)]
        made = [draw(head, context, way, most, pick) for way in ways]
        free = [f for f in made if frozen(f) not in barred]
        if free:
            return _one_of(head, context, free, pick)
        if not made:
            return None
        frame = _one_of(head, context, made, pick)
    return None


def draw(head: Head, context: Tensor, way: Way, most: int | None, pick: Pick) -> Tensor:
    limited = pick if most is None else _at_most(head, way, most, pick)
    return head.draw(context, limited, way.allowed, way.required).cpu()


def _one_of(head: Head, context: Tensor, frames: Sequence[Tensor], pick: Pick) -> Tensor:
    if len(frames) == 1:
        return frames[0]
    return frames[pick(log_p(head, context, torch.stack(list(frames))))]


@torch.no_grad()
def log_p(head: Head, context: Tensor, frames: Tensor) -> Tensor:
    """Log probabilities [N] of frames [N, …] after one context [C]."""
    each = context.expand(len(frames), -1)
    return -head.nats(each, frames.to(context.device)).cpu()


def without(head: Head, way: Way, frame: Tensor, most: int | None) -> list[Way]:
    """Ways that together admit all frames that `way` does, but this one."""
    if not way.admits(frame):
        return [way]
    parts = list[Way]()
    if not head.voices:
        for note in range(head.pitches):
            if frame[note] and not way.required[note]:
                allowed = way.allowed.clone()
                allowed[note] = False
                parts.append(Way(allowed, way.required))
            elif not frame[note] and way.allowed[note] and (most is None or way.count < most):
                required = way.required.clone()
                required[note] = True
                parts.append(Way(way.allowed, required))
        return parts
    for voice in range(head.voices):
        if way.required[voice] != SILENCE:
            continue
        if frame[voice] != SILENCE:
            allowed = way.allowed.clone()
            allowed[voice, frame[voice]] = False
            parts.append(Way(allowed, way.required))
        elif most is None or way.count < most:
            for note in way.allowed[voice].nonzero()[:, 0].tolist():
                required = way.required.clone()
                required[voice] = note
                parts.append(Way(way.allowed, required))
    return parts


def _at_most(head: Head, way: Way, most: int, pick: Pick) -> Pick:
    """`pick`, but so that with what is required at most so many notes sound."""
    room = most - way.count  # for notes that are not required

    def coins(log_p: Tensor) -> int:  # one question a note that is allowed and not required
        nonlocal room
        sounds = pick(log_p) if room else 0
        room -= sounds
        return sounds

    voice = head.voices

    def notes(log_p: Tensor) -> int:  # one question a note, or a voice; the last answer is neither
        nonlocal room, voice
        voice -= 1
        if head.voices and way.required[voice] != SILENCE:
            return pick(log_p)
        if room == 0:
            kept = torch.full_like(log_p, -torch.inf)
            kept[-1] = log_p[-1]
            if not head.voices:
                wanted = way.required.nonzero()[:, 0]
                kept[wanted] = log_p[wanted]
            log_p = kept
        note = pick(log_p)
        none = note == len(log_p) - 1
        room -= not none and (bool(head.voices) or not way.required[note])
        return note

    return coins if head.coins else notes
