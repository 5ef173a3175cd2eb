"""Frames drawn within limits by Gibbs sampling: one note at a time, given all others.

The probability of a note given all others is exact. The network reads all that follows once for
each note that may stand there, all of them in one batch. Geman and Geman 1984,
doi:10.1109/TPAMI.1984.4767596; for chorales with another model Hadjeres et al. 2017,
arXiv:1612.01010.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from elman import decode
from elman.data.symbolic.theory.counterpoint import moves_in_parallel
from elman.decode import Sampling
from elman.errors import UserError
from elman.tasks.music.composing import choosing, held
from elman.tasks.music.composing.choosing import Chance
from elman.tasks.music.composing.limits import FREE, Limits
from elman.tasks.music.composing.network import Network, silent
from elman.tasks.music.composing.past import frozen
from elman.tasks.music.frames.heads.head import SILENCE
from elman.tasks.task import State


def sample(
    network: Network, limits: Limits, steps: int, sweeps: int, sampling: Sampling, seed: int
) -> Iterator[Tensor]:
    """Frames [T, …] from which each sweep begins, and those after the last.

    First a piece drawn step by step; each sweep then draws every note anew that is not given.
    UserError: nothing keeps the limits.
    """
    frames = _first(network, limits, steps, sampling, seed)
    yield frames
    for sweep in range(sweeps):
        frames = _swept(network, limits, frames.clone(), sampling, seed, sweep)
        yield frames


def _first(network: Network, limits: Limits, steps: int, sampling: Sampling, seed: int) -> Tensor:
    made = list[Tensor]()
    sounding = held.of(silent(network.head, 0), network.head.pitches)
    contexts, state = network.begin(1, limits.measure)
    past = limits.past()
    for step in range(steps):
        frame = choosing.choose(
            network.head, contexts[0], limits.ways(step, sounding), limits.rules.most,
            past.barred(), sampling, Chance(seed, step),
        )  # fmt: skip
        if frame is None:
            raise UserError(limits.stuck(step))
        made.append(frame)
        past.add(frozen(frame))
        sounding = held.after(sounding, frame)
        after, state = network.read(frame[None, None], step, limits.measure, state)
        contexts = after[0]
    return torch.stack(made)


def _swept(
    network: Network, limits: Limits, frames: Tensor, sampling: Sampling, seed: int, sweep: int
) -> Tensor:
    context, state = network.begin(1, limits.measure)
    for step in range(len(frames)):
        chance = Chance(seed, step, sweep + 1)
        for site in sites(limits, step):
            others = candidates(limits, frames, step, site)
            if len(others) > 1:
                log_p = -costs(network, limits, frames, step, others, context, state)
                p = decode.distribution(log_p, (), sampling)
                frames[step] = others[decode.choose(p, chance())]
        after, state = network.read(frames[step][None, None], step, limits.measure, state)
        context = after[0]
    return frames


def sites(limits: Limits, step: int) -> list[int]:
    """What is drawn anew in a step: the voices that are not given, or of a roll its pitches."""
    if not limits.voices:
        return list(range(limits.pitches))
    if limits.given is None:
        return list(range(limits.voices))
    return (limits.given[step] == FREE).nonzero()[:, 0].tolist()


def candidates(limits: Limits, frames: Tensor, step: int, site: int) -> Tensor:
    """What may stand in a step of `frames` [T, …], which keep the limits: frames [K, …] that keep
    them there and differ in one site at most."""
    frame = frames[step]
    values = [False, True] if not limits.voices else [SILENCE, *range(limits.pitches)]
    line, most_steps = frames[:, site].tolist(), limits.hold or len(frames)
    values = [v for v in values if v == line[step] or _lasts(line, step, v) <= most_steps]
    made = frame.repeat(len(values), *[1] * frame.dim())
    made[:, site] = torch.tensor(values)
    ways, most = limits.ways(step), limits.rules.most
    sounding = made.sum(-1) if not limits.voices else (made != SILENCE).sum(-1)
    fits = [
        (most is None or int(count) <= most)
        and any(way.admits(one) for way in ways)
        and not (limits.rules.no_parallels and _parallel(frames, step, one))
        for one, count in zip(made, sounding, strict=True)
    ]
    return made[torch.tensor(fits)]


def _parallel(frames: Tensor, step: int, frame: Tensor) -> bool:
    """Whether with such a frame in a step voices move in parallel into it or out of it."""
    now, around = frame.tolist(), frames[max(0, step - 1) : step + 2].tolist()
    return (step > 0 and moves_in_parallel(around[0], now)) or (
        step + 1 < len(frames) and moves_in_parallel(now, around[-1])
    )


def _lasts(line: list[int], step: int, value: int) -> int:
    """For how many steps the note sounds that stands in a step with such a value; 0 of silence."""
    if value is False or value == SILENCE:
        return 0
    before = next((k for k in range(step) if line[step - 1 - k] != value), step)
    rest = len(line) - step - 1
    return 1 + before + next((k for k in range(rest) if line[step + 1 + k] != value), rest)


@torch.no_grad()
def costs(
    network: Network, limits: Limits, frames: Tensor, step: int, others: Tensor, context: Tensor,
    state: State,
) -> Tensor:  # fmt: skip
    """-log p of all frames from `step` on, up to what is the same for all, were each of `others`
    [K, …] to stand there: [K], float64. `context` [1, C] and `state` are those before the step."""
    count, follow = len(others), frames[step + 1 :]
    head, device = network.head, context.device
    total = head.nats(context.expand(count, -1), others.to(device)).double()
    if len(follow):
        wide = [tuple(s.expand(-1, count, -1).contiguous() for s in layer) for layer in state]
        rest = follow[:-1, None].expand(-1, count, *follow.shape[1:])
        contexts, _ = network.read(torch.cat([others[None], rest]), step, limits.measure, wide)
        each = follow[:, None].expand(-1, count, *follow.shape[1:]).flatten(0, 1)
        nats = head.nats(contexts.flatten(0, 1), each.to(device)).double()
        total = total + nats.view(len(follow), count).sum(0)
    return total.cpu()
