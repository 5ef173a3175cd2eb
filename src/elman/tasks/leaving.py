"""The parts that tasks share, as nodes of a program that leaves: `Reader` and `Pool`."""

from __future__ import annotations

from elman.export.building import Builder, Last
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
