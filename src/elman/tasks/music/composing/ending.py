"""How a piece ends: on the tonic chord, held for the last beat.

Of some ways through the last two bars, drawn like all before, the one is taken after which the
model finds the chord likeliest, which is the way that led there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from elman.data.symbolic.theory import keys
from elman.decode import Sampling
from elman.errors import UserError
from elman.tasks.music.composing import choosing
from elman.tasks.music.composing import held as holding
from elman.tasks.music.composing.choosing import Chance
from elman.tasks.music.composing.limits import Limits
from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.composing.network import Network, silent
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.past import Past, frozen
from elman.tasks.music.composing.place import Place

BARS = 2
THIRDS = {"major": 4, "lydian": 4, "mixolydian": 4}  # semitones; that of all others is minor
FIFTH = 7


def steps(measure: Measure, made: int) -> int:
    """How many of the last steps are chosen together, of so many that are made."""
    return min(BARS * measure.bar, made)


def chord(key: str) -> tuple[frozenset[int], int]:
    """The pitch classes of the tonic chord of a key, and its root."""
    found = keys.key(key)
    third = THIRDS.get(found.mode, 3)
    return frozenset((found.tonic + step) % 12 for step in (0, third, FIFTH)), found.tonic


def choose(
    network: Network, place: Place, limits: Limits, asked: Composing, sampling: Sampling, seed: int,
    end: int, past: Past, key: str, held: Tensor,
) -> list[Tensor]:  # fmt: skip
    """The frames from a place up to the step `end`. UserError: no way ends as it has to."""
    begin = len(place.history)
    beat = min(limits.measure.held, end - begin, limits.hold or end)
    classes, root = chord(key)
    count = 1 if sampling.temperature == 0 else asked.ending_tries
    tries = [past.branch() for _ in range(count)]
    sounding = [held] * count
    made: list[list[Tensor]] = [[] for _ in range(count)]
    costs = [0.0] * count
    contexts = place.scores.expand(count, -1)
    state = [tuple(s.expand(-1, count, -1).contiguous() for s in layer) for layer in place.state]
    for step in range(begin, end):
        last = step >= end - beat
        for k in range(count):
            if last and step > end - beat:
                frame = made[k][-1] if frozen(made[k][-1]) not in tries[k].barred() else None
            else:
                ways = limits.ways(step, sounding[k])
                if last:
                    ways = limits.chord_ways(step, classes, root, sounding[k], beat - 1)
                frame = choosing.choose(
                    network.head, contexts[k], ways, limits.rules.most, tries[k].barred(),
                    sampling, Chance(seed, step, k + 1),
                )  # fmt: skip
            if frame is None or not _keeps(limits, frame, step):
                costs[k] = math.inf
                frame = silent(network.head)
            elif last:
                costs[k] -= float(choosing.log_p(network.head, contexts[k], frame[None]))
            made[k].append(frame)
            tries[k].add(frozen(frame))
            sounding[k] = holding.after(sounding[k], frame)
        after, state = network.read(torch.stack([m[-1] for m in made])[None], step,
                                    limits.measure, state)  # fmt: skip
        contexts = after[0]
    best = min(range(count), key=costs.__getitem__)
    if not math.isfinite(costs[best]):
        raise UserError(
            f"--ending: by the rules of --keep no way was found to end on the tonic of {key}; "
            "loosen a rule, or try another --seed"
        )
    return made[best]


def _keeps(limits: Limits, frame: Tensor, step: int) -> bool:
    """Whether a frame that is held into a step is allowed there: a note may be required there."""
    return any(way.admits(frame) for way in limits.ways(step))
