"""Units that fire on a pattern, or follow a quantity: found on one half, told on the other.

A unit fires where its value lies above a threshold, or below it; unit, threshold and side are those
that are best on one half of the data, and the F1 that is told is that of the other half. Because
the best of many units is good at anything by chance, the same search is made of shuffled labels
and, where it is given, of an untrained network; and of the token that is read, for what it tells
by itself is no memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from elman import chance
from elman.chance import Tally
from elman.errors import UserError
from elman.probe.halves import Bools, Halves, Ints, halves
from elman.probe.measured import Measured

Floats = NDArray[np.floating]
Some = TypeVar("Some", bound=np.generic)

FOUND = 5  # units that are told of, the best first
AT_ONCE = 1 << 24  # values sorted together


@dataclass(frozen=True)
class Unit:
    """A unit and how well it does, by F1 or by Spearman's rank correlation."""

    index: int
    name: str
    found: float  # on the half by which it was chosen
    told: float  # on the other
    interval: tuple[float, float] | None  # of `told`, 95 %; None for fewer than 6 blocks
    threshold: float = np.nan  # where a unit that fires begins to
    above: bool = True  # whether it fires above it; for a quantity, whether it grows with it
    precision: float = np.nan
    recall: float = np.nan

    @property
    def rule(self) -> str:
        """`unit 7 > 0.31`"""
        return f"{self.name} {'>' if self.above else '<'} {self.threshold:.4g}"


@dataclass(frozen=True)
class Search:
    """The units found for a pattern or a quantity, the best first, and what they compare with."""

    what: str
    score: str  # "F1" or "rank correlation"
    units: tuple[Unit, ...]
    rivals: Mapping[str, float]  # what others reach on the same half, by name
    gains: Mapping[str, tuple[float, float] | None]  # intervals of the best unit's gain on each
    steps: int  # that are told of
    blocks: int  # that they come from
    share: float = np.nan  # of these steps, on which the pattern holds

    @property
    def best(self) -> Unit:
        return self.units[0]

    def measured(self) -> list[Measured]:
        """The scores of units and of rivals, for page and JSON."""
        names = [unit.name for unit in self.units] + list(self.rivals)
        values = [unit.told for unit in self.units] + list(self.rivals.values())
        return [
            Measured(
                f"{self.score} on {self.what}", np.array(values), "", ("by",), self.steps, "steps",
                labels={"by": names},
            )
        ]  # fmt: skip

    def told(self) -> str:
        """What was found, in a sentence or two, with its sample and spread."""
        unit = self.best
        about = "" if unit.interval is None else " ({:.2f} to {:.2f})".format(*unit.interval)
        rivals = ", ".join(f"{name} {value:.2f}" for name, value in self.rivals.items())
        sample = f"on {self.steps:,} steps in {self.blocks} stretches that it was not chosen by"
        if self.score == "F1":
            does = f"{unit.rule} tells {self.what} with F1 {unit.told:.2f}{about} {sample}"
        else:
            grows = f"{unit.name} {'grows' if unit.above else 'falls'} with {self.what}"
            does = f"{grows}: {self.score} {unit.told:.2f}{about} {sample}"
        beaten = [n for n, gain in self.gains.items() if gain is not None and gain[0] > 0]
        missed = [name for name in self.gains if name not in beaten]
        line = f"{does}; for comparison {rivals}."
        if missed:
            line += f" That is no more than {' or '.join(missed)} by chance alone could give."
        return line


def fires(
    values: Floats,
    pattern: Bools,
    what: str,
    *,
    there: Bools | None = None,
    untrained: Floats | None = None,
    tokens: Ints | None = None,
    names: Sequence[str] = (),
    seed: int = 0,
) -> Search:
    """The units of `values` [T, B, U] that tell best where `pattern` [T, B] holds.

    `there` [T, B] are steps that count; all if not given. `untrained` are values of a network that
    has learnt nothing, `tokens` [T, B] what each step reads.
    UserError: the pattern holds nowhere, or everywhere, on one of the halves.
    """
    there = np.ones(pattern.shape, np.bool_) if there is None else there
    parts = halves(there, seed)
    for half in (parts.finding, parts.telling):
        if not pattern[half].any() or pattern[half].all():
            often = "never" if not pattern[half].any() else "always"
            raise UserError(
                f"{what} {often} holds on the {int(half.sum()):,} steps of one half; "
                "give another pattern or more data"
            )
    found = _chosen(values, pattern, parts)
    order = np.argsort(-found.score, kind="stable")[:FOUND]
    own = [_tally(found.predicted(values, u), pattern, parts) for u in order]
    units = []
    for u, tally in zip(order, own, strict=True):
        tp, predicted, actual = tally.sums.sum(0)
        units.append(
            Unit(
                index=int(u),
                name=names[u] if names else f"unit {u}",
                found=float(found.score[u]),
                told=float(_f1(tally.sums.sum(0))),
                interval=_about(tally),
                threshold=float(found.threshold[u]),
                above=bool(found.above[u]),
                precision=float(tp / predicted) if predicted else np.nan,
                recall=float(tp / actual),
            )
        )
    others: dict[str, Tally] = {}
    if untrained is not None:
        others["the best unit of an untrained network"] = _best(untrained, pattern, parts)
    if tokens is not None:
        others["the token read, by itself"] = _by_token(tokens, pattern, parts)
    others["the best unit for shuffled labels"] = _best(
        values, shuffled(pattern, there, seed), parts
    )
    others["yes everywhere"] = _tally(np.ones_like(pattern), pattern, parts)
    telling = parts.telling
    return Search(
        what,
        "F1",
        tuple(units),
        {name: float(_f1(tally.sums.sum(0))) for name, tally in others.items()},
        {name: chance.interval(own[0], tally) for name, tally in others.items()},
        int(telling.sum()),
        int(parts.told.sum()),
        float(pattern[telling].mean()),
    )


def follows(
    values: Floats,
    quantity: Floats,
    what: str,
    *,
    there: Bools | None = None,
    untrained: Floats | None = None,
    names: Sequence[str] = (),
    seed: int = 0,
) -> Search:
    """The units of `values` [T, B, U] that grow or fall most evenly with `quantity` [T, B].

    By Spearman's rank correlation; steps where the quantity is NaN do not count.
    UserError: the quantity is the same everywhere on one of the halves.
    """
    there = np.isfinite(quantity) if there is None else there & np.isfinite(quantity)
    parts = halves(there, seed)
    for half in (parts.finding, parts.telling):
        if len(np.unique(quantity[half])) < 2:
            raise UserError(f"{what} is the same on all {int(half.sum()):,} steps of one half")

    def sought(values: Floats, quantity: Floats, count: int) -> list[tuple[int, float, Tally]]:
        rho = _correlations(values[parts.finding], quantity[parts.finding])
        order = np.argsort(-abs(rho), kind="stable")[:count]
        return [(int(u), float(rho[u]), _ranked(values[..., u], quantity, parts)) for u in order]

    best = sought(values, quantity, FOUND)
    units = [
        Unit(
            index=u,
            name=names[u] if names else f"unit {u}",
            found=rho,
            told=float(_pearson(tally.sums.sum(0))),
            interval=_about(tally),
            above=rho > 0,
        )
        for u, rho, tally in best
    ]
    others = {}
    if untrained is not None:
        others["the best unit of an untrained network"] = sought(untrained, quantity, 1)[0][2]
    mixed = shuffled(quantity, there, seed)
    others["the best unit for shuffled values"] = sought(values, mixed, 1)[0][2]
    return Search(
        what,
        "rank correlation",
        tuple(units),
        {name: float(abs(_pearson(tally.sums.sum(0)))) for name, tally in others.items()},
        {name: _interval_of_sizes(best[0][2], tally) for name, tally in others.items()},
        int(parts.telling.sum()),
        int(parts.told.sum()),
    )


def shuffled(values: NDArray[Some], there: Bools, seed: int = 0) -> NDArray[Some]:
    """Labels that have nothing to do with their steps, but hang together in time as they did.

    Each sequence's are turned around by a random part of its length, and go to another sequence
    where that is as long.
    """
    draw = np.random.default_rng((seed, 1))
    mixed = values.copy()
    lengths = there.sum(0)
    for length in np.unique(lengths[lengths > 0]):
        group = np.flatnonzero(lengths == length)
        for b, other in zip(group, draw.permutation(group), strict=True):
            turn = draw.integers(length // 4, 1 + length * 3 // 4)
            mixed[there[:, b], b] = np.roll(values[there[:, other], other], turn)
    return mixed


# ---- Firing on a pattern


@dataclass(frozen=True)
class _Chosen:
    """For each unit the threshold and side with the best F1, and that F1; all [U]."""

    score: Floats
    threshold: Floats
    above: Bools

    def predicted(self, values: Floats, unit: int) -> Bools:
        fired: Bools = values[..., unit] > self.threshold[unit]
        return fired if self.above[unit] else ~fired


def _chosen(values: Floats, pattern: Bools, parts: Halves) -> _Chosen:
    seen, wanted = values[parts.finding], pattern[parts.finding]
    width = max(1, AT_ONCE // len(seen))
    pieces = [_thresholds(seen[:, u : u + width], wanted) for u in range(0, seen.shape[1], width)]
    return _Chosen(*(np.concatenate(part) for part in zip(*pieces, strict=True)))


def _thresholds(values: Floats, wanted: Bools) -> tuple[Floats, Floats, Bools]:
    """Over values [N, U]: of all thresholds the best, by F1 on `wanted` [N]."""
    v, order = torch.from_numpy(np.ascontiguousarray(values)).sort(0)
    hits = torch.from_numpy(wanted)[order].double().cumsum(0)  # among the k + 1 smallest
    N, all_ = len(v), float(wanted.sum())
    count = torch.arange(1, N + 1, dtype=torch.float64)[:, None]
    last = torch.ones_like(v, dtype=torch.bool)
    last[:-1] = v[1:] > v[:-1]  # equal values lie on one side
    below = torch.where(last, 2 * hits / (count + all_), -1)
    above = torch.where(last, 2 * (all_ - hits) / (N - count + all_), -1)
    (low, at_low), (high, at_high) = below.max(0), above.max(0)
    up = high >= low
    at = torch.where(up, at_high, at_low)
    here = v.gather(0, at[None])[0].double()
    next_ = v.gather(0, (at + 1).clamp(max=N - 1)[None])[0].double()
    return torch.where(up, high, low).numpy(), ((here + next_) / 2).numpy(), up.numpy()


def _best(values: Floats, pattern: Bools, parts: Halves) -> Tally:
    chosen = _chosen(values, pattern, parts)
    return _tally(chosen.predicted(values, int(chosen.score.argmax())), pattern, parts)


def _by_token(tokens: Ints, pattern: Bools, parts: Halves) -> Tally:
    """Yes for the tokens on which the pattern holds most often, as many as make the best F1."""
    seen, wanted = tokens[parts.finding], pattern[parts.finding]
    size = int(tokens.max()) + 1
    share = np.bincount(seen, wanted, size) / np.maximum(np.bincount(seen, minlength=size), 1)
    by_share = share[tokens][..., None]
    chosen = _chosen(by_share, pattern, parts)
    return _tally(
        by_share[..., 0] > (chosen.threshold[0] if chosen.above[0] else -1), pattern, parts
    )


def _tally(predicted: Bools, pattern: Bools, parts: Halves) -> Tally:
    sums = [predicted & pattern, predicted, pattern]
    return Tally("stretch", parts.sums(sums), _f1)


def _f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of hits, yeses said and yeses there were [..., 3]."""
    hits, said, there = sums[..., 0], sums[..., 1], sums[..., 2]
    score: NDArray[np.float64] = 2 * hits / (said + there)
    return score


# ---- Following a quantity


def _correlations(values: Floats, quantity: Floats) -> NDArray[np.float64]:
    """Spearman's rank correlation of each column of `values` [N, U] with `quantity` [N]."""
    q = _standard(_ranks(quantity))
    return np.array([_standard(_ranks(column)) @ q / len(q) for column in values.T])


def _ranks(values: Floats) -> NDArray[np.float64]:
    """From 1; equal values share the mean of theirs."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2).astype(np.float64)[at]
    return ranks


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = values.std()
    found: NDArray[np.float64] = (values - values.mean()) / (spread if spread else 1)
    return found


def _ranked(values: Floats, quantity: Floats, parts: Halves) -> Tally:
    """Ranks over the half that is told; their correlation, of sums by block."""
    telling = parts.telling
    x, y = np.zeros(telling.shape), np.zeros(telling.shape)
    x[telling] = _standard(_ranks(values[telling]))
    y[telling] = _standard(_ranks(quantity[telling]))
    one = telling.astype(np.float64)
    return Tally("stretch", parts.sums([one, x, y, x * x, y * y, x * y]), _pearson)


def _pearson(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    sizes = np.sqrt(np.maximum((n * xx - x * x) * (n * yy - y * y), 0))
    top = n * xy - x * y
    found: NDArray[np.float64] = np.divide(top, sizes, out=np.zeros_like(top), where=sizes > 0)
    return found


def _interval_of_sizes(own: Tally, other: Tally) -> tuple[float, float] | None:
    """Of the difference of two correlations, whatever their signs."""
    return chance.interval(
        *(Tally(t.unit, t.sums, lambda s: abs(_pearson(s))) for t in (own, other))
    )


# ---- Both


def _about(tally: Tally) -> tuple[float, float] | None:
    return chance.interval(tally, Tally(tally.unit, tally.sums, _nothing))


def _nothing(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.zeros(sums.shape[:-1])
