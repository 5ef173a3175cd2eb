"""The sweeps against the reference in float64, through every edge that they have."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import cells, kernels
from elman.kernels import sweeps
from elman.kernels.sweeps import HALF, SINGLE, Input, Inside, Numbers
from elman.layers.fused import sweep
from elman.layers.scan import Direction, Stepwise, _full, choose, reference, scan, swept

if os.environ.get("ELMAN_REQUIRE_KERNELS"):
    assert kernels.instruction_sets(), "the extension was not built, and CI asks for it"
pytestmark = pytest.mark.skipif(
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


@pytest.fixture(autouse=True)
def poison() -> Iterator[None]:
    """Memory that was never written is NaN, and the number of threads is as before."""
    threads = torch.get_num_threads()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    assert filled  # PyTorch's default; it acts in deterministic mode
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


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


@every_cell
@every_set
@some
@given(sizes, seeds, st.booleans(), st.booleans(), forms)
def test_a_sweep_is_the_reference(
    instruction_set: str,
    cell: str,
    size: tuple[int, int, int],
    seed: int,
    packed: bool,
    reverse: bool,
    form: str,
) -> None:
    problem = Problem.draw(cell, size, seed, packed, reverse, form)
    problem.check(instruction_set, bound_of(instruction_set))


@every_cell
@every_set
@some
@given(sizes, seeds, st.booleans(), st.booleans(), forms, what_sits_inside)
def test_with_anything_inside_it_is_the_reference(
    instruction_set: str,
    cell: str,
    size: tuple[int, int, int],
    seed: int,
    packed: bool,
    reverse: bool,
    form: str,
    inside: set[str],
) -> None:
    if "norm" in inside and size[2] < 7:
        return  # one value is normed to zero, and its scale amplifies nothing but rounding
    problem = Problem.draw(cell, size, seed, packed, reverse, form, inside)
    # Few values may lie close together by chance: then layer norm amplifies their rounding.
    few = "norm" in inside and size[2] < 33
    bound = bound_of(instruction_set)
    problem.check(instruction_set, 100 * bound if few else bound)


@every_cell
@every_set
@pytest.mark.parametrize("batch", [2, 17, 40])  # rows too few to share, and enough
@pytest.mark.parametrize("reverse", [False, True])
def test_threads_change_no_bit(instruction_set: str, cell: str, reverse: bool, batch: int) -> None:
    for packed in (False, True):
        size, form = (31, batch, 257 if batch == 2 else 100), "rows" if batch < 40 else "product"
        problem = Problem.draw(cell, size, 0, packed, reverse, form, {"mask", "zoneout"})
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(problem.sequential(problem.run(instruction_set)))
        for other in results[1:]:
            assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@every_set
def test_rows_of_a_large_batch_are_those_of_a_small_one(instruction_set: str) -> None:
    whole = Problem.draw("lstm", (2, 300, 33), 1, form="rows")  # more rows than one job takes
    y, h, c, *_ = whole.run(instruction_set)
    rows = slice(131, 136)
    part = sweeps.forward(
        "lstm",
        Input(whole.input.x.view(2, 300, -1)[:, rows].reshape(10, -1)),
        torch.full((2,), 5),
        tuple(s[rows].contiguous() for s in whole.state),
        whole.R,
        whole.bias_ih + whole.bias_hh,
        numbers=numbers_of(instruction_set),
        instruction_set=instruction_set,
    )
    assert torch.equal(part.y.view(2, 5, -1), y.view(2, 300, -1)[:, rows])
    assert torch.equal(part.state[0], h[rows]) and torch.equal(part.state[1], c[rows])


@every_cell
@pytest.mark.parametrize("form", FORMS)
def test_training_changes_no_bit_and_no_input(cell: str, form: str) -> None:
    p = Problem.draw(cell, (3, 40, 7), 2, form=form, inside={"zoneout"})
    before = p.input.x.clone()
    n = p.bias_hh[-7:].clone() if cell == "gru" else None
    arguments = (p.input, p.sizes, p.state, p.R, p.bias_ih, n, p.inside)
    alone = sweeps.forward(cell, *arguments)
    assert alone.kept is None
    stored = sweeps.forward(cell, *arguments, store=True)
    assert torch.equal(alone.y, stored.y) and torch.equal(p.input.x, before)


@pytest.mark.parametrize("instruction_set", kernels.instruction_sets())
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_activations_within_4_units_of_the_last_place(instruction_set: str, name: str) -> None:
    patterns = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32)  # NaN, inf, denormals
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 9.02, 88.0, 3.4e38]
    x = np.concatenate([patterns.view(np.float32), np.array(edges, np.float32)])
    y = sweeps.activate(name, torch.from_numpy(x), instruction_set).numpy().astype(np.float64)
    with np.errstate(all="ignore"):
        a = x.astype(np.float64)
        exact = np.tanh(a) if name == "tanh" else 1 / (1 + np.exp(-a))
        unit = np.spacing(np.abs(exact).astype(np.float32))
    smallest = 2.0**-126  # below it lie the denormals, which may become zero
    with np.errstate(invalid="ignore"):
        assert np.array_equal(np.isnan(y), np.isnan(x))
        error = np.abs(y - exact)[~np.isnan(x)]
    allowed = np.maximum(4 * unit[~np.isnan(x)], smallest)
    assert (error <= allowed).all()


@every_half
@pytest.mark.parametrize("name", ["tanh", "sigmoid"])
def test_activations_of_bf16_are_off_by_a_ten_thousandth_of_themselves(
    instruction_set: str, name: str
) -> None:
    patterns = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32)
    edges = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, 9.02, 88.0, 3.4e38]
    x = np.concatenate([patterns.view(np.float32), np.array(edges, np.float32)])
    y = sweeps.activate(name, torch.from_numpy(x), instruction_set, HALF).numpy()
    with np.errstate(all="ignore"):
        a = x.astype(np.float64)
        exact = np.tanh(a) if name == "tanh" else 1 / (1 + np.exp(-a))
    assert np.array_equal(np.isnan(y), np.isnan(x))
    known = ~np.isnan(x)
    error = np.abs(y.astype(np.float64) - exact)[known]
    assert (error <= 1e-4 * np.abs(exact[known]) + 2.0**-126).all()


def layer(cell: str, I: int, H: int) -> Direction:
    G = sweeps.GATES[cell]
    weights = [torch.randn(G * H, I), torch.randn(G * H, H) / (2 * H**0.5)]
    biases = [torch.randn(G * H), torch.randn(G * H)]
    return Direction(*(w.requires_grad_() for w in (*weights, *biases)))


@every_cell
@some
@given(sizes, seeds, st.booleans(), st.booleans(), st.booleans())
def test_a_layer_is_the_reference(
    cell: str, size: tuple[int, int, int], seed: int, packed: bool, both: bool, bias: bool
) -> None:
    T, B, H = size
    torch.manual_seed(seed)
    directions = [layer(cell, I, H) for _ in range(1 + both)]
    if not bias:
        directions = [Direction(d.weight_ih, d.weight_hh) for d in directions]
    lengths = torch.randint(1, T + 1, (B,)) if packed else torch.full((B,), T)
    alive = (lengths[None] > torch.arange(int(lengths.max()))[:, None]).sum(1)
    x = torch.randn(int(alive.sum()), I)
    if not packed:
        x = x.view(B, T, I).transpose(0, 1)  # not contiguous
    state = tuple(torch.randn(1 + both, B, H) for _ in cells.get(cell).states)
    results = []
    for dtype, ours in ((torch.float32, True), (torch.float64, False)):
        cast = [
            Direction(**{n: w.detach().to(dtype) for n, w in vars(d).items() if w is not None})
            for d in directions
        ]
        leaves = [x.to(dtype), *(s.to(dtype) for s in state)]
        leaves += [w for d in cast for w in vars(d).values() if w is not None]
        for leaf in leaves:
            leaf.requires_grad_()
        xs, ss = leaves[0], tuple(leaves[1 : 1 + len(state)])
        rest = (xs, alive if packed else None, ss, cast)
        y, final = swept(cell, *rest) if ours else reference(cells.get(cell), *rest)
        outputs = (y, *final)
        ones = [torch.cos(torch.arange(o.numel())).view(o.shape).to(dtype) for o in outputs]
        results.append((*outputs, *torch.autograd.grad(outputs, leaves, ones)))
    close(results[0], results[1])


def test_a_graph_may_be_kept_and_used_twice() -> None:
    torch.manual_seed(0)
    d = layer("gru", I, 6)
    x, h = torch.randn(4, 3, I, requires_grad=True), torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("gru"), x, None, (h,), [d])
    first = torch.autograd.grad(y.sum(), x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(y.sum(), x)[0])


def test_a_weight_of_two_uses_has_the_sum_of_both_gradients() -> None:
    torch.manual_seed(0)
    W = torch.randn(6, 6, requires_grad=True)
    bias = torch.randn(6, requires_grad=True)
    x, h = torch.randn(20, 30, 6), torch.randn(1, 30, 6)
    y, _ = scan(cells.get("rnn"), x, None, (h,), [Direction(W, W, bias, bias)])
    once = torch.autograd.grad(y.square().sum(), (W, bias), retain_graph=True)
    again = torch.autograd.grad(y.square().sum(), (W, bias), create_graph=True)
    close(again, once)


def test_tokens_changed_before_backward_are_noticed() -> None:
    ids = torch.randint(0, I, (4, 3))
    zero = torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("lstm"), ids, None, (zero, zero), [layer("lstm", I, 6)])
    ids.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.backward(y.sum())


def test_many_gradients_at_once_are_those_one_by_one() -> None:
    torch.manual_seed(0)
    x, zero = torch.randn(4, 3, I, requires_grad=True), torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("gru"), x, None, (zero,), [layer("gru", I, 6)])
    dys = torch.randn(5, *y.shape)
    (at_once,) = torch.autograd.grad(y, x, dys, is_grads_batched=True, retain_graph=True)
    one_by_one = [torch.autograd.grad(y, x, dy, retain_graph=True)[0] for dy in dys]
    close((at_once,), (torch.stack(one_by_one),))


@every_cell
def test_types_and_devices_of_the_moment_do_not_matter(cell: str) -> None:
    torch.manual_seed(0)
    d, x = layer(cell, I, 6), torch.randn(4, 3, I)
    state = tuple(torch.zeros(1, 3, 6) for _ in cells.get(cell).states)
    expected, _ = scan(cells.get(cell), x, None, state, [d])
    _full.cache_clear()
    try:
        torch.set_default_dtype(torch.float64)
        with torch.device("meta"):
            y, _ = scan(cells.get(cell), x, None, state, [d])
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(y, expected)


def test_an_empty_batch_gives_an_empty_output() -> None:
    y, (h,) = scan(
        cells.get("gru"), torch.zeros(4, 0, I), None, (torch.zeros(1, 0, 6),), [layer("gru", I, 6)]
    )
    assert y.shape == (4, 0, 6) and h.shape == (1, 0, 6)


def test_only_what_is_asked_has_a_gradient() -> None:
    torch.manual_seed(0)
    d = layer("lstm", I, 6)
    assert d.weight_hh is not None
    frozen = Direction(d.weight_ih.detach(), d.weight_hh.detach())
    zero = torch.zeros(1, 3, 6)
    c = torch.randn(1, 3, 6, requires_grad=True)
    _, (_, last) = scan(cells.get("lstm"), torch.randn(4, 3, I), None, (zero, c), [frozen])
    (gradient,) = torch.autograd.grad(last.sum(), c)
    assert gradient.isfinite().all()
    y, _ = scan(cells.get("lstm"), torch.randn(4, 3, I), None, (zero, zero), [frozen])
    assert not y.requires_grad


@every_cell
def test_a_gradient_has_a_gradient(cell: str) -> None:
    torch.manual_seed(0)
    one, x = layer(cell, I, 6), torch.randn(4, 3, I)
    state = tuple(torch.randn(1, 3, 6) for _ in cells.get(cell).states)
    found = []
    for dtype in (torch.float32, torch.float64):
        weights = {n: w.detach().to(dtype) for n, w in vars(one).items() if w is not None}
        leaves = [x.to(dtype), *weights.values()]
        for leaf in leaves:
            leaf.requires_grad_()
        initial = tuple(s.to(dtype) for s in state)
        y, final = scan(cells.get(cell), leaves[0], None, initial, [Direction(**weights)])
        first = torch.autograd.grad(y.sin().sum() + final[-1].sum(), leaves, create_graph=True)
        squares = torch.stack([d.square().sum() for d in first]).sum()
        found.append(torch.autograd.grad(squares, leaves))
    close(found[0], found[1])


def test_weights_changed_before_backward_are_noticed() -> None:
    d = layer("lstm", I, 6)
    zero = torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("lstm"), torch.randn(4, 3, I), None, (zero, zero), [d])
    with torch.no_grad():
        d.weight_hh.mul_(2)  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(y.sum(), d.weight_ih)


def test_what_does_not_fit_is_refused_before_it_is_read() -> None:
    p = Problem.draw("lstm", (3, 4, 7), 3, form="rows")
    Wx = p.input.x
    wide = torch.zeros(7, 28).T
    for changes, message in (
        ({"input": Input(Wx.double())}, "Wx must be float32"),
        ({"input": Input(Wx[:, :-1].contiguous())}, r"Wx must be contiguous \[12, 28\]"),
        ({"input": Input(Wx, torch.zeros(28, 27))}, r"x must be contiguous \[12, 27\]"),
        ({"input": Input(Wx, ids=torch.zeros(12))}, "ids must be int64"),
        ({"inside": Inside(torch.zeros(4, 6))}, r"mask must be contiguous \[4, 7\]"),
        ({"inside": Inside(norm=torch.zeros(7))}, r"norm must be contiguous \[28\]"),
        ({"inside": Inside(keep=(torch.zeros(1, 7),))}, "2 states, got 1 shares"),
        ({"R": wide}, "not contiguous"),
        ({"state": p.state[:1]}, "2 states, got 1"),
        ({"sizes": p.sizes.int()}, "int64"),
        ({"sizes": torch.tensor([4, 3, 4])}, "never grow"),
        ({"sizes": torch.tensor([4, 4, 0])}, "stay above 0"),
        ({"sizes": torch.tensor([4, 4])}, "sum to the number of rows"),
    ):
        given: dict[str, Any] = {"input": p.input, "sizes": p.sizes, "state": p.state, "R": p.R}
        with pytest.raises(ValueError, match=message):
            sweeps.forward("lstm", **(given | changes))
    with pytest.raises(IndexError, match="out of range"):
        outside = Input(Wx, ids=torch.tensor([0, 12] * 6))
        sweeps.forward("lstm", outside, p.sizes, p.state, p.R)


def test_the_choice_follows_type_and_mode() -> None:
    d = layer("lstm", I, 6)
    assert "Elman" in choose(cells.get("lstm"), [d]).why
    double = Direction(*(w.double() for w in vars(d).values() if w is not None))
    assert "float64" in choose(cells.get("lstm"), [double]).why
    with torch.autocast("cpu", torch.float16):
        assert "autocast" in choose(cells.get("lstm"), [d]).why
    with torch.autocast("cpu", torch.bfloat16):
        half = choose(cells.get("lstm"), [d])
    if kernels.available_half().instruction_set:
        assert half.numbers is HALF and "in bf16" in half.why
    else:
        assert not isinstance(half.kernel, str) and kernels.available_half().why in half.why


def test_two_threads_at_once_do_not_disturb_each_other() -> None:
    torch.set_num_threads(2)
    problems = [Problem.draw("gru", (31, 17, 100), seed, True, False) for seed in range(2)]
    expected = [p.run() for p in problems]
    wrong: list[int] = []

    def again(k: int) -> None:
        for _ in range(5):
            result = problems[k].run()
            if not all(torch.equal(a, b) for a, b in zip(result, expected[k], strict=True)):
                wrong.append(k)

    threads = [threading.Thread(target=again, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


FORKING = """
import os, sys, torch
from elman.kernels import sweeps
torch.set_num_threads(2)
Wx, h, R = torch.randn(64 * 32, 64), torch.zeros(32, 64), torch.randn(64, 64)
sizes = torch.full((64,), 32)
# Not torch.equal: PyTorch's own parallel operators do not survive a fork.
run = lambda: sweeps.forward("rnn", sweeps.Input(Wx), sizes, (h,), R).y.numpy().tobytes()
big = torch.randn(500, 500)
before = run()
torch.set_num_threads(1)
alone = run()
torch.set_num_threads(2)
child = os.fork()
if child == 0:
    os._exit(0 if run() == (before or alone) else 3)
assert os.waitpid(child, 0)[1] == 0
assert run() == alone
"""


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    gc.collect()
    command = [sys.executable, "-c", program]
    whole = os.environ | environment
    return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("first", ["before = run()", "before = None; big @ big"])
def test_a_forked_child_sweeps_too(first: str) -> None:
    done = python(FORKING.replace("before = run()", first))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("asked", ["off", *kernels.instruction_sets()])
def test_the_environment_chooses(asked: str) -> None:
    program = "from elman import kernels; print(kernels.available())"
    done = python(program, ELMAN_KERNELS=asked)
    name = None if asked == "off" else asked
    assert f"instruction_set={name!r}, why='ELMAN_KERNELS is {asked}'" in done.stdout


def test_an_unknown_choice_is_told() -> None:
    done = python("from elman import kernels; kernels.available()", ELMAN_KERNELS="mmx")
    assert 'UserError: ELMAN_KERNELS is "mmx"; give off, portable' in done.stderr
