"""How much of what came before a network makes use of: its loss against usable context.

Each answer is asked for with the last k steps alone, in three ways: `cut`, from a fresh state k
steps before it; `elsewhere`, after as many steps in all, but those further back than k are from
another place of the data; `shuffled`, those further back are the same, in random order. Cutting
tells what a network gains by context; elsewhere does so without the odd state of a fresh start; and
what shuffling costs is due to the order of what is far. Khandelwal et al. 2018, arXiv:1805.04623,
asked this of LSTMs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman import chance
from elman.errors import UserError
from elman.probe.measured import Measured
from elman.probe.quiet import quiet
from elman.wording import counted

Floats: TypeAlias = NDArray[np.float64]
Way: TypeAlias = Literal["cut", "elsewhere", "shuffled"]
Losses: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""`(x [k, n, …], y [n, …])` → the losses [n] of the answers after the last step, from a fresh
state; it calls the model."""

WAYS: tuple[Way, ...] = ("cut", "elsewhere", "shuffled")
AT_ONCE = 64  # places asked together
FEWEST = 8  # places in all
DRAWS = 1000
SHARES = (0.95, 0.99)  # of the gain, whose contexts are told
LITTLE = 0.01  # of the gain: what lies beyond the truncation counts from there on


@dataclass(frozen=True, eq=False)
class Memory:
    """The losses of the same answers with more and more context.

    `losses` hold for each way [contexts, places]; the last context is all that was given, where
    every way is the same.
    """

    contexts: tuple[int, ...]  # steps, growing
    losses: Mapping[Way, Floats]
    unit: str = "nats"
    step: str = "step"

    @property
    def places(self) -> int:
        return len(next(iter(self.losses.values())).T)

    def measured(self) -> list[Measured]:
        """Mean losses by context, for page and JSON; the spread is that over places."""
        labels = {"context": [str(k) for k in self.contexts]}
        return [
            Measured(
                f"loss with the last steps alone, {way}", each.mean(1), self.unit, ("context",),
                self.places, "places", each.std(1, ddof=1), labels,
            )
            for way, each in self.losses.items()
        ]  # fmt: skip

    def gain(self, way: Way = "cut") -> float:
        """How much less is lost with all context than with the least."""
        first, *_, last = self.losses[way].mean(1)
        return float(first - last)

    def enough(self, share: float, way: Way = "cut") -> tuple[int, int, int]:
        """The least context that gives so much of the gain, and between which it lies with 95 %.

        More context than that gives so much too. Places are drawn anew for the bounds.
        """
        each, n = self.losses[way], self.places
        draw = np.random.default_rng(n)
        often = draw.multinomial(n, np.full(n, 1 / n), size=DRAWS) / n
        found = [_enough(mean, share) for mean in (each @ often.T).T]
        low, high = np.quantile(found, (0.025, 0.975), method="nearest")
        at = _enough(each.mean(1), share)
        return self.contexts[at], self.contexts[int(low)], self.contexts[int(high)]

    def beyond(self, context: int, way: Way = "cut") -> tuple[float, tuple[float, float] | None]:
        """What is gained by all that lies further back than `context`, and its 95 % interval.

        UserError: nothing was asked with so much context.
        """
        if context not in self.contexts:
            raise UserError(f"context {context}: there are {', '.join(map(str, self.contexts))}")
        each, one = self.losses[way], np.ones(self.places)
        less, more = (
            chance.shares("place", part, one)
            for part in (each[self.contexts.index(context)], each[-1])
        )
        gained = float((less.sums[:, 0] - more.sums[:, 0]).mean())
        return gained, chance.interval(less, more)

    def told(self, truncation: int | None = None, way: Way = "cut") -> list[str]:
        """In words: how far back it matters, and whether a longer truncation would help."""
        longest, total, places = self.contexts[-1], self.gain(way), counted(self.places, "place")
        mean = self.losses[way].mean(1)
        if not total > 0:
            return [
                f"Context brings nothing: {mean[0]:.3f} {self.unit} after one {self.step}, "
                f"{mean[-1]:.3f} after {longest} ({places})."
            ]
        parts = []
        for share in SHARES:
            k, low, high = self.enough(share, way)
            bounds = "" if low == high == k else f" ({low} to {high})"
            parts.append(f"{share:.0%} of what context brings by {k}{bounds}")
        lines = [
            f"With more context the loss falls from {mean[0]:.3f} {self.unit} after one "
            f"{self.step} to {mean[-1]:.3f} after {longest}; {' and '.join(parts)} ({places})."
        ]
        if truncation is not None and self.contexts[0] < truncation < longest:
            lines.append(self._advice(truncation, way))
        return lines

    def _advice(self, truncation: int, way: Way) -> str:
        cut = max(k for k in self.contexts if k <= truncation)
        gained, bounds = self.beyond(cut, way)
        about = "" if bounds is None else f" ({bounds[0]:+.3f} to {bounds[1]:+.3f})"
        far = f"What lies further back than {cut} brings {gained:.3f} {self.unit}{about}"
        sure = bounds is not None and bounds[0] > 0
        if sure and gained > LITTLE * self.gain(way):
            return (
                f"{far}: it uses what lies beyond the {truncation} {self.step}s that training cuts "
                "gradients at; a larger --sequence-length may help."
            )
        reach = self.enough(SHARES[1], way)[0]
        if reach <= truncation / 2:
            return (
                f"{far}, and it makes little of what lies further back than {reach}, well within "
                f"the {truncation} of training: a larger --sequence-length alone would hardly help."
            )
        return (
            f"{far}, but it uses nearly all of the {truncation} {self.step}s that it was trained "
            "on: a larger --sequence-length may help."
        )


def contexts(longest: int) -> tuple[int, ...]:
    """1, 2, 3, 4, 6, 8, 12, … up to `longest`. ValueError: below 2."""
    if longest < 2:
        raise ValueError(f"a context of {longest} cannot be made shorter")
    halves = {2**k for k in range(32)} | {3 * 2**k for k in range(31)}
    return tuple(sorted({k for k in halves if k < longest} | {longest}))


def remembered(
    model: nn.Module,
    losses: Losses,
    x: Tensor,
    y: Tensor,
    *,
    ways: Sequence[Way] = WAYS,
    asked: Sequence[int] | None = None,
    seed: int = 0,
    seconds: float = float("inf"),
    step: str = "step",
    unit: str = "nats",
) -> Memory:
    """The losses of answers `y` [P, …], each after the steps `x` [K, P, …], by usable context.

    The places should lie apart. They are asked in random order, a few at a time, until the seconds
    are over; a few are asked in any case. `asked` are the contexts, from 1 to K.
    UserError: fewer than 2 steps or than 8 places; a context that does not fit.
    """
    K, P = x.shape[:2]
    if K < 2 or P < FEWEST or len(y) != P:
        raise UserError(
            f"{counted(P, 'place')} of {counted(K, 'step')}, {counted(len(y), 'answer')}: at "
            f"least {FEWEST} of 2 are needed, and an answer for each"
        )
    ks = contexts(K) if asked is None else tuple(sorted({*asked, K}))
    if ks[0] < 1 or ks[-1] > K:
        raise UserError(f"contexts must lie between 1 and {K}, got {ks[0]} to {ks[-1]}")
    until = time.monotonic() + seconds
    draw = torch.Generator().manual_seed(seed)
    order = torch.randperm(P, generator=draw)
    far = _others(order)
    parts: dict[Way, list[Tensor]] = {way: [] for way in ways}
    with quiet(model), torch.no_grad():
        # Small at first, so that little time is soon known to be little.
        for chunk in _chunks(order):
            if parts[ways[0]] and time.monotonic() > until:
                break
            whole = losses(x[:, chunk], y[chunk]).double().cpu()
            for way in ways:
                each = [
                    losses(_usable(way, x, chunk, far, k, draw), y[chunk]).double().cpu()
                    for k in ks[:-1]
                ]
                parts[way].append(torch.stack([*each, whole]))
    found = {way: torch.cat(each, 1).numpy() for way, each in parts.items()}
    return Memory(ks, found, unit, step)


def _chunks(order: Tensor) -> list[Tensor]:
    return [order[:FEWEST], *(c for c in torch.split(order[FEWEST:], AT_ONCE) if len(c))]


def _others(order: Tensor) -> Tensor:
    """For each place another one, [P]: the next in a random order."""
    other = torch.empty_like(order)
    other[order] = order.roll(1)
    return other


def _usable(
    way: Way, x: Tensor, chunk: Tensor, other: Tensor, k: int, draw: torch.Generator
) -> Tensor:
    """The steps before some answers, of which the last `k` alone are theirs, in order."""
    near, distant = x[-k:, chunk], len(x) - k
    if way == "cut":
        return near
    if way == "elsewhere":
        return torch.cat([x[:distant, other[chunk]], near])
    turns = torch.stack([torch.randperm(distant, generator=draw) for _ in chunk], 1)  # [K - k, n]
    return torch.cat([x[turns.to(x.device), chunk], near])


def _enough(mean: Floats, share: float) -> int:
    """The first context from which on the mean loss keeps so much of the gain."""
    wanted = mean[0] - share * (mean[0] - mean[-1])
    short = np.flatnonzero(mean[:-1] > wanted)
    return int(short[-1]) + 1 if len(short) else 0
