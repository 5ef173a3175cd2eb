"""The sweeps against the reference in float64, through every edge that they have."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import cells, kernels
from elman.kernels import sweeps
from elman.layers.scan import Direction, choose, reference, scan, swept

if os.environ.get("ELMAN_REQUIRE_KERNELS"):
    assert kernels.instruction_sets(), "the extension was not built, and CI asks for it"
pytestmark = pytest.mark.skipif(
    not kernels.instruction_sets(), reason="the extension was not built"
)

HIDDEN, BATCH, TIME = (1, 7, 33, 100, 257), (1, 3, 17), (1, 2, 31)
# A sum of K float32 products of size about 1 is off by about √K units of 6e-8, and each step hands
# its error on: 1e-5 of the largest value holds for 257 terms and 31 steps, and no bug is so small.
BOUND = 1e-5
I = 5

every_cell = pytest.mark.parametrize("cell", sweeps.GATES)
every_set = pytest.mark.parametrize("instruction_set", kernels.instruction_sets())
sizes = st.tuples(st.sampled_from(TIME), st.sampled_from(BATCH), st.sampled_from(HIDDEN))
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=12, deadline=None)


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


@dataclass
class Problem:
    """One layer in one direction, with the gradients that come in."""

    cell: str
    sizes: Tensor  # [T]
    Wx: Tensor  # [N, G*H]
    state: tuple[Tensor, ...]
    R: Tensor
    bias: Tensor
    bias_n: Tensor | None
    dy: Tensor
    dstate: tuple[Tensor, ...]
    reverse: bool

    @classmethod
    def draw(
        cls, cell: str, size: tuple[int, int, int], seed: int, packed: bool, reverse: bool
    ) -> Problem:
        T, B, H = size
        g = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, T + 1, (B,), generator=g) if packed else torch.full((B,), T)
        alive = (lengths[None] > torch.arange(int(lengths.max()))[:, None]).sum(1)
        N, G, count = int(alive.sum()), sweeps.GATES[cell], len(cells.get(cell).states)

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=g)

        return cls(
            cell,
            alive,
            normal(N, G * H),
            tuple(normal(B, H) for _ in range(count)),
            normal(G * H, H) / (2 * H**0.5),  # a stable recurrence, also with relu
            normal(G * H),
            normal(H) if cell == "gru" else None,
            normal(N, H),
            tuple(normal(B, H) for _ in range(count)),
            reverse,
        )

    def run(self, instruction_set: str) -> tuple[Tensor, ...]:
        """y, the last states, and the gradients of Wx, R h, the initial states."""
        Wx = self.Wx.clone()
        common = (self.sizes, self.state, self.R)
        s = sweeps.forward(
            self.cell, Wx, *common, self.bias, self.bias_n, store=True, reverse=self.reverse,
            instruction_set=instruction_set,
        )  # fmt: skip
        d = sweeps.backward(
            self.cell, Wx, *common, s.y, s.kept, self.dy, self.dstate, reverse=self.reverse,
            instruction_set=instruction_set,
        )  # fmt: skip
        return s.y, *s.state, d.Wx, *d.state, *(() if d.Rn is None else (d.Rn.sum(0),))

    def reference(self) -> tuple[Tensor, ...]:
        """The same by the cell's own equations in float64, with W one."""
        rows = self.R.shape[0]
        x = self.Wx.double().requires_grad_()
        state = tuple(s[None].double().requires_grad_() for s in self.state)
        bias = torch.zeros(rows, dtype=torch.float64)
        if self.bias_n is not None:
            bias[-len(self.bias_n) :] = self.bias_n.double()
        bias.requires_grad_()
        one = torch.eye(rows, dtype=torch.float64)
        direction = Direction(one, self.R.double(), self.bias.double(), bias)
        if self.reverse:  # the other direction of a pair, of which the first is thrown away
            state = tuple(torch.cat([s.detach(), s]) for s in state)
            for s in state:
                s.retain_grad()
        directions = [direction] * (1 + self.reverse)
        y, final = reference(cells.get(self.cell), x, self.sizes, state, directions)
        H = y.shape[1] // len(directions)
        y, final = y[:, -H:], tuple(s[-1] for s in final)
        leaves = [x, *state, bias]
        given = [self.dy.double(), *(s.double() for s in self.dstate)]
        dx, *dstate, dbias = torch.autograd.grad([y, *final], leaves, given)
        dRn = (dbias[-H:],) if self.cell == "gru" else ()
        return y, *final, dx, *(s[-1] for s in dstate), *dRn


def close(ours: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> None:
    assert len(ours) == len(exact)
    for a, b in zip(ours, exact, strict=True):
        assert a.shape == b.shape
        error = (a - b).abs().max().item() / (1 + b.abs().max().item())
        assert error < BOUND  # NaN is not


@every_cell
@every_set
@some
@given(sizes, seeds, st.booleans(), st.booleans())
def test_a_sweep_is_the_reference(
    instruction_set: str,
    cell: str,
    size: tuple[int, int, int],
    seed: int,
    packed: bool,
    reverse: bool,
) -> None:
    problem = Problem.draw(cell, size, seed, packed, reverse)
    close(problem.run(instruction_set), problem.reference())


@every_cell
@every_set
@pytest.mark.parametrize("reverse", [False, True])
def test_threads_change_no_bit(instruction_set: str, cell: str, reverse: bool) -> None:
    problem = Problem.draw(cell, (31, 17, 100), 0, True, reverse)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(problem.run(instruction_set))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@every_set
def test_rows_of_a_large_batch_are_those_of_a_small_one(instruction_set: str) -> None:
    whole = Problem.draw("lstm", (2, 300, 33), 1, False, False)  # more rows than one job takes
    y, h, c, *_ = whole.run(instruction_set)
    rows = slice(131, 136)
    part = sweeps.forward(
        "lstm",
        whole.Wx.view(2, 300, -1)[:, rows].reshape(10, -1),
        torch.full((2,), 5),
        tuple(s[rows].contiguous() for s in whole.state),
        whole.R,
        whole.bias,
        instruction_set=instruction_set,
    )
    assert torch.equal(part.y.view(2, 5, -1), y.view(2, 300, -1)[:, rows])
    assert torch.equal(part.state[0], h[rows]) and torch.equal(part.state[1], c[rows])


@every_cell
def test_forward_alone_leaves_the_input_as_it_was(cell: str) -> None:
    problem = Problem.draw(cell, (3, 4, 7), 2, False, False)
    before = problem.Wx.clone()
    arguments = (problem.sizes, problem.state, problem.R, problem.bias, problem.bias_n)
    alone = sweeps.forward(cell, problem.Wx, *arguments)
    assert alone.kept is None and torch.equal(problem.Wx, before)
    stored = sweeps.forward(cell, before, *arguments, store=True)
    assert torch.equal(alone.y, stored.y)


@every_set
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


def test_a_gradient_of_the_gradient_is_refused() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 3, I, requires_grad=True)
    y, _ = scan(cells.get("rnn"), x, None, (torch.zeros(1, 3, 6),), [layer("rnn", I, 6)])
    with pytest.raises(RuntimeError, match="ELMAN_KERNELS=off"):
        torch.autograd.grad(y.sum(), x, create_graph=True)


def test_weights_changed_before_backward_are_noticed() -> None:
    d = layer("lstm", I, 6)
    zero = torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("lstm"), torch.randn(4, 3, I), None, (zero, zero), [d])
    with torch.no_grad():
        d.weight_hh.mul_(2)  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(y.sum(), d.weight_ih)


def test_what_does_not_fit_is_refused_before_it_is_read() -> None:
    p = Problem.draw("lstm", (3, 4, 7), 3, False, False)
    wide = torch.zeros(7, 28).T
    for changes, message in (
        ({"Wx": p.Wx.double()}, "Wx must be float32"),
        ({"Wx": p.Wx[:, :-1].contiguous()}, r"Wx must be contiguous \[12, 28\]"),
        ({"R": wide}, "not contiguous"),
        ({"state": p.state[:1]}, "2 states, got 1"),
        ({"sizes": p.sizes.int()}, "int64"),
        ({"sizes": torch.tensor([4, 3, 4])}, "never grow"),
        ({"sizes": torch.tensor([4, 4, 0])}, "stay above 0"),
        ({"sizes": torch.tensor([4, 4])}, "sum to the number of rows"),
    ):
        given: dict[str, Any] = {"Wx": p.Wx, "sizes": p.sizes, "state": p.state, "R": p.R} | changes
        with pytest.raises(ValueError, match=message):
            sweeps.forward("lstm", **given)


def test_the_choice_follows_type_and_mode() -> None:
    d = layer("lstm", I, 6)
    assert "Elman" in choose(cells.get("lstm"), [d]).why
    double = Direction(*(w.double() for w in vars(d).values() if w is not None))
    assert "float64" in choose(cells.get("lstm"), [double]).why
    with torch.autocast("cpu"):
        assert "autocast" in choose(cells.get("lstm"), [d]).why


def test_two_threads_at_once_do_not_disturb_each_other() -> None:
    torch.set_num_threads(2)
    problems = [Problem.draw("gru", (31, 17, 100), seed, True, False) for seed in range(2)]
    name = kernels.instruction_sets()[-1]
    expected = [p.run(name) for p in problems]
    wrong: list[int] = []

    def again(k: int) -> None:
        for _ in range(5):
            result = problems[k].run(name)
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
run = lambda: sweeps.forward("rnn", Wx, sizes, (h,), R).y.numpy().tobytes()
before = run()
child = os.fork()
if child == 0:
    os._exit(0 if run() == before else 3)
assert os.waitpid(child, 0)[1] == 0
assert run() == before
"""


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    gc.collect()
    command = [sys.executable, "-c", program]
    whole = os.environ | environment
    return subprocess.run(command, env=whole, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_sweeps_too() -> None:
    done = python(FORKING)
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
