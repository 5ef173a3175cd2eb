"""A linear recursion on inputs and outputs, fitted by least squares and run freely.

    y_t = Σ_j A_j y_{t-j} + Σ_k B_k x_{t-k} + E s + c,   j = 1 … p,   k = -a … q

This is the ARX model (Ljung 1999, System Identification, ISBN 0136566952, 4.2), without outputs
(p = 0) a finite impulse response. Run freely, it reads its own y. What stood before the first step,
y_0 … y_{1-p} and x_0 … x_{1-q}, is M (s, 1), linear in what is known of the sequence at its start,
s. Fitted to sequences of a linear system of order p without noise it is that system.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

OUTPUTS = (1, 2, 3, 4, 6, 10, 16)  # orders p that are tried
INPUTS = (0, 1, 2, 4, 8, 16, 32, 64)  # orders q where p is 0
RIDGES = (1e-8, 1e-3, 1e-2)  # of the mean square of a regressor
WIDEST = 400  # regressors at most
MOST_STEPS = 30_000  # that are learnt from; more are sampled by whole sequences
JUDGED = 300, 60  # steps of a sequence, and sequences, run freely where orders are chosen
NEAR = 1.01
FARTHER = 3.0  # than all values that were learnt from: there a recursion is stopped
STARTING = 100, 200  # first steps, and sequences, by which what stood before them is found


class Order(NamedTuple):
    """How far a recursion looks: p outputs back, q inputs back and a ahead, and its ridge."""

    outputs: int
    inputs: int
    ahead: int
    ridge: float

    def told(self) -> str:
        if not self.outputs:
            return f"a linear model of the last {self.inputs + 1} inputs" if self.inputs else (
                "a linear model of the input"
            )  # fmt: skip
        return f"a linear recursion of order {self.outputs}"


class Sequences(NamedTuple):
    """Sequences of scaled values to learn from or to tell."""

    x: Sequence[Values]  # each [T, I]
    y: Sequence[Values]  # each [T, O]; empty where nothing is known
    known: Values  # [N, S], at the start

    def pick(self, numbers: Sequence[int] | NDArray[np.int64]) -> Sequences:
        y = [self.y[k] for k in numbers] if len(self.y) else []
        return Sequences([self.x[k] for k in numbers], y, self.known[np.asarray(numbers, int)])


@dataclass(frozen=True)
class Recursion:
    """One that has been fitted, of values as they were scaled."""

    order: Order
    weights: Values  # [p*O + (a+1+q)*I + S + 1, O]: outputs from lag 1 on, inputs from the last
    before: Values  # [p*O + q*I, S + 1]: M
    farthest: float  # from 0; a recursion that is not stable is stopped there

    def told(self, data: Sequences) -> list[Values]:
        """What it tells of each sequence, [T, O], from its own values."""
        found: list[Values] = [np.zeros(0)] * len(data.x)
        for numbers in _of_like_length(data.x):
            part = data.pick(numbers)
            x, lengths = _padded(part.x)
            outputs, inputs = self._past(part.known)
            drive = self._drive(x, inputs, part.known)
            y = _run(drive, outputs, self._feedback(), self.farthest)
            for n, number in enumerate(numbers):
                found[number] = y[n, : lengths[n]]
        return found

    def one_step(self, data: Sequences) -> list[Values]:
        """What it tells of each step, [T, O], from the true values of those before."""
        found: list[Values] = [np.zeros(0)] * len(data.x)
        A, p = self._feedback(), self.order.outputs
        for numbers in _of_like_length(data.x):
            part = data.pick(numbers)
            (x, lengths), (y, _) = _padded(part.x), _padded(part.y)
            outputs, inputs = self._past(part.known)
            T, past = x.shape[1], np.concatenate([outputs[:, ::-1], y], 1)  # the latest last
            lags = [past[:, p - j : p - j + T] for j in range(1, p + 1)]
            told = self._drive(x, inputs, part.known)
            told += np.concatenate([*lags, np.zeros((*y.shape[:2], 0))], 2) @ A
            for n, number in enumerate(numbers):
                found[number] = told[n, : lengths[n]]
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "order": list(self.order),
            "weights": self.weights.tolist(),
            "before": self.before.tolist(),
            "farthest": self.farthest,
        }

    def _feedback(self) -> Values:
        """[p*O, O]"""
        return self.weights[: self.order.outputs * self.weights.shape[1]]

    def _past(self, known: Values) -> tuple[Values, Values]:
        """Outputs [N, p, O] and inputs [N, q, I] before the first step, the latest first."""
        outputs, (p, q, _, _) = self.weights.shape[1], self.order
        past = np.column_stack([known, np.ones(len(known))]) @ self.before.T
        own, others = past[:, : p * outputs], past[:, p * outputs :]
        return (
            own.reshape(len(known), p, outputs),
            others.reshape(len(known), q, others.shape[1] // q if q else 0),
        )

    def _drive(self, x: Values, past: Values, known: Values) -> Values:
        """All but the share of the outputs, [N, T, O]; `past` [N, q, I] stands before `x`."""
        p, q, ahead, _ = self.order
        N, T, inputs = x.shape
        outputs = self.weights.shape[1]
        start, width = p * outputs, (ahead + 1 + q) * inputs
        B = self.weights[start : start + width].reshape(ahead + 1 + q, inputs, outputs)
        rest = self.weights[start + width :]
        still = known @ rest[:-1] + rest[-1]
        drive = np.broadcast_to(still[:, None], (N, T, outputs)).copy()
        parts = ([past[:, ::-1]] if q else []) + [x, np.zeros((N, ahead, inputs))]
        whole = np.concatenate(parts, 1)
        for k in range(-ahead, q + 1):
            drive += whole[:, q - k : q - k + T] @ B[k + ahead]
        return drive


def recursion_from_json(data: Mapping[str, Any]) -> Recursion:
    """The recursion that gave this `to_json`. ValueError where it is damaged."""
    p, q, ahead, ridge = data["order"]
    order = Order(int(p), int(q), int(ahead), float(ridge))
    weights = np.array(data["weights"], dtype=np.float64)
    rows = data["before"]
    before = np.array(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else 1)
    farthest = float(data["farthest"])
    if weights.ndim != 2 or min(order) < 0 or not np.isfinite(weights).all():
        raise ValueError("no weights of a recursion")
    if not np.isfinite(before).all() or len(before) < order.outputs * weights.shape[1]:
        raise ValueError("no beginning of a recursion")
    if not 0 < farthest < np.inf:
        raise ValueError("no end of a recursion")
    return Recursion(order, weights, before, farthest)


def fit(data: Sequences, order: Order) -> Recursion:
    """The recursion of this order, by least squares over every step that has its past."""
    sums = _sums(data, order.outputs, order.inputs, order.ahead)
    return _solved(sums, order, data)


class Judged(NamedTuple):
    """An order, and its mean squared errors over folds: freely, of one step, the mean's."""

    order: Order
    size: int  # regressors
    free: float
    near: float
    mean: float


def least(every: Sequence[Judged], *, near: bool = False) -> Judged:
    """The simplest of those whose error, freely or `near`, is within 1 % of the least."""
    errors = [one.near if near else one.free for one in every]
    # Of values scaled to a deviation of 1: what is below counts as nothing.
    most = NEAR * min(errors) + 1e-9
    enough = [one for one, error in zip(every, errors, strict=True) if error <= most]
    return min(enough, key=lambda one: (one.size, -one.order.ridge))


def sample(data: Sequences) -> Sequences:
    """At most `MOST_STEPS` steps, of sequences that lie evenly among all."""
    lengths = np.array([len(x) for x in data.x])
    if lengths.sum() <= MOST_STEPS:
        return data
    share = MOST_STEPS / lengths.sum()
    count = max(1, int(share * len(lengths)))
    taken = np.unique(np.linspace(0, len(lengths) - 1, count).astype(int))
    return _short(data.pick(taken), max(MOST_STEPS // len(taken), 1), len(taken))


def _short(data: Sequences, steps: int, count: int) -> Sequences:
    """The first steps of so many sequences, which lie evenly among all."""
    part = data.pick(np.unique(np.linspace(0, len(data.x) - 1, count).astype(np.int64)))
    return Sequences([x[:steps] for x in part.x], [y[:steps] for y in part.y], part.known)


def parted(data: Sequences, fewest: int) -> Sequences:
    """The same steps in at least `fewest` sequences: too few are cut, each part with the same known
    values; for the choice of an order, which is judged by them."""
    if len(data.x) >= fewest:
        return data
    pieces = -(-fewest // len(data.x))
    x = [part for one in data.x for part in _pieces(one, pieces)]
    y = [part for one in data.y for part in _pieces(one, pieces)]
    often = [min(pieces, len(one)) for one in data.x]
    return Sequences(x, y, np.repeat(data.known, often, 0))


def _pieces(values: Values, count: int) -> list[Values]:
    return np.array_split(values, min(count, len(values)))


def candidates(data: Sequences, ahead: int = 0) -> list[Order]:
    """Orders that these sequences are long enough for."""
    inputs, outputs = data.x[0].shape[1], data.y[0].shape[1]
    third = int(np.quantile([len(x) for x in data.x], 0.25)) // 3
    fixed = data.known.shape[1] + 1 + (ahead + 1) * inputs
    shapes = [(p, p) for p in OUTPUTS if p * (inputs + outputs) + fixed <= WIDEST]
    # Without any input there is nothing but the outputs that a longer past could be of.
    shapes += [(0, q) for q in INPUTS if q * inputs + fixed <= WIDEST and (inputs or not q)]
    fitting = [(p, q) for p, q in shapes if max(p, q) <= third or (p, q) == (0, 0)]
    return [Order(p, q, ahead, ridge) for p, q in fitting for ridge in RIDGES]


# ---- How it is fitted ----------------------------------------------------------------------


class _Sums(NamedTuple):
    """Sums of products of regressors and outputs, for the largest order of several."""

    product: Values  # [D + O, D + O]
    rows: int
    shape: tuple[int, int, int]  # p, q, a of the regressors


def judged(
    data: Sequences, groups: NDArray[np.int64], ahead: int = 0, *, near: bool = False
) -> list[Judged]:
    """Every order by what it tells of folds that it was not fitted to; `groups` [N] are these.

    One step ahead they are judged with `near` alone.
    """
    orders = candidates(data, ahead)
    most = max(o.outputs for o in orders), max(o.inputs for o in orders)
    every = sorted(set(groups.tolist()))
    inside = [data.pick(np.flatnonzero(groups == g)) for g in every]
    outside = [data.pick(np.flatnonzero(groups != g)) for g in every]
    parts = [_sums(part, *most, ahead) for part in inside]
    product: Values = np.sum([part.product for part in parts], axis=0)
    whole = _Sums(product, sum(part.rows for part in parts), parts[0].shape)
    short = [_short(part, *JUDGED) for part in inside]
    true = [np.concatenate(part.y) for part in short]
    means = [np.concatenate(part.y).mean(0) for part in outside]
    mean = float(np.mean(np.concatenate([(t - m) ** 2 for t, m in zip(true, means, strict=True)])))
    found = []
    for order in orders:
        free, one_step = [], []
        for k, part in enumerate(short):
            sums = _Sums(whole.product - parts[k].product, whole.rows - parts[k].rows, whole.shape)
            made = _solved(sums, order, outside[k])
            free.append((np.concatenate(made.told(part)) - true[k]) ** 2)
            if near:
                one_step.append((np.concatenate(made.one_step(part)) - true[k]) ** 2)
        errors = [float(np.mean(np.concatenate(part))) for part in (free, one_step or free)]
        found.append(Judged(order, len(made.weights), errors[0], errors[1], mean))
    return found


def _sums(data: Sequences, p: int, q: int, ahead: int) -> _Sums:
    inputs, outputs = data.x[0].shape[1], data.y[0].shape[1]
    width = p * outputs + (ahead + 1 + q) * inputs + data.known.shape[1] + 1
    product, rows, first = np.zeros((width + outputs,) * 2), 0, max(p, q)
    for x, y, known in zip(data.x, data.y, data.known, strict=True):
        T = len(x) - first - ahead
        if T <= 0:
            continue
        lags = [y[first - j : first - j + T] for j in range(1, p + 1)]
        lags += [x[first - k : first - k + T] for k in range(-ahead, q + 1)]
        still = np.broadcast_to(np.append(known, 1.0), (T, len(known) + 1))
        Z = np.concatenate([*lags, still, y[first : first + T]], 1)
        product += Z.T @ Z
        rows += T
    return _Sums(product, rows, (p, q, ahead))


def _solved(sums: _Sums, order: Order, data: Sequences) -> Recursion:
    inputs, outputs = data.x[0].shape[1], data.y[0].shape[1]
    p, q, ahead = sums.shape
    known = data.known.shape[1]
    taken = [*range(order.outputs * outputs)]
    start = p * outputs
    taken += [*range(start, start + (ahead + 1 + order.inputs) * inputs)]
    start += (ahead + 1 + q) * inputs
    taken += [*range(start, start + known + 1)]
    D, rows = start + known + 1, max(sums.rows, 1)
    gram, right = sums.product[np.ix_(taken, taken)], sums.product[taken, D:]
    # All regressors are scaled already, those of a constant column stand at 0.
    ridge = np.full(len(taken), order.ridge * rows)
    ridge[-1] = 1e-12 * rows
    weights: Values = np.linalg.solve(gram + np.diag(ridge + 1e-12), right).astype(np.float64)
    if not np.isfinite(weights).all():
        weights = np.zeros_like(weights)
    width = order.outputs * outputs + order.inputs * inputs
    farthest = FARTHER * max(max(float(np.abs(y).max()) for y in data.y), 1.0)
    bare = Recursion(order, weights, np.zeros((width, known + 1)), farthest)
    return replace(bare, before=_beginning(bare, data)) if width else bare


def _beginning(bare: Recursion, data: Sequences) -> Values:
    """M, by least squares: what is told depends linearly on what stood before the first step."""
    outputs, ridge = data.y[0].shape[1], bare.order.ridge
    lengths = np.array([len(x) for x in data.x])
    T = int(min(np.quantile(lengths, 0.25, method="lower"), STARTING[0]))
    short = _short(data.pick(np.flatnonzero(lengths >= T)), T, STARTING[1])
    gap = np.stack(short.y) - np.stack(bare.told(short))  # [N, T, O]
    R = _responses(bare, T, data.x[0].shape[1])  # [Z, T, O]
    if max(np.abs(gap).max(), np.abs(R).max()) >= bare.farthest:
        return bare.before
    R = R.reshape(len(R), T * outputs)
    K = np.column_stack([short.known, np.ones(len(short.known))])
    inner, outer = R @ R.T, K.T @ K
    inner += np.eye(len(inner)) * (max(ridge, 1e-10) * np.trace(inner) / len(inner) + 1e-12)
    outer += np.eye(len(outer)) * (1e-10 * np.trace(outer) / len(outer) + 1e-12)
    left = np.linalg.solve(inner, R @ gap.reshape(len(gap), -1).T @ K)
    M: Values = np.linalg.solve(outer, left.T).T
    return M if np.isfinite(M).all() else bare.before


def _responses(bare: Recursion, T: int, inputs: int) -> Values:
    """What follows from a 1 in each place before the first step and nothing else, [Z, T, O]."""
    (p, q, ahead, _), outputs = bare.order, bare.weights.shape[1]
    Z = p * outputs + q * inputs
    past = np.eye(Z)
    still = bare.weights.copy()
    still[p * outputs + (ahead + 1 + q) * inputs :] = 0
    only, none = replace(bare, weights=still), np.zeros((Z, bare.before.shape[1] - 1))
    before = past[:, p * outputs :].reshape(Z, q, inputs)
    drive = only._drive(np.zeros((Z, T, inputs)), before, none)
    own = past[:, : p * outputs].reshape(Z, p, outputs)
    return _run(drive, own, only._feedback(), only.farthest)


def _run(drive: Values, past: Values, A: Values, farthest: float) -> Values:
    """`drive` [N, T, O] and its own values, p of them from `past` [N, p, O], the latest first."""
    N, p, outputs = past.shape
    if not p:
        return np.clip(drive, -farthest, farthest)
    y = np.empty_like(drive)
    recent = past.reshape(N, p * outputs).copy()
    for t in range(drive.shape[1]):
        now = np.clip(drive[:, t] + recent @ A, -farthest, farthest)
        recent = np.concatenate([now, recent[:, :-outputs]], 1)
        y[:, t] = now
    return y


def _padded(sequences: Sequence[Values]) -> tuple[Values, NDArray[np.int64]]:
    lengths = np.array([len(x) for x in sequences])
    whole = np.zeros((len(sequences), lengths.max(), sequences[0].shape[1]))
    for row, x in zip(whole, sequences, strict=True):
        row[: len(x)] = x
    return whole, lengths


def _of_like_length(sequences: Sequence[Values]) -> Iterator[NDArray[np.int64]]:
    """Their numbers, the longest first, so many together that little is padding."""
    lengths = np.array([len(x) for x in sequences])
    order = np.argsort(-lengths, kind="stable")
    at = 0
    while at < len(order):
        longest = lengths[order[at]]
        count = int((lengths[order[at:]] >= 0.7 * longest).sum())
        count = max(1, min(count, (1 << 20) // int(longest)))
        yield order[at : at + count]
        at += count
