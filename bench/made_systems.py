"""Systems made by formula, to be regressed: python bench/made_systems.py FOLDER

Each is an .npz of x [N, T, I] and y [N, T, O] or [N, O]; nothing in them was measured.

- wiener-hammerstein: a filter of order 3, a bend (tanh of 2 v), a filter of order 2; noise of 1 %.
- lorenz: the place after 0.05 s from the place now, of the system of Lorenz 1963.
- adding: the sum of the two numbers that are marked among 50 (Hochreiter and Schmidhuber 1997).
- linear: a system of order 2 with noise of 5 %: nothing can be better than a linear recursion.
- noise: inputs, and targets that have nothing to do with them.
- few: 30 sequences of the first system.
- many: 500,000 times 8 numbers, and how many of them are above the one before.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def filtered(x: Values, poles: NDArray[Any], gain: float) -> Values:
    """x [N, T] through y_t = Σ_j a_j y_{t-j} + gain x_t, whose poles these are."""
    a = -np.poly(poles).real[1:]
    y = np.zeros((x.shape[0], x.shape[1] + len(a)))
    for t in range(x.shape[1]):
        y[:, len(a) + t] = y[:, t : t + len(a)][:, ::-1] @ a + gain * x[:, t]
    return y[:, len(a) :]


def held(draw: np.random.Generator, sequences: int, steps: int) -> Values:
    """Inputs that keep a value for 3 to 12 steps, [N, T]."""
    rows = []
    for _ in range(sequences):
        lengths = draw.integers(3, 13, size=steps)
        rows.append(np.repeat(draw.uniform(-1, 1, steps), lengths)[:steps])
    return np.stack(rows)


def wiener_hammerstein(draw: np.random.Generator, sequences: int) -> tuple[Values, Values]:
    x = held(draw, sequences, 200)
    v = filtered(x, np.array([0.8, 0.6 + 0.3j, 0.6 - 0.3j]), 0.05)
    y = filtered(np.tanh(2 * v / v.std()), np.array([0.7, 0.4]), 0.2)
    y += 0.01 * y.std() * draw.normal(size=y.shape)
    return x[..., None], y[..., None]


def lorenz(draw: np.random.Generator, sequences: int) -> tuple[Values, Values]:
    step, places = 0.01, [draw.normal(size=(sequences, 3)) * 5 + [0, 0, 25]]

    def slope(p: Values) -> Values:
        x, y, z = p.T
        return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], 1)

    for _ in range(1_500):
        p = places[-1]
        k1 = slope(p)
        k2 = slope(p + step / 2 * k1)
        k3 = slope(p + step / 2 * k2)
        k4 = slope(p + step * k3)
        places.append(p + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    whole = np.stack(places[500::5], 1)
    return whole[:, :-1], whole[:, 1:]


def adding(draw: np.random.Generator, sequences: int) -> tuple[Values, Values]:
    numbers, marks = draw.uniform(size=(sequences, 50)), np.zeros((sequences, 50))
    rows = np.arange(sequences)
    first, second = draw.integers(0, 25, sequences), draw.integers(25, 50, sequences)
    marks[rows, first] = marks[rows, second] = 1
    return np.stack([numbers, marks], -1), (numbers * marks).sum(1)[:, None]


def linear(draw: np.random.Generator, sequences: int) -> tuple[Values, Values]:
    x = held(draw, sequences, 100)
    y = filtered(x, np.array([0.9, 0.5]), 0.1)
    y += 0.05 * y.std() * draw.normal(size=y.shape)
    return x[..., None], y[..., None]


def noise(draw: np.random.Generator, sequences: int) -> tuple[Values, Values]:
    x = held(draw, sequences, 50)
    return x[..., None], draw.normal(size=(*x.shape, 1))


def many(draw: np.random.Generator, sequences: int) -> tuple[Values, Values]:
    x = draw.normal(size=(sequences, 8))
    return x[..., None], (np.diff(x) > 0).sum(1)[:, None].astype(np.float64)


SYSTEMS = {
    "wiener-hammerstein": (wiener_hammerstein, 200),
    "lorenz": (lorenz, 100),
    "adding": (adding, 5_000),
    "linear": (linear, 200),
    "noise": (noise, 200),
    "few": (wiener_hammerstein, 30),
    "many": (many, 500_000),
}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, (made, sequences)) in enumerate(SYSTEMS.items()):
        x, y = made(np.random.default_rng((7, number)), sequences)
        np.savez_compressed(folder / f"{name}.npz", x=x, y=y)
        print(f"{name}: x {list(x.shape)}, y {list(y.shape)}")
