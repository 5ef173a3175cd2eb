"""Fixed and slow points of a layer under a constant input, and how it moves around them.

A layer that reads the same x again and again is a map s → F(s) of its state s, all its states
together. Where F(s) = s it stays; around such a point it moves as its Jacobian says: eigenvalues
within the unit circle draw it in, those outside push it away, complex ones turn it. Slow points,
where |F(s) - s| has a minimum above zero, hold a network for a while.

Sussillo and Barak 2013, doi:10.1162/NECO_a_00409: minimise q(s) = |F(s) - s|² / 2 from many states
that the network was in. Here by damped Newton steps, Levenberg and Marquardt's, in float64.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from elman.errors import UserError
from elman.layers.scan import Direction, input_product
from elman.probe.measured import Measured
from elman.probe.opened import Pass

Floats = NDArray[np.float64]
Map = Callable[[Tensor], Tensor]  # states [N, D] → those one step later

LARGEST = 256  # units; a Newton step solves for (states × units)² numbers from every start
STARTS = 32
STEPS = 200  # Newton steps, at most
SECONDS = 30.0
FIXED = 1e-6  # a step's largest change of any number below which a point is fixed
SLOW = 0.1  # … and below which it is slow; faster minima are left out
SAME = 1e-3  # two points nearer than this, in every number, are one
CIRCLE = 1e-4  # of the unit circle, within which nothing is said of an eigenvalue
AT_ONCE = 1 << 20  # numbers of Jacobians made together
FAR = 1e6  # a state that has run away


@dataclass(frozen=True, eq=False)
class Point:
    """A fixed or a slow point: its state, and how the layer moves around it."""

    state: dict[str, Floats]  # by the names of the cell's states, [H] each
    speed: float  # Euclidean length of F(s) - s
    fixed: bool  # else slow
    eigenvalues: NDArray[np.complex128]  # of dF/ds, the largest first
    starts: int  # from how many states it was found

    @property
    def radius(self) -> float:
        """The spectral radius."""
        return float(abs(self.eigenvalues[0]))

    @property
    def unstable(self) -> int:
        """How many directions lead away from it."""
        return int((abs(self.eigenvalues) > 1 + CIRCLE).sum())

    @property
    def kind(self) -> str:
        """`stable`, `saddle`, `unstable`, or `marginal`: nothing leads away, but not all leads in.

        Around a marginal point lie others where the layer stays as well: a line of them, or a ring.
        """
        if self.unstable:
            return "unstable" if self.unstable == len(self.eigenvalues) else "saddle"
        return "marginal" if self.radius > 1 - CIRCLE else "stable"

    @property
    def steps_back(self) -> float:
        """Steps in which a small push falls to 1/e along the slowest direction; inf if never."""
        if self.radius >= 1 - CIRCLE:
            return float("inf")
        return float(-1 / np.log(self.radius)) if self.radius > 0 else 0.0

    @property
    def turn(self) -> float:
        """Steps of one turn along the slowest direction; inf where it does not turn."""
        angle = abs(float(np.angle(self.eigenvalues[0])))
        return 2 * np.pi / angle if angle > 1e-9 else float("inf")


@dataclass(frozen=True, eq=False)
class FixedPoints:
    """What was found for one layer and one input; fixed points first, then the slowest."""

    name: str  # of the layer
    points: tuple[Point, ...]
    tried: int  # states that were started from
    lost: int  # of them, those that ended nowhere: too fast a minimum, run away, out of time

    @property
    def fixed(self) -> list[Point]:
        return [point for point in self.points if point.fixed]

    def measured(self) -> list[Measured]:
        """Radii and speeds by point, for page and JSON."""
        axes, labels = ("point",), {"point": [point.kind for point in self.points]}
        tables = {
            "spectral radius": ("", [point.radius for point in self.points]),
            "speed": ("a step", [point.speed for point in self.points]),
            "starts": ("states", [float(point.starts) for point in self.points]),
        }
        return [
            Measured(
                f"{name} of fixed and slow points, {self.name}", np.array(values), unit, axes,
                self.tried, "states", labels=labels,
            )
            for name, (unit, values) in tables.items()
        ]  # fmt: skip

    def told(self) -> str:
        """What was found, in a sentence or two."""
        met = f"of {self.tried} states tried, {self.tried - self.lost} led to one"
        if not self.points:
            return f"{self.name}: no fixed or slow point was found ({met})."
        kinds = [p.kind if p.fixed else "slow" for p in self.points]
        counts = [f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)]
        line = f"{self.name}, its input held constant: {', '.join(counts)} ({met})."
        stable = [p for p in self.fixed if p.kind == "stable"]
        if len(stable) == 1 and len(self.points) == 1:
            line += (
                " It has one place to rest, as far as was found, and so keeps nothing for ever; "
                f"near there small differences fade to 1/e in {stable[0].steps_back:.3g} steps."
            )
        elif len(stable) > 1:
            line += f" It can rest in {len(stable)} places, and so keep which of them it is in."
        elif any(p.kind == "marginal" for p in self.fixed):
            line += " Around a marginal one it rests wherever it is, and so keeps a quantity."
        return line


def of_layer(
    seen: Pass, x: Tensor | None = None, *, starts: int = STARTS, seed: int = 0,
    seconds: float = SECONDS,
) -> FixedPoints:  # fmt: skip
    """Fixed and slow points of a layer that reads `x` [I] at every step; its mean input if None.

    It is started from so many of the states that it was in, drawn by `seed`.
    UserError: more than 256 units, an input of another size.
    """
    if seen.hidden_size > LARGEST:
        raise UserError(
            f"fixed points of {seen.hidden_size} units would take too long; at most {LARGEST} units"
        )
    read = seen.x.flatten(0, -2)
    x = read.mean(0) if x is None else x
    if x.shape != read.shape[1:]:
        raise UserError(f"{seen.name} reads vectors of {read.shape[1]}, got {list(x.shape)}")
    doubled = dataclasses.replace(seen, direction=_doubled(seen.direction))
    cell = seen.cell
    with torch.no_grad():
        Wx = input_product(cell, doubled.direction, _double(x).unsqueeze(0))  # [1, G*H]
        met = torch.cat(
            [seen.values(name)[seen.rows.alive.to(read.device)] for name in cell.states], -1
        )
    draw = torch.Generator().manual_seed(seed)
    first = _double(met)[torch.randperm(len(met), generator=draw)[:starts]]

    def step(s: Tensor) -> Tensor:
        parts = torch.chunk(s, len(cell.states), -1)
        return torch.cat(doubled.advance(Wx.expand(len(s), -1), parts), -1)

    found = search(step, first, seconds=seconds)
    points = []
    for point in found.points:
        parts = np.split(point.state["s"], len(cell.states))
        points.append(dataclasses.replace(point, state=dict(zip(cell.states, parts, strict=True))))
    return dataclasses.replace(found, name=seen.name, points=tuple(points))


def search(step: Map, starts: Tensor, *, seconds: float = SECONDS) -> FixedPoints:
    """Fixed and slow points of any map of rows, `step` [N, D] → [N, D], from `starts` [N, D].

    `step` is made of PyTorch's operators and works row by row; float64. Each point's state bears
    the name `s`.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        s, settled = _minimised(step, starts.double().clone(), time.monotonic() + seconds)
        change = step(s) - s
        size = change.abs().amax(-1)
        usable = settled & size.isfinite() & (s.abs().amax(-1) < FAR) & (size < SLOW)
        groups = _distinct(s, size, usable)
        J = jacobian(step, s[[group[0] for group in groups]]) if groups else s.new_zeros(0)
    points = []
    for k, group in enumerate(groups):
        values = np.linalg.eigvals(J[k].numpy())
        points.append(
            Point(
                state={"s": s[group[0]].numpy()},
                speed=float(change[group[0]].norm()),
                fixed=bool(size[group[0]] <= FIXED),
                eigenvalues=values[np.argsort(-abs(values), kind="stable")].astype(complex),
                starts=len(group),
            )
        )
    return FixedPoints("map", tuple(points), len(starts), len(starts) - int(usable.sum()))


def jacobian(step: Map, s: Tensor) -> Tensor:
    """dF/ds at each row of `s` [N, D] → [N, D, D]."""
    at_once = max(1, AT_ONCE // s.shape[1] ** 2)
    return torch.cat([_jacobian(step, rows) for rows in torch.split(s, at_once)])


def _jacobian(step: Map, s: Tensor) -> Tensor:
    """By one pass backward: each row stands D times, once for each number that comes out of it."""
    N, D = s.shape
    with torch.enable_grad():
        often = s.detach().repeat_interleave(D, 0).requires_grad_()
        each = step(often).view(N, D, D).diagonal(dim1=1, dim2=2)
        (slopes,) = torch.autograd.grad(each.sum(), often)
    return slopes.view(N, D, D)


def _minimised(step: Map, s: Tensor, until: float) -> tuple[Tensor, Tensor]:
    """Each row moved to a minimum of |F(s) - s|², and which rows came to one."""
    N, D = s.shape
    damping = s.new_full((N,), 1e-2)
    settled = torch.zeros(N, dtype=torch.bool)
    rows = torch.arange(N)
    eye = torch.eye(D, dtype=s.dtype)
    for _ in range(STEPS):
        if not len(rows) or time.monotonic() > until:
            break
        now = s[rows]
        r = step(now) - now
        A = jacobian(step, now) - eye
        slope = torch.einsum("nij,ni->nj", A, r)
        normal = A.mT @ A + damping[rows, None, None] * eye
        move = -torch.linalg.solve(normal, slope)
        tried = now + move
        off = step(tried) - tried
        better = off.square().sum(-1) < r.square().sum(-1)
        s[rows[better]] = tried[better]
        damping[rows] = torch.where(better, damping[rows] / 10, damping[rows] * 10).clamp(min=1e-12)
        left = torch.where(better[:, None], off, r).abs().amax(-1)
        rests = (left <= 1e-12) | (slope.abs().amax(-1) <= 1e-12) | (damping[rows] > 1e8)
        rests |= better & (move.abs().amax(-1) <= 1e-10 * (1 + now.abs().amax(-1)))
        gone = ~left.isfinite() | (tried.abs().amax(-1) > FAR)
        settled[rows[rests & ~gone]] = True
        rows = rows[~(rests | gone)]
    return s, settled


def _distinct(s: Tensor, size: Tensor, usable: Tensor) -> list[list[int]]:
    """Rows that are one point, together; of each the slowest first, and the slowest point first."""
    groups: list[list[int]] = []
    for k in sorted(usable.nonzero().flatten().tolist(), key=lambda k: float(size[k])):
        for group in groups:
            if bool(((s[k] - s[group[0]]).abs() <= SAME).all()):
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def _doubled(direction: Direction) -> Direction:
    def each(value: Tensor | Sequence[Tensor] | None) -> object:
        if value is None or isinstance(value, Tensor):
            return None if value is None else _double(value)
        return tuple(_double(v) for v in value)

    return Direction(**{name: each(value) for name, value in vars(direction).items()})  # type: ignore[arg-type]


def _double(x: Tensor) -> Tensor:
    return x.detach().to("cpu", torch.float64)
