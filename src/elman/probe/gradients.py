"""Gradients through time: how much of what a loss says at one step reaches the states before it.

Bengio, Simard and Frasconi 1994, doi:10.1109/72.279181, and Pascanu, Mikolov and Bengio 2013,
arXiv:1211.5063, on why they vanish and explode.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from elman.errors import UserError
from elman.probe.measured import Measured, one
from elman.probe.opened import Call, Layers, Pass, Rows, opened

Floats = NDArray[np.float64]
LossOf: TypeAlias = Callable[[nn.Module], Tensor]  # a model → its summed loss on one batch

PLACES = 64  # steps that gradients are followed back from
FALLEN = 0.01  # of its size at the step itself, where a gradient counts as gone
SILENT = 1e-9  # of the largest effect on the loss, below which a step counts as having none


@dataclass(frozen=True, eq=False)
class Flow:
    """How gradients come back through one layer in one direction.

    A place is a step of a sequence at which the model's output has an effect on the loss, and lag
    k the state k steps earlier, in the direction in which the layer reads. Where a sequence does
    not go back so far there is NaN. The gradient to a state is all that back-propagation brings to
    it: that to c of an LSTM holds what comes through h of the same step, o * tanh(c).
    """

    seen: Pass
    norms: Mapping[str, Floats]  # state → [places, lags], the norm of d loss_t / d state_{t-k}

    @property
    def whole(self) -> Floats:
        """The norm over all states together, [places, lags]."""
        return np.sqrt(sum((norm**2 for norm in self.norms.values()), start=np.float64(0)))

    @property
    def relative(self) -> Floats:
        """`whole` as a share of what it is at the place itself, [places, lags]."""
        return self.whole / self.whole[:, :1]

    def by_lag(self, state: str | None = None) -> Measured:
        """Mean and spread over places of the norm for one state, or all together, [lag]."""
        values = self.whole if state is None else self.norms[state]
        title = f"{self.seen.name}: gradient by lag" + ("" if state is None else f", {state}")
        mean, spread = _mean_and_spread(values)
        return Measured(title, mean, "loss per unit", ("lag",), len(values), "places", spread)

    def share_by_lag(self) -> Measured:
        """The same as shares of the norm at the place itself, [lag]."""
        mean, spread = _mean_and_spread(self.relative)
        title = f"{self.seen.name}: gradient by lag, as a share"
        return Measured(title, mean, "share", ("lag",), len(self.whole), "places", spread)

    def reach(self, share: float = FALLEN) -> tuple[Measured, Measured]:
        """After how many steps gradients have fallen below `share`, and the share of places at
        which they have not within their sequence.

        The number is that from which on they stay below. Its mean and spread are over the places
        where they have; NaN where at no place they have.
        """
        relative = self.relative
        steps = np.full(len(relative), np.nan)
        for k, row in enumerate(relative):
            known = row[np.isfinite(row)]
            above = np.flatnonzero(known >= share)
            if len(above) and above[-1] + 1 < len(known):
                steps[k] = above[-1] + 1
        there = np.isfinite(steps)
        mean = float(steps[there].mean()) if there.any() else math.nan
        spread = float(steps[there].std()) if there.any() else math.nan
        title = f"{self.seen.name}: steps until the gradient is {share:.0%}"
        return (
            one(title, mean, "steps", int(there.sum()), "places", spread),
            one(f"{title}, not reached", float(1 - there.mean()), "share", len(steps), "places"),
        )

    def growth(self) -> Measured:
        """By which factor gradients change from one step to the one before it, over all lags.

        The slope of the logarithm of the norm over the lag, for each place; below 1 they vanish,
        above 1 they explode.
        """
        slopes = []
        for row in self.whole:
            good = np.isfinite(row) & (row > 0)
            if good.sum() > 2:
                lags = np.flatnonzero(good)
                slopes.append(np.polyfit(lags, np.log(row[good]), 1)[0])
        factors = np.exp(np.array(slopes))
        mean = float(np.exp(np.mean(slopes))) if slopes else math.nan
        spread = float(factors.std()) if slopes else math.nan
        title = f"{self.seen.name}: factor of the gradient from step to step"
        return one(title, mean, "", len(slopes), "places", spread)

    def beyond(self, truncation: int) -> Measured:
        """The share of the gradient that training drops which cuts it every `truncation` steps.

        A step at place p of its window sees p steps back. The share is that of the norm, summed
        over lags and averaged over p; NaN where sequences are shorter than the window.
        """
        mean, _ = _mean_and_spread(self.whole)
        title = f"{self.seen.name}: gradient beyond {truncation} steps"
        known = mean[np.isfinite(mean)]
        if len(known) <= truncation:
            return one(title, math.nan, "share", len(self.whole), "places")
        kept = np.cumsum(known)[:truncation].mean()
        return one(title, float(1 - kept / known.sum()), "share", len(self.whole), "places")


def gradients(
    model: nn.Module,
    loss: LossOf,
    *,
    places: int = PLACES,
    longest: int | None = None,
    paths: Collection[str] | None = None,
    seconds: float = math.inf,
) -> list[Flow]:
    """The flow through every recurrent layer of `model`, each in the direction in which it reads.

    `loss` gives the summed loss of a batch. Where its gradient meets the output of a recurrent
    module is its effect at that step, which is followed back from each of about `places` steps on
    its own, evenly spread over the second half of each sequence where later ones have an effect;
    no further than `longest` lags. Each module, or each of those at `paths`, is looked at by
    itself, in its longest call. Where `seconds` would not be enough there are fewer places, but at
    least one in each sequence.

    UserError: nothing recurrent in the model, or the loss does not depend on it.
    """
    began = time.perf_counter()
    with opened(model, gradients=True) as layers:
        total = loss(model)
        if not isinstance(total, Tensor) or total.numel() != 1 or not total.requires_grad:
            raise UserError("the loss must be one number with a gradient; is it in no_grad?")
        calls = [c for c in longest_calls(layers) if paths is None or c.path in paths]
        found: list[Flow] = []
        for k, call in enumerate(calls):
            now = time.perf_counter()
            until = now + (began + seconds - now) / (len(calls) - k)
            found += _flows(call, total.reshape(()), places, longest, until)
    if not found:
        raise UserError("the loss does not depend on any recurrent layer")
    return found


def longest_calls(layers: Layers) -> list[Call]:
    """Of each module the call that went over the most steps, the first of them."""
    found: dict[str, Call] = {}
    for call in layers.calls:
        known = found.get(call.path)
        if known is None or len(call.rows.sizes) > len(known.rows.sizes):
            found[call.path] = call
    return list(found.values())


def _flows(call: Call, loss: Tensor, places: int, longest: int | None, until: float) -> list[Flow]:
    """The flows through the layers of one call; none where the loss does not depend on it."""
    outputs = [call.output, *(s for layer in call.finals for s in layer)]
    effects = torch.autograd.grad(loss, outputs, retain_graph=True, allow_unused=True)
    if all(effect is None for effect in effects):
        return []
    direct = Effect.of(call, outputs, effects)
    chosen = direct.places(places)
    if not chosen:
        return []
    nodes = [[node for step in seen.steps for node in step.after] for seen in call.passes]
    flat = [node for part in nodes for node in part]
    rounds: list[list[dict[str, Floats]]] = [[] for _ in call.passes]
    used = [k for k, effect in enumerate(effects) if effect is not None]
    began = time.perf_counter()
    for done, at in enumerate(chosen):
        now = time.perf_counter()
        if done and now + (now - began) / done > until:
            break
        pulled = torch.autograd.grad(
            [outputs[k] for k in used],
            flat,
            [part for k, part in enumerate(direct.at(at)) if k in used],
            retain_graph=True,
            allow_unused=True,
        )
        start = 0
        for k, seen in enumerate(call.passes):
            here = pulled[start : start + len(nodes[k])]
            start += len(nodes[k])
            rounds[k].append(_by_lag(seen, here, at, longest))
    flows = []
    for seen, made in zip(call.passes, rounds, strict=True):
        norms = {name: np.concatenate([part[name] for part in made]) for name in seen.cell.states}
        whole = np.sqrt(sum((norm**2 for norm in norms.values()), start=np.float64(0)))
        felt = np.isfinite(whole[:, 0]) & (whole[:, 0] > 0)
        # Of a layer that reads both ways each direction by places with enough behind them.
        behind = np.isfinite(whole).sum(1)
        long = np.concatenate([_half(call.rows, at) for at in chosen[: len(made)]])
        if (felt & (behind >= long)).any():
            felt &= behind >= long
        if felt.any():
            flows.append(Flow(seen, {name: norm[felt] for name, norm in norms.items()}))
    return flows


def _half(rows: Rows, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Half of the steps of each sequence that has a place."""
    lengths = _sorted_lengths(rows).numpy()
    halves: NDArray[np.float64] = (lengths / 2)[place >= 0]
    return halves


@dataclass(frozen=True, eq=False)
class Effect:
    """The effect of each step's output on the loss: what `outputs` of a call are told from it."""

    rows: Rows
    both_ways: bool
    parts: tuple[Tensor, ...]  # of the output, then of each final state, in the form that they have

    @classmethod
    def of(cls, call: Call, outputs: Sequence[Tensor], effects: Sequence[Tensor | None]) -> Effect:
        parts = [
            torch.zeros_like(output) if effect is None else effect
            for output, effect in zip(outputs, effects, strict=True)
        ]
        both_ways = any(seen.reverse for seen in call.passes)
        return cls(call.rows, both_ways, tuple(parts))

    def sizes(self) -> Floats:
        """Their norms, [T, B], rows sorted; final states count at the step that made them."""
        sizes, rows = self.rows.sizes, self.rows
        steps = _rows_of(self.parts[0], sizes)
        norms = torch.zeros(len(sizes), sizes[0], dtype=torch.float64)
        for t, step in enumerate(steps):
            norms[t, : len(step)] = step.detach().double().norm(dim=-1).cpu()
        ends = _sorted_lengths(rows) - 1
        columns = torch.arange(sizes[0])
        for final in self.parts[1:]:
            size = final.detach().double().norm(dim=-1).cpu()  # [D, B]
            norms[ends, columns] += size[0]
            if len(size) > 1:
                norms[0] += size[1]
        found: Floats = norms.numpy()
        return found

    def places(self, count: int) -> list[NDArray[np.int64]]:
        """Steps to follow gradients from, one a sequence at a time: each [B], -1 for none."""
        sizes = self.sizes()
        lengths = _sorted_lengths(self.rows).numpy()
        rounds = max(2 if self.both_ways else 1, -(-count // len(lengths)))
        found = np.full((rounds, len(lengths)), -1, dtype=np.int64)
        for b, length in enumerate(lengths):
            steps = np.flatnonzero(sizes[:length, b] > SILENT * sizes.max())
            if not self.both_ways and (late := steps[steps >= (length - 1) / 2]).size:
                steps = late
            if steps.size:
                at = np.unique(np.linspace(len(steps) - 1, 0, rounds).round().astype(int))[::-1]
                found[: len(at), b] = steps[at]
        return [row for row in found if (row >= 0).any()]

    def at(self, place: NDArray[np.int64]) -> list[Tensor]:
        """The parts, of each sequence at its place alone."""
        sizes = self.rows.sizes
        output = torch.zeros_like(self.parts[0])
        theirs, ours = _rows_of(self.parts[0], sizes), _rows_of(output, sizes)
        for b, t in enumerate(place):
            if t >= 0:
                ours[t][b] = theirs[t][b]
        ends = _sorted_lengths(self.rows).numpy() - 1
        found = [output]
        for final in self.parts[1:]:
            part = torch.zeros_like(final)
            last = torch.from_numpy(place == ends)
            part[0, last] = final[0, last]
            if len(final) > 1:
                first = torch.from_numpy(place == 0)
                part[1, first] = final[1, first]
            found.append(part)
        return found


def _rows_of(values: Tensor, sizes: Sequence[int]) -> Sequence[Tensor]:
    """[T, B, F] or packed [N, F] → [n, F] for each step."""
    return list(values) if values.dim() == 3 else torch.split(values, list(sizes))


def _sorted_lengths(rows: Rows) -> Tensor:
    """The steps of each row, [B], the longest first."""
    return Rows(rows.sizes).lengths


def _by_lag(
    seen: Pass,
    pulled: Sequence[Tensor | None],
    place: NDArray[np.int64],
    longest: int | None,
) -> dict[str, Floats]:
    """Norms by state, [B, lags], of gradients to each step's states, one after the other."""
    sizes, names = seen.rows.sizes, seen.cell.states
    T, B = len(sizes), sizes[0]
    lags = T if longest is None else min(T, longest + 1)
    lengths = _sorted_lengths(seen.rows).numpy()
    found = {}
    for k, name in enumerate(names):
        norms = np.zeros((T, B))
        for t, gradient in enumerate(pulled[k :: len(names)]):
            if gradient is not None:
                norms[t, : len(gradient)] = gradient.double().norm(dim=-1).cpu().numpy()
        by_lag = np.full((B, lags), np.nan)
        for b, t in enumerate(place):
            if t >= 0:
                steps = norms[t : lengths[b], b] if seen.reverse else norms[: t + 1, b][::-1]
                by_lag[b, : min(lags, len(steps))] = steps[:lags]
        found[name] = by_lag[place >= 0]
    return found


def _mean_and_spread(values: Floats) -> tuple[Floats, Floats]:
    """Over places, of those that go back so far; NaN at lags where fewer than half do."""
    there = np.isfinite(values)
    count = there.sum(0)
    enough = 2 * count >= max(1, len(values))
    filled = np.where(there, values, 0)
    divisor = np.maximum(count, 1)
    mean = filled.sum(0) / divisor
    spread = np.sqrt((np.where(there, values - mean, 0) ** 2).sum(0) / divisor)
    return np.where(enough, mean, np.nan), np.where(enough, spread, np.nan)
