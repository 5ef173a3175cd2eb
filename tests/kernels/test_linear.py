"""Gated linear recurrences against the reference in float64, through every edge that they have."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from elman import cells, kernels
from elman.kernels import linear
from elman.layers.recurrent import Recurrent
from elman.layers.scan import Direction, choose, linearly_swept, no_recurrence, reference, scan

pytestmark = pytest.mark.skipif(
    not kernels.instruction_sets(), reason="the extension was not built"
)

HIDDEN, BATCH, TIME = (1, 7, 33, 100, 257), (1, 3, 17), (1, 2, 31)
# Each step adds a rounding of 6e-8 and hands on a share `keep` of what came before, so that about
# 1 / (1 - keep) roundings are felt: some thousands where gates remember longest, with signs that
# differ. The largest errors seen are a tenth of this.
BOUND = 1e-5
I = 5

every_cell = pytest.mark.parametrize("cell", linear.GATES)
every_set = pytest.mark.parametrize("instruction_set", kernels.instruction_sets())
sizes = st.tuples(st.sampled_from(TIME), st.sampled_from(BATCH), st.sampled_from(HIDDEN))
seeds = st.integers(0, 2**32 - 1)
some = settings(max_examples=12)


def alive(lengths: Tensor) -> Tensor:
    """The rows of each step, from the lengths of the sequences."""
    return (lengths[None] > torch.arange(int(lengths.max()))[:, None]).sum(1)


@dataclass
class Problem:
    """One layer in one direction, with the gradients that come in."""

    cell: str
    sizes: Tensor  # [T]
    Wx: Tensor  # [N, G*H]
    h: Tensor  # [B, H]
    bias: Tensor | None  # [G*H]
    dy: Tensor  # [N, H]
    dh: Tensor  # [B, H]
    reverse: bool

    @classmethod
    def draw(
        cls,
        cell: str,
        size: tuple[int, int, int],
        seed: int,
        *,
        packed: bool = False,
        reverse: bool = False,
        bias: bool = True,
    ) -> Problem:
        T, B, H = size
        g = torch.Generator().manual_seed(seed)
        lengths = torch.randint(1, T + 1, (B,), generator=g) if packed else torch.full((B,), T)
        steps, G = alive(lengths), linear.GATES[cell]

        def normal(*shape: int) -> Tensor:
            return torch.randn(shape, generator=g)

        N = int(steps.sum())
        b = normal(G * H) if bias else None
        return cls(
            cell, steps, normal(N, G * H), normal(B, H), b, normal(N, H), normal(B, H), reverse
        )

    def run(self, instruction_set: str | None = None) -> tuple[Tensor, ...]:
        """y, the last state, and the gradients of Wx and the initial state."""
        how = {"reverse": self.reverse, "instruction_set": instruction_set}
        common = (self.cell, self.Wx, self.sizes, self.h)
        y, h = linear.forward(*common, self.bias, **how)  # type: ignore[arg-type]
        d = linear.backward(*common, y, self.dy, self.dh, self.bias, **how)  # type: ignore[arg-type]
        return y, h, *d

    def reference(self) -> tuple[Tensor, ...]:
        """The same by the cell's own equations in float64, with W one."""
        rows, dtype = self.Wx.shape[1], torch.float64
        x = self.Wx.to(dtype)
        x = (x if self.bias is None else x + self.bias.to(dtype)).requires_grad_()
        h = self.h[None].to(dtype).requires_grad_()
        # The other direction of a pair, of which the first is thrown away.
        both = torch.cat([h] * (1 + self.reverse))
        directions = [Direction(torch.eye(rows, dtype=dtype))] * len(both)
        y, (final,) = reference(cells.get(self.cell), x, self.sizes, (both,), directions)
        y, last = y[:, -self.h.shape[1] :], final[-1]
        given = [self.dy.to(dtype), self.dh.to(dtype)]
        dx, dh = torch.autograd.grad([y, last], [x, h], given)
        return y, last, dx, dh[0]


def close(ours: tuple[Tensor, ...], exact: tuple[Tensor, ...]) -> None:
    assert len(ours) == len(exact)
    for a, b in zip(ours, exact, strict=True):
        assert a.shape == b.shape
        error = (a - b).abs().max().item() / (1 + b.abs().max().item())
        assert error < BOUND  # NaN is not


@every_cell
@every_set
@some
@given(sizes, seeds, st.booleans(), st.booleans(), st.booleans())
def test_a_sweep_is_the_reference(
    instruction_set: str,
    cell: str,
    size: tuple[int, int, int],
    seed: int,
    packed: bool,
    reverse: bool,
    bias: bool,
) -> None:
    problem = Problem.draw(cell, size, seed, packed=packed, reverse=reverse, bias=bias)
    close(problem.run(instruction_set), problem.reference())


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_thousands_of_steps_are_the_reference(cell: str, reverse: bool) -> None:
    problem = Problem.draw(cell, (3000, 2, 40), 0, packed=True, reverse=reverse)
    # Gates that let units remember for a thousand steps.
    problem.Wx[:, :40] += -7 if cell == "mingru" else 7
    close(problem.run(), problem.reference())


@every_cell
@every_set
@pytest.mark.parametrize("size", [(300, 17, 100), (800, 3, 257), (400, 1, 300)])  # all worth one
@pytest.mark.parametrize("reverse", [False, True])
def test_threads_change_no_bit(
    instruction_set: str, cell: str, size: tuple[int, int, int], reverse: bool
) -> None:
    problem = Problem.draw(cell, size, 0, packed=size[1] > 1, reverse=reverse)
    results = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        results.append(problem.run(instruction_set))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


FINITE = [-100.0, -88.5, -30.0, -21.0, -19.0, -0.0, 0.0, 1.5, 19.0, 30.0, 88.5]
# Beside infinity, 0 and the smallest number differ, so there only what is 0 in both.
INFINITE = [-torch.inf, -1e4, -100.0, -0.0, 0.0, 1.5, 1e4, torch.inf, torch.nan]


@every_cell
@every_set
@pytest.mark.parametrize("limits, dtype", [(FINITE, torch.float64), (INFINITE, torch.float32)])
def test_gates_at_their_limits_are_as_in_the_reference(
    cell: str, instruction_set: str, limits: list[float], dtype: torch.dtype
) -> None:
    edges = torch.tensor(limits)
    G = linear.GATES[cell]
    gates = torch.cartesian_prod(*[edges] * G).T  # every combination, one a unit
    H = gates.shape[1]
    problem = Problem.draw(cell, (1, 2, H), 0, bias=False)
    problem.Wx[:] = gates.reshape(1, G * H)
    Wx, h, dy, dh = (t.to(dtype) for t in (problem.Wx, problem.h, problem.dy, problem.dh))
    (y,) = cells.get(cell).step(Wx.requires_grad_(), (h.requires_grad_(),), no_recurrence)
    gradients = torch.autograd.grad([y, y], [Wx, h], [dy, dh])
    for a, b in zip(problem.run(instruction_set), (y, y, *gradients), strict=True):
        torch.testing.assert_close(a.to(dtype), b, rtol=1e-5, atol=1e-6, equal_nan=True)


@every_cell
def test_a_unit_that_is_no_number_spoils_no_other(cell: str) -> None:
    problem = Problem.draw(cell, (5, 3, 33), 0)
    sound = problem.run()
    problem.Wx[4, 20] = torch.nan  # row 1 of step 1, a gate of unit 20
    for a, b in zip(problem.run(), sound, strict=True):
        wrong = (a != b).nonzero()
        assert len(wrong) and (wrong[:, 1] % 33 == 20).all() and (wrong[:, 0] % 3 == 1).all()


@every_cell
@some
@given(st.integers(1, 40), seeds)
def test_a_sequence_is_its_pieces(cell: str, cut: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, x = Recurrent(I, [33, 7], 2, cell), torch.randn(41, 3, I)
    assert choose(cells.get(cell), [Direction(next(layer.parameters()))]).kernel == cell
    y, final = layer(x)
    first, state = layer(x[:cut])
    second, state = layer(x[cut:], state)
    # Not bit for bit: PyTorch's product depends on how many rows it is given.
    torch.testing.assert_close(torch.cat([first, second]), y, rtol=0, atol=1e-5)
    torch.testing.assert_close(state, final, rtol=0, atol=1e-5)


@every_cell
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("T, piece", [(7, 1), (65536, 9000)])
def test_a_sweep_is_its_pieces_bit_for_bit(cell: str, T: int, piece: int, reverse: bool) -> None:
    p = Problem.draw(cell, (T, 2, 20), 0, reverse=reverse)
    y, last, dWx, dh = p.run()
    cuts = range(0, T, piece)
    pieces = [slice(2 * start, 2 * (start + piece)) for start in cuts]
    states = [p.h]
    for rows in reversed(pieces) if reverse else pieces:
        Wx = p.Wx[rows].clone()
        part = linear.forward(
            cell, Wx, p.sizes[: len(Wx) // 2], states[-1], p.bias, reverse=reverse
        )
        assert torch.equal(part.y, y[rows])
        states.append(part.h)
    assert torch.equal(states.pop(), last)
    d = p.dh
    for rows in pieces if reverse else reversed(pieces):
        Wx, before = p.Wx[rows].clone(), states.pop()
        common = (cell, Wx, p.sizes[: len(Wx) // 2], before, y[rows], p.dy[rows], d, p.bias)
        gradients = linear.backward(*common, reverse=reverse)
        assert torch.equal(gradients.Wx, dWx[rows])
        d = gradients.h
    assert torch.equal(d, dh)


@every_cell
def test_what_is_given_is_left_as_it_was(cell: str) -> None:
    problem, same = (Problem.draw(cell, (31, 3, 33), 1, packed=True) for _ in range(2))
    problem.run()
    for name, before in vars(same).items():
        assert before is getattr(problem, name) or torch.equal(getattr(problem, name), before), name


def layer(cell: str, H: int, *, bias: bool = True) -> Direction:
    G = linear.GATES[cell]
    b = torch.randn(G * H, requires_grad=True) if bias else None
    return Direction(torch.randn(G * H, I, requires_grad=True), bias_ih=b)


@every_cell
@some
@given(sizes, seeds, st.booleans(), st.booleans(), st.booleans())
def test_a_layer_is_the_reference(
    cell: str, size: tuple[int, int, int], seed: int, packed: bool, both: bool, bias: bool
) -> None:
    T, B, H = size
    torch.manual_seed(seed)
    directions = [layer(cell, H, bias=bias) for _ in range(1 + both)]
    steps = alive(torch.randint(1, T + 1, (B,)) if packed else torch.full((B,), T))
    x = torch.randn(int(steps.sum()), I)
    if not packed:
        x = x.view(B, T, I).transpose(0, 1)  # not contiguous
    h = torch.randn(1 + both, B, H)
    results = []
    for dtype, ours in ((torch.float32, True), (torch.float64, False)):
        cast = [
            Direction(**{n: w.detach().to(dtype) for n, w in vars(d).items() if w is not None})
            for d in directions
        ]
        leaves = [x.to(dtype), h.to(dtype)]
        leaves += [w for d in cast for w in vars(d).values() if w is not None]
        for leaf in leaves:
            leaf.requires_grad_()
        rest = (leaves[0], steps if packed else None, (leaves[1],), cast)
        y, (last,) = linearly_swept(cell, *rest) if ours else reference(cells.get(cell), *rest)
        ones = [torch.cos(torch.arange(o.numel())).view(o.shape).to(dtype) for o in (y, last)]
        results.append((y, last, *torch.autograd.grad((y, last), leaves, ones)))
    close(results[0], results[1])


def test_a_graph_may_be_kept_and_used_twice() -> None:
    torch.manual_seed(0)
    x, h = torch.randn(4, 3, I, requires_grad=True), torch.zeros(1, 3, 6)
    y, _ = scan(cells.get("minlstm"), x, None, (h,), [layer("minlstm", 6)])
    first = torch.autograd.grad(y.sum(), x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(y.sum(), x)[0])


def test_only_what_is_asked_has_a_gradient() -> None:
    torch.manual_seed(0)
    frozen = Direction(torch.randn(12, I))
    x, h = torch.randn(4, 3, I), torch.randn(1, 3, 6, requires_grad=True)
    _, (last,) = scan(cells.get("mingru"), x, None, (h,), [frozen])
    (gradient,) = torch.autograd.grad(last.sum(), h)
    assert gradient.isfinite().all()
    y, _ = scan(cells.get("mingru"), x, None, (h.detach(),), [frozen])
    assert not y.requires_grad


@every_cell
@pytest.mark.parametrize("embedded", [False, True])
def test_tokens_and_layer_norm_are_as_in_the_reference(cell: str, embedded: bool) -> None:
    torch.manual_seed(0)
    ids, h, V = torch.randint(9, (31, 3)), torch.randn(1, 3, 33), 9
    G = linear.GATES[cell]
    table = torch.randn(V, I) if embedded else None
    leaves = [torch.randn(G * 33, I if embedded else V), torch.randn(G * 33), torch.rand(G * 33)]
    leaves += [] if table is None else [table]
    results = []
    for dtype, run in ((torch.float32, linearly_swept), (torch.float64, reference)):
        W, b, gain, *E = (leaf.detach().to(dtype).requires_grad_() for leaf in leaves)
        d = Direction(W, bias_ih=b, norm_ih=gain, embedding=E[0] if E else None)
        name: Any = cell if run is linearly_swept else cells.get(cell)
        y, (last,) = run(name, ids, None, (h.to(dtype),), [d])
        results.append((y, last, *torch.autograd.grad(y.cos().sum(), [W, b, gain, *E])))
    close(results[0], results[1])


@every_cell
@pytest.mark.parametrize("both", [False, True])
def test_a_gradient_of_the_gradient_is_that_of_the_reference(cell: str, both: bool) -> None:
    torch.manual_seed(0)
    directions = [layer(cell, 6) for _ in range(1 + both)]
    x, h = torch.randn(7, I, requires_grad=True), torch.randn(1 + both, 3, 6, requires_grad=True)
    weights = [w for d in directions for w in (d.weight_ih, d.bias_ih) if w is not None]
    leaves, second = [x, h, *weights], []
    for run in (linearly_swept, reference):
        name: Any = cell if run is linearly_swept else cells.get(cell)
        y, (last,) = run(name, x, torch.tensor([3, 3, 1]), (h,), directions)
        first = torch.autograd.grad([y.square().sum(), last.sum()], leaves, create_graph=True)
        second.append(
            torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), leaves)
        )
    torch.testing.assert_close(second[0], second[1], rtol=1e-4, atol=1e-4)


def test_what_does_not_fit_is_refused_before_it_is_read() -> None:
    p = Problem.draw("minlstm", (3, 4, 7), 3)
    assert p.bias is not None
    for changes, message in (
        ({"Wx": p.Wx.double()}, "Wx must be float32"),
        ({"Wx": p.Wx[:, :-1].contiguous()}, r"Wx must be contiguous \[12, 21\]"),
        ({"h": torch.zeros(7, 4).T}, "not contiguous"),
        ({"bias": p.bias[:-1]}, r"bias must be contiguous \[21\]"),
        ({"sizes": p.sizes.int()}, "int64"),
        ({"sizes": torch.tensor([4, 3, 4])}, "never grow"),
        ({"sizes": torch.tensor([4, 4, 0])}, "stay above 0"),
        ({"sizes": torch.tensor([4, 4])}, "sum to the number of rows"),
    ):
        given: dict[str, Any] = {"Wx": p.Wx, "sizes": p.sizes, "h": p.h, "bias": p.bias} | changes
        with pytest.raises(ValueError, match=message):
            linear.forward("minlstm", **given)
    common = ("minlstm", p.Wx, p.sizes, p.h)
    with pytest.raises(ValueError, match=r"dy must be contiguous \[12, 7\]"):
        linear.backward(*common, p.dy, p.dy[1:], None)
    with pytest.raises(ValueError, match=r"dh must be contiguous \[4, 7\]"):
        linear.backward(*common, p.dy, None, p.dh[1:])


@every_cell
def test_the_choice_follows_type_and_mode(cell: str) -> None:
    plain, d = cells.get(cell), layer(cell, 6)
    assert choose(plain, [d]).kernel == cell
    assert "float64" in choose(plain, [Direction(d.weight_ih.double())]).why
    assert "zoneout" in choose(plain, [replace(d, keep=(torch.ones(1, 6),))]).why
    with torch.autocast("cpu", torch.float16):
        assert "autocast" in choose(plain, [d]).why
