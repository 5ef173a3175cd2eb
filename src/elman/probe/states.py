"""What states and gates do: how often gates are shut or open, how long cells keep, units remember.

Everything is read off the cell's own equations, so that a new cell needs nothing here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.cells.cell import Cell
from elman.probe.measured import Measured
from elman.probe.opened import Pass

Floats = NDArray[np.float64]
SHUT, OPEN = 0.1, 0.9  # a gate below the one is shut, one above the other is open
FALLEN = float(np.exp(-1))  # of an autocorrelation, once a unit has forgotten
STILL = 1e-12  # variance, as a share of the largest, below which a unit does not move


@dataclass(frozen=True)
class Roles:
    """What the names in a cell's equations stand for."""

    gates: tuple[str, ...]  # between 0 and 1
    squashed: tuple[str, ...]  # between -1 and 1, by tanh
    kept: dict[str, tuple[str, bool]]  # state → the gate that keeps it; whether 1 - gate does


def roles(cell: Cell) -> Roles:
    """Which are gates and which of them keep a state, by the cell's equations.

    A gate is a sigmoid, or what multiplies the old state: `h = (1 - z) * n + z * h` is kept by z.
    A gate that is only scaled on its way (f of minLSTM, which F follows) keeps nothing itself.
    """
    formulas = dict(line.split(" = ", 1) for line in cell.equations.splitlines())
    kept: dict[str, tuple[str, bool]] = {}
    for state in cell.states:
        for at in re.finditer(rf"(\(1 - (\w+)\)|\b(\w+)) \* {state}\b", formulas[state]):
            gate, turned = (at[2], True) if at[2] else (at[3], False)
            if gate in formulas:
                kept[state] = gate, turned
    sigmoids = [name for name, formula in formulas.items() if "sigmoid(" in formula]
    gates = [n for n in formulas if n in sigmoids or n in {gate for gate, _ in kept.values()}]
    squashed = [n for n, formula in formulas.items() if formula.startswith("tanh(")]
    return Roles(tuple(gates), tuple(squashed), kept)


def states(seen: Pass) -> list[Measured]:
    """Every state, and all that the cell notes, at every step: [T, B, H], NaN in padding."""
    alive = seen.rows.alive.numpy()
    found = []
    for name in seen.names:
        values = _array(seen.values(name))
        values[~alive] = np.nan
        axes = ("step", "sequence", "unit")
        title = f"{seen.name}: {name}"
        found.append(Measured(title, values, "", axes, int(alive.sum()), "steps"))
    return found


def saturation(seen: Pass) -> Measured:
    """The share of steps at which a gate is shut (below 0.1) and open (above 0.9): [gate, end].

    Of what tanh squashes it is the share below -0.9 and above 0.9. The spread is over units.
    """
    found = roles(seen.cell)
    names = (*found.gates, *found.squashed)
    shares = np.zeros((len(names), 2))
    spread = np.zeros_like(shares)
    for k, name in enumerate(names):
        values = _alive(seen, seen.values(name))  # [N, H]
        low = SHUT if name in found.gates else -OPEN
        for end, reached in enumerate((values < low, values > OPEN)):
            units = reached.mean(0)
            shares[k, end], spread[k, end] = units.mean(), units.std()
    labels = {"gate": names, "end": ("shut", "open")}
    title, steps = f"{seen.name}: saturation", sum(seen.rows.sizes)
    return Measured(title, shares, "share", ("gate", "end"), steps, "steps", spread, labels)


def forget_times(seen: Pass) -> dict[str, Measured]:
    """How long each unit keeps a state, in steps, for each state that a gate keeps: [unit].

    From a step on, the steps until the product of the gate has fallen to 1/e: the median over the
    steps of the first half of each sequence. Of a gate that is always f it is -1 / log f. Between
    two steps, and beyond the end of a sequence, the logarithm is taken as straight; infinite where
    the gate never lets go. The spread is over the medians of sequences.
    """
    found = {}
    lengths = seen.rows.lengths.tolist()
    for state, (gate, turned) in roles(seen.cell).kept.items():
        kept = seen.values(gate).double()
        kept = 1 - kept if turned else kept
        if seen.direction.keep is not None:  # zoneout keeps its share too
            share = seen.direction.keep[seen.cell.states.index(state)].double()
            kept = kept + (1 - kept) * share
        lost = _array(-kept.clamp_min(torch.finfo(torch.float64).tiny).log())  # [T, B, H]
        each = [_times_kept(lost[:n, b], reverse=seen.reverse) for b, n in enumerate(lengths)]
        whole = _middle(np.concatenate(each))
        own = np.stack([_middle(one) for one in each])  # [B, H]
        spread = np.where(np.isfinite(own).all(0), np.nan_to_num(own, posinf=0).std(0), np.nan)
        title = f"{seen.name}: how long {gate} keeps {state}"
        found[state] = Measured(title, whole, "steps", ("unit",), len(lengths), "sequences", spread)
    return found


def _times_kept(lost: Floats, *, reverse: bool) -> Floats:
    """Of what is lost at each step of a sequence, -log f [T, H]: for each start in its first half
    the steps until 1 is lost, [starts, H]."""
    lost = lost[::-1] if reverse else lost
    T, H = lost.shape
    total = np.concatenate([np.zeros((1, H)), lost.cumsum(0)])  # [T + 1, H], before each step
    starts = np.arange(1, max(2, T // 2 + 1))  # after the first step something is held
    starts = starts[starts < T] if T > 1 else np.zeros(1, dtype=np.int64)
    times = np.empty((len(starts), H))
    for u in range(H):
        curve = total[:, u]
        goal = curve[starts] + 1
        after = np.searchsorted(curve, goal)  # the first place at which so much is lost
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = (T - starts) / (curve[-1] - curve[starts])
            inside = np.minimum(after, T)
            step = curve[inside] - curve[inside - 1]
            within = inside - 1 - starts + (goal - curve[inside - 1]) / step
        times[:, u] = np.where(after > T, beyond, within)
    return times


def _middle(times: Floats) -> Floats:
    """The median over starts, [H], infinity among the numbers."""
    found: Floats = np.sort(times, axis=0)[(len(times) - 1) // 2]
    return found


def memory(seen: Pass, state: str) -> Measured:
    """The effective memory of each unit: after how many steps its autocorrelation is 1/e, [unit].

    Between two lags it is taken as straight. Infinite where it has not fallen so far within half
    of the longest sequence; NaN of a unit that never moves.
    """
    values, alive = _array(seen.values(state)), seen.rows.alive.numpy()
    times = autocorrelation_times(values, alive)
    title = f"{seen.name}: effective memory of {state}"
    return Measured(title, times, "steps", ("unit",), int(alive.sum()), "steps")


def autocorrelation_times(values: Floats, alive: NDArray[np.bool_]) -> Floats:
    """Of values [T, B, H] that are meant where `alive` [T, B]: as `memory`, [H]."""
    count = alive.sum()
    mean = (values * alive[..., None]).sum((0, 1)) / count
    x = (values - mean) * alive[..., None]
    squares = (x**2).sum((0, 1))
    still = squares <= STILL * max(float((values**2).max(initial=0)), STILL) * count
    lags = max(1, len(values) // 2)
    pairs = np.maximum(_products(alive[..., None].astype(np.float64), lags), 1)  # [lags + 1, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        curve = _products(x, lags) / pairs / (squares / count)  # [lags + 1, H]
    curve[:, still] = 0
    fallen = curve < FALLEN
    first = fallen.argmax(0)
    units = np.arange(len(mean))
    low, high = curve[first, units], curve[np.maximum(first - 1, 0), units]
    with np.errstate(invalid="ignore", divide="ignore"):
        times = np.where(fallen.any(0), first - 1 + (high - FALLEN) / (high - low), np.inf)
    times[still] = np.nan
    return times


def _products(x: Floats, lags: int) -> Floats:
    """The sums of x_t x_{t+k} over all steps and sequences of `x` [T, B, H], [lags + 1, H]."""
    spectrum = np.fft.rfft(x, 2 * len(x), axis=0)
    products = np.fft.irfft((spectrum * spectrum.conj()).sum(1), 2 * len(x), axis=0)
    sums: Floats = products[: lags + 1]
    return sums


def _alive(seen: Pass, values: Tensor) -> Floats:
    """The rows that are no padding, [N, H]."""
    found: Floats = _array(values)[seen.rows.alive.numpy()]
    return found


def _array(values: Tensor) -> Floats:
    found: Floats = values.detach().double().cpu().numpy()
    return found.copy()
