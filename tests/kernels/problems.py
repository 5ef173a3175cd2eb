"""A layer drawn at random, run by the sweeps and by the reference, and how far those are apart."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import torch
from hypothesis import assume, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import cells, kernels
from elman.kernels import sweeps
from elman.kernels.sweeps import HALF, SINGLE, Input, Inside, Numbers
from elman.layers.fused import sweep
from elman.layers.scan import Stepwise

if os.environ.get("ELMAN_REQUIRE_KERNELS"):
    assert kernels.instruction_sets(), "the extension was not built, and CI asks for it"
needs_kernels = pytest.mark.skipif(
    not kernels.instruction_sets(), reason="the extension was not built"
)

HIDDEN, BATCH, TIME = (1, 7, 33, 100, 257), (1, 3, 17), (1, 2, 31)
# A sum of K float32 products of size about 1 is off by about √K units of 6e-8, and each step hands
# its error on: 1e-5 of the largest value holds for 257 terms and 31 steps, and no bug is so small.
BOUND = 1e-5
# bf16 has 8 bits, so operands are off by 2^-9. Sums of their products lose less than the largest of
# them does, but each step rounds the state anew, and hands that on.
HALF_BOUND = 3e-2
I = 37

FORMS = ("rows", "product", "table")
forms = st.sampled_from(FORMS)
parts = ("mask", "norm", "zoneout", "zoneout in evaluation")
what_sits_inside = st.sets(st.sampled_from(parts), min_size=1)

every_cell = pytest.mark.parametrize("cell", sweeps.GATES)
SETS = (*kernels.instruction_sets(), *kernels.half_instruction_sets())
every_set = pytest.mark.parametrize("instruction_set", SETS)
every_half = pytest.mark.parametrize("instruction_set", kernels.half_instruction_sets())
sizes = st.tuples(st.sampled_from(TIME), st.sampled_from(BATCH), st.sampled_from(HIDDEN))
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=12)


def numbers_of(instruction_set: str | None) -> Numbers:
    return HALF if instruction_set in kernels.half_instruction_sets() else SINGLE


def bound_of(instruction_set: str) -> float:
    return HALF_BOUND if numbers_of(instruction_set) is HALF else BOUND


@contextmanager
def running(instruction_set: str | None) -> Iterator[None]:
    """Sweeps of this set; for one thread at a time, but where it is the one that runs anyway."""
    if instruction_set is None:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeps, "which", lambda asked, half=False: asked or instruction_set)
        yield


@dataclass(frozen=True)
class Problem:
    """One layer in one direction, what sits inside it, and the gradients that come in."""

    cell: str
    sizes: Tensor  # [T]
    reverse: bool
    input: Input
    R: Tensor
    bias_ih: Tensor
    bias_hh: Tensor
    inside: Inside
    state: tuple[Tensor, ...]
    dy: Tensor
    dstate: tuple[Tensor, ...]

    @classmethod
    def draw(
        cls,
        cell: str,
        size: tuple[int, int, int],
        seed: int,
        packed: bool = False,
        reverse: bool = False,
        form: str = "product",
        inside: Collection[str] = (),
    ) -> Problem:
        T, B, H = size
        g = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, T + 1, (B,), generator=g) if packed else torch.full((B,), T)
        alive = (lengths[None] > torch.arange(int(lengths.max()))[:, None]).sum(1)
        N, G, count = int(alive.sum()), sweeps.GATES[cell], len(cells.get(cell).states)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=g)

        def share(*shape: int) -> Tensor:
            return torch.rand(shape, generator=g).mul(3).sub(1).clamp(0, 1)  # 0, 1, and between

        inputs = {
            "rows": Input(normal(N, G * H)),
            "product": Input(normal(N, I), normal(G * H, I)),
            "table": Input(normal(9, G * H), ids=torch.randint(0, 9, (N,), generator=g)),
        }
        keeps = {"zoneout": N, "zoneout in evaluation": 1}
        keep = [tuple(share(keeps[k], H) for _ in range(count)) for k in keeps if k in inside]
        return cls(
            cell,
            alive,
            reverse,
            inputs[form],
            normal(G * H, H) / (2 * H**0.5),  # a stable recurrence, also with relu
            normal(G * H),
            normal(G * H),
            Inside(
                share(B, H) * 2 if "mask" in inside else None,
                normal(G * H) / 2 if "norm" in inside else None,
                keep[0] if keep else None,
            ),
            tuple(normal(B, H) for _ in range(count)),
            normal(N, H),
            tuple(normal(B, H) for _ in range(count)),
        )

    def run(self, instruction_set: str | None = None) -> tuple[Tensor, ...]:
        """y, the last states, and the gradients of all that has one."""

        def ours(stepwise: Stepwise, leaves: list[Tensor | None]) -> tuple[Tensor, ...]:
            x, W, R, bias_ih, bias_hh, norm, *state = leaves
            assert x is not None and R is not None
            inside = Inside(stepwise.mask, norm, stepwise.keep)
            numbers = numbers_of(instruction_set)
            with running(instruction_set):
                y, final = sweep(
                    self.cell, Input(x, W, stepwise.ids), self.sizes, cast(Any, tuple(state)),
                    R, bias_ih, bias_hh, inside, stepwise, reverse=self.reverse, numbers=numbers,
                )  # fmt: skip
                return self._with_gradients((y, *final), leaves)

        return ours(*self._leaves(torch.float32))

    def reference(self) -> tuple[Tensor, ...]:
        """The same by the cell's own equations in float64."""
        stepwise, leaves = self._leaves(torch.float64)
        return self._with_gradients(stepwise(*cast(Any, leaves)), leaves)

    def check(self, instruction_set: str, bound: float) -> None:
        """The sweep against the reference.

        relu's slope jumps at zero: where the exact gradients themselves jump with a change as small
        as float32's rounding, there is nothing to compare. bf16 rounds each row of the gradients
        before they are summed: where the rows of a sum cancel, what is left of it is no better
        than the rounding of its terms.
        """
        exact = self.reference()
        ours = self.run(instruction_set)
        if numbers_of(instruction_set) is HALF:  # some recurrences amplify whatever is rounded
            bound += 4 * far(replace(self, R=self._rounded(4e-3, 0).R).reference(), exact)
            if not _is_close(ours, exact, bound):
                bound += 2 * max(
                    far(self._with_rounded_rows(2**-9, seed).reference(), exact)
                    for seed in range(8)
                )
        if self.cell == "rnn-relu" and not _is_close(ours, exact, bound):
            rounding = 1.2e-2 if numbers_of(instruction_set) is HALF else 4e-7
            for seed in range(8):
                assume(_is_close(self._rounded(rounding, seed).reference(), exact, bound))
        close(ours, exact, bound)

    def _rounded(self, rounding: float, seed: int) -> Problem:
        """The same with other digits at the end of the matrices that it multiplies by."""
        shift, W = _shift(rounding, seed), self.input.W
        R = shift(self.R)
        return replace(self, R=R, input=self.input._replace(W=None if W is None else shift(W)))

    def _with_rounded_rows(self, rounding: float, seed: int) -> Problem:
        """The same with other digits at the end of the gradients that come in."""
        return replace(self, dy=_shift(rounding, seed)(self.dy))

    def _leaves(self, dtype: torch.dtype) -> tuple[Stepwise, list[Tensor | None]]:
        x, W, ids = self.input
        mask, norm, keep = self.inside
        stepwise = Stepwise(
            cells.get(self.cell),
            self.sizes,
            ids,
            None if mask is None else mask.to(dtype),
            None if keep is None else tuple(k.to(dtype) for k in keep),
            SINGLE,
            self.reverse,
        )
        all = (x, W, self.R, self.bias_ih, self.bias_hh, norm, *self.state)
        return stepwise, [
            None if t is None else t.to(dtype, copy=True).requires_grad_() for t in all
        ]

    def _with_gradients(
        self, outputs: tuple[Tensor, ...], inputs: list[Tensor | None]
    ) -> tuple[Tensor, ...]:
        leaves = [t for t in inputs if t is not None]
        dys = (self.dy, *self.dstate)
        given = [d.to(y.dtype) for d, y in zip(dys, outputs, strict=True)]
        return *outputs, *torch.autograd.grad(outputs, leaves, given)

    def sequential(self, results: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Those of the results that the sweep makes: y, the states and what comes back from them.

        The gradients of weights and biases are PyTorch's sums over all rows.
        """
        count = len(self.state)
        return *results[: 2 + count], *results[-count:]


def _shift(rounding: float, seed: int) -> Callable[[Tensor], Tensor]:
    """Changes each number by about that share of it."""
    g = torch.Generator().manual_seed(seed)
    return lambda matrix: matrix * (1 + rounding * torch.randn(matrix.shape, generator=g))


def _is_close(ours: tuple[Tensor, ...], exact: tuple[Tensor, ...], bound: float) -> bool:
    try:
        close(ours, exact, bound)
    except AssertionError:
        return False
    return True


def error(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item() / (1 + b.abs().max().item())


def far(ours: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> float:
    return max(error(a, b) for a, b in zip(ours, exact, strict=True))


def close(ours: tuple[Tensor, ...], exact: tuple[Tensor, ...], bound: float = BOUND) -> None:
    assert len(ours) == len(exact)
    for a, b in zip(ours, exact, strict=True):
        assert a.shape == b.shape
        assert error(a, b) < bound  # NaN is not
