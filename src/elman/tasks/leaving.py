"""The parts that tasks share, as nodes of a program that leaves: `Reader`, `Pool`, and several
networks that answer together, with their states."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from elman.export import building
from elman.export.building import Builder, Last
from elman.export.program import Array, Arrays
from elman.layers.recurrent import Recurrent, State
from elman.tasks.ensemble import LEAST
from elman.tasks.reader import Pool, Reader


def read(
    build: Builder, reader: Reader, x: str, lengths: str | None, first: Last | None = None
) -> str:
    """What the layers put out at each step, [B, T, D*H], of vectors or of ids `x`."""
    if reader.embedding is not None:
        x = build.lookup(x, reader.embedding.weight)
    elif reader.symbols:
        x = build.one_hot(x, reader.symbols)
    y, _ = build.stack(reader.recurrent, x, lengths, first=first)
    return y


def pooled(build: Builder, pool: Pool, y: str, lengths: str | None) -> str:
    """One vector for each sequence, [B, D*H]."""
    if pool.how == "last":
        return ends(build, y, lengths, both_ways=pool.both_ways)
    if pool.turned is None or pool.asked is None:
        return build.pool(y, "max" if pool.how == "max" else "mean", lengths)
    scores = build.linear(build.activation(build.linear(y, pool.turned), "tanh"), pool.asked)
    shares = build.softmax_over_time(scores, lengths)
    return build.pool(build.mul(y, shares), "sum", lengths)


def ends(build: Builder, y: str, lengths: str | None, *, both_ways: bool) -> str:
    """What each direction put out at its own last step."""
    if not both_ways:
        return build.pool(y, "last", lengths)
    width = build.width(y)
    ahead, back = build.slice(y, 0, width // 2), build.slice(y, width // 2, width)
    return build.concat(build.pool(ahead, "last", lengths), build.pool(back, "first", lengths))


def together(build: Builder, each: Sequence[str]) -> str:
    """`ensemble.together` of the scores of several networks; those of one as they are."""
    if len(each) == 1:
        return each[0]
    chances = build.mean([build.softmax(scores) for scores in each])
    return build.activation(build.affine(chances, 1.0, torch.tensor([LEAST])), "log")


def prefix(k: int, count: int) -> str:
    """What the names of the states of network k of several begin with; of one alone, nothing."""
    return f"m{k}_" if count > 1 else ""


def own(prefix: str, states: Arrays) -> dict[str, Array]:
    """The states of one of several networks, by the names that they have in it."""
    mine = [name for name in states if name.startswith(prefix)]
    return {name.removeprefix(prefix): states[name] for name in mine}


def stacked(stacks: Sequence[Recurrent], states: Arrays) -> State:
    """States by name, each [B, H]: the layers of one stack after those of another."""
    return [
        layer
        for k, stack in enumerate(stacks)
        for layer in building.stacked(stack, own(prefix(k, len(stacks)), states))
    ]


def unstacked(stacks: Sequence[Recurrent], states: State) -> dict[str, Array]:
    """The inverse."""
    found, at = dict[str, Array](), 0
    for k, stack in enumerate(stacks):
        layers = states[at : at + len(stack.cell)]
        named = building.unstacked(stack, layers)
        found |= {f"{prefix(k, len(stacks))}{name}": value for name, value in named.items()}
        at += len(layers)
    return found
