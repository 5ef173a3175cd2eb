"""The laws that every cell obeys; a new cell is tested by being registered, plus one NumPy step."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman import cells
from elman.cells import Cell
from elman.layers.recurrent import Recurrent
from elman.layers.scan import KERNELS, Direction, choose, fused, reference, scan
from elman.probe import trace

Array = NDArray[np.float64]
Sizes = tuple[int, int, int, int]

# Sums of fewer than 100 terms of size about 1, in an order that differs: some units of the last
# place, 1e-7 in float32 and 2e-16 in float64.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
COUNTERPARTS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "rnn-relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}

every_cell = pytest.mark.parametrize("cell", cells.all(), ids=cells.names())
sizes = st.permutations(range(2, 8)).map(lambda p: (p[0], p[1], p[2], p[3]))  # T, B, I, H
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=5)


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def g(a: Array) -> Array:
    return np.where(a >= 0, a + 0.5, sigmoid(a))


def numpy_rnn(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    return [np.tanh(Wx[0] + R(s[0], 0))]


def numpy_relu(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    return [np.maximum(0, Wx[0] + R(s[0], 0))]


def numpy_lstm(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    a = [Wx[k] + R(s[0], k) for k in range(4)]
    c = sigmoid(a[1]) * s[1] + sigmoid(a[0]) * np.tanh(a[2])
    return [sigmoid(a[3]) * np.tanh(c), c]


def numpy_gru(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    r, z = (sigmoid(Wx[k] + R(s[0], k)) for k in (0, 1))
    n = np.tanh(Wx[2] + r * R(s[0], 2))
    return [n + z * (s[0] - n)]


def numpy_before(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    r, z = (sigmoid(Wx[k] + R(s[0], k)) for k in (0, 1))
    n = np.tanh(Wx[2] + R(r * s[0], 2))
    return [n + z * (s[0] - n)]


def numpy_mingru(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    z = sigmoid(Wx[0])
    return [s[0] + z * (g(Wx[1]) - s[0])]


def numpy_minlstm(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    f, i = sigmoid(Wx[0]), sigmoid(Wx[1])
    return [(f * s[0] + i * g(Wx[2])) / (f + i)]


def numpy_hgrn(Wx: list[Array], R: Callable[[Array, int], Array], s: list[Array]) -> list[Array]:
    enter = (1 - np.arange(s[0].shape[-1]) / s[0].shape[-1]) * sigmoid(-Wx[0])
    return [s[0] + enter * (Wx[1] * sigmoid(Wx[1]) - s[0])]


NUMPY = {
    "rnn": numpy_rnn,
    "rnn-relu": numpy_relu,
    "lstm": numpy_lstm,
    "gru": numpy_gru,
    "gru-reset-before": numpy_before,
    "mingru": numpy_mingru,
    "minlstm": numpy_minlstm,
    "hgrn": numpy_hgrn,
}


def numpy_run(cell: Cell, x: Tensor, state: tuple[Tensor, ...], d: Direction) -> list[list[Array]]:
    """The states [B, H] after each step, from the weights of one direction."""
    gates = len(cell.gates)
    W, b = np.split(d.weight_ih.numpy(), gates), np.split(as_array(d.bias_ih), gates)

    def R(h: Array, k: int) -> Array:
        weight, bias = np.split(as_array(d.weight_hh), gates), np.split(as_array(d.bias_hh), gates)
        return np.asarray(h @ weight[k].T + bias[k])

    s, steps = [part.numpy() for part in state], []
    for x_t in x.numpy():
        s = NUMPY[cell.name]([x_t @ W[k].T + b[k] for k in range(gates)], R, s)
        steps.append(s)
    return steps


def as_array(tensor: Tensor | None) -> Array:
    assert tensor is not None
    return np.asarray(tensor.numpy())


def draw_direction(cell: Cell, I: int, H: int, dtype: torch.dtype = torch.float64) -> Direction:
    G = len(cell.gates)
    ih, b_ih = torch.randn(G * H, I, dtype=dtype) / I, torch.randn(G * H, dtype=dtype)
    if not cell.recurrent:
        return Direction(ih, bias_ih=b_ih)
    hh, b_hh = torch.randn(G * H, H, dtype=dtype) / H, torch.randn(G * H, dtype=dtype)
    return Direction(ih, hh, b_ih, b_hh)


def draw_state(cell: Cell, D: int, B: int, H: int, dtype: torch.dtype = torch.float64) -> Any:
    return tuple(torch.randn(D, B, H, dtype=dtype) for _ in cell.states)


def near(a: Any, b: Any, tolerance: float = 1e-12) -> None:
    """Every tensor of `a` within `tolerance` of its partner in `b`, absolutely."""
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance)


def gradients(outputs: tuple[Tensor, ...], inputs: list[Tensor]) -> tuple[Tensor | None, ...]:
    """Of one fixed mixture of all outputs, whose size does not grow with theirs."""
    mixture = torch.stack(
        [(y * torch.linspace(-1, 1, y.numel()).view_as(y)).mean() for y in outputs]
    )
    return torch.autograd.grad(mixture.sum(), inputs)


@every_cell
@few
@given(sizes, seeds)
def test_a_step_is_its_equations_in_numpy(cell: Cell, size: Sizes, seed: int) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    x, state, d = (
        torch.randn(T, B, I).double(),
        draw_state(cell, 1, B, H),
        draw_direction(cell, I, H),
    )
    y, final = reference(cell, x, None, state, [d])
    steps = numpy_run(cell, x, tuple(s[0] for s in state), d)
    near(y, torch.from_numpy(np.stack([s[0] for s in steps])))
    near([s[0] for s in final], [torch.from_numpy(s) for s in steps[-1]])


@every_cell
@few
@given(sizes, seeds)
def test_a_trace_is_the_equations_in_numpy(cell: Cell, size: Sizes, seed: int) -> None:
    T, _, I, H = size
    torch.manual_seed(seed)
    x, d = torch.randn(T, I).double(), draw_direction(cell, I, H)
    state = {name: torch.randn(H).double() for name in cell.states}
    output = trace.Output(torch.randn(3, H).double(), torch.randn(3).double())
    weights = trace.Weights(d.weight_ih, d.weight_hh, d.bias_ih, d.bias_hh)
    traced = trace.trace(cell, weights, x, state, output)
    rows = tuple(state[name].unsqueeze(0) for name in cell.states)
    for step, expected in zip(traced, numpy_run(cell, x.unsqueeze(1), rows, d), strict=True):
        values = {value.name: np.array(value.numbers) for value in step.values}
        for name, numbers in zip(cell.states, expected, strict=True):
            np.testing.assert_allclose(values[name], numbers[0], rtol=0, atol=1e-12)
        y = output.weight.numpy() @ expected[0][0] + as_array(output.bias)
        np.testing.assert_allclose(values["y"], y, rtol=0, atol=1e-12)


@every_cell
@settings(max_examples=2)
@given(sizes, seeds)
def test_gradients_are_the_slopes(cell: Cell, size: Sizes, seed: int) -> None:
    T, B, I, H = (max(2, n // 2) for n in size)
    torch.manual_seed(seed)
    d = draw_direction(cell, I, H)
    parts = [p for p in (d.weight_ih, d.weight_hh, d.bias_ih, d.bias_hh) if p is not None]
    batch_sizes = torch.tensor([B] + [B - 1] * (T - 1))

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        state, weights = rest[: len(cell.states)], rest[len(cell.states) :]
        direction = (
            Direction(*cast(Any, weights))
            if cell.recurrent
            else Direction(weights[0], None, weights[1])
        )
        y, final = reference(cell, x, batch_sizes, state, [direction])
        return (y, *final)

    x = torch.randn(int(batch_sizes.sum()), I).double()
    inputs = [x, *draw_state(cell, 1, B, H), *parts]
    assert torch.autograd.gradcheck(run, [tensor.requires_grad_() for tensor in inputs])


@every_cell
@few
@given(sizes, seeds)
def test_a_sequence_is_its_steps_repeated(cell: Cell, size: Sizes, seed: int) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    layer, x = Recurrent(I, H, cell=cell, dtype=torch.float64), torch.randn(T, B, I).double()
    y, final = layer(x)
    state, ys = None, []
    for t in range(T):
        y_t, state = layer(x[t : t + 1], state)
        ys.append(y_t)
    near(y, torch.cat(ys))
    near(final, state)


@every_cell
@few
@given(sizes, seeds, st.data())
def test_a_cut_with_the_state_carried_changes_nothing(
    cell: Cell, size: Sizes, seed: int, data: st.DataObject
) -> None:
    T, B, I, H = size
    cut = data.draw(st.integers(1, T - 1))
    torch.manual_seed(seed)
    layer = Recurrent(I, [H, I], cell=cell, batch_first=True, dtype=torch.float64)
    x, start = torch.randn(B, T, I).double(), [draw_state(cell, 1, B, n) for n in (H, I)]
    y, final = layer(x, start)
    y_1, state = layer(x[:, :cut], start)
    y_2, state = layer(x[:, cut:], state)
    near(y, torch.cat([y_1, y_2], 1))
    near(final, state)


@every_cell
@few
@given(sizes, seeds, st.data())
def test_padding_never_changes_an_answer(
    cell: Cell, size: Sizes, seed: int, data: st.DataObject
) -> None:
    T, B, I, H = size
    lengths = data.draw(st.lists(st.integers(1, T), min_size=B, max_size=B))
    torch.manual_seed(seed)
    layer = Recurrent(I, [H, I], cell=cell, bidirectional=True, dtype=torch.float64)
    x, state = torch.randn(T, B, I).double(), [draw_state(cell, 2, B, n) for n in (H, I)]
    packed, final = layer(pack_padded_sequence(x, lengths, enforce_sorted=False), state)
    y, y_lengths = pad_packed_sequence(packed)
    assert y_lengths.tolist() == lengths
    for b, length in enumerate(lengths):
        alone, final_alone = layer(x[:length, b], [tuple(s[:, b] for s in part) for part in state])
        near(y[:length, b], alone)
        near([tuple(s[:, b] for s in part) for part in final], final_alone)


@every_cell
@few
@given(sizes, seeds)
def test_packed_equals_padded(cell: Cell, size: Sizes, seed: int) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    layer = Recurrent(I, [H, I], cell=cell, bidirectional=True, dtype=torch.float64)
    x = torch.randn(T, B, I).double()
    y, final = layer(x)
    packed, final_packed = layer(pack_padded_sequence(x, [T] * B))
    near(pad_packed_sequence(packed)[0], y)
    near(final_packed, final)


@pytest.mark.parametrize("cell", list(map(cells.get, KERNELS)), ids=list(KERNELS))
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@few
@given(sizes, seeds, st.booleans(), st.booleans(), st.booleans())
def test_fused_is_the_reference(
    cell: Cell, dtype: torch.dtype, size: Sizes, seed: int, packed: bool, both: bool, bias: bool
) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    directions = [draw_direction(cell, I, H, dtype) for _ in range(1 + both)]
    if not bias:
        directions = [Direction(d.weight_ih, d.weight_hh) for d in directions]
    x, state = torch.randn(T, B, I, dtype=dtype), draw_state(cell, 1 + both, B, H, dtype)
    batch_sizes = None
    if packed:
        lengths = sorted(torch.randint(1, T + 1, (B,)).tolist(), reverse=True)
        x, batch_sizes, *_ = pack_padded_sequence(x, lengths)
    parts = [p for d in directions for p in vars(d).values() if p is not None]
    inputs = [x, *state, *parts]
    for tensor in inputs:
        tensor.requires_grad_()
    choice = choose(cell, directions)
    assert choice.kernel is not None
    y, final = fused(choice, x, batch_sizes, state, directions)
    z, last = reference(cell, x, batch_sizes, state, directions)
    near((y, *final), (z, *last), TOLERANCE[dtype])
    near(gradients((y, *final), inputs), gradients((z, *last), inputs), TOLERANCE[dtype])


@pytest.mark.parametrize("name", COUNTERPARTS)
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("route", [scan, reference])
@few
@given(sizes, seeds, st.booleans(), st.booleans())
def test_the_counterpart_in_torch_gives_the_same(
    name: str, dtype: torch.dtype, route: Any, size: Sizes, seed: int, bias: bool, both: bool
) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    cell = cells.get(name)
    theirs = COUNTERPARTS[name](I, H, bias=bias, bidirectional=both, dtype=dtype)
    directions = [Direction(*cast(Any, weights)) for weights in theirs.all_weights]
    x, state = torch.randn(T, B, I, dtype=dtype), draw_state(cell, 1 + both, B, H, dtype)
    inputs = [x.requires_grad_(), *(s.requires_grad_() for s in state), *theirs.parameters()]
    y, final = route(cell, x, None, state, directions)
    z, last = theirs(x, state if len(state) > 1 else state[0])
    last = last if isinstance(last, tuple) else (last,)
    near((y, *final), (z, *last), TOLERANCE[dtype])
    near(gradients((y, *final), inputs), gradients((z, *last), inputs), TOLERANCE[dtype])


@pytest.mark.parametrize("name", COUNTERPARTS)
@few
@given(sizes, seeds, st.booleans())
def test_weights_move_both_ways(name: str, size: Sizes, seed: int, both: bool) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    ours = Recurrent(I, H, 2, name, bidirectional=both)
    theirs = COUNTERPARTS[name](I, H, num_layers=2, bidirectional=both)
    x = torch.randn(T, B, I)
    for source, target in ((ours, theirs), (theirs, ours)):
        for parameter in source.parameters():
            nn.init.uniform_(parameter, -0.5, 0.5)
        target.load_state_dict(source.state_dict())
        near(ours(x)[0], theirs(x)[0], TOLERANCE[torch.float32])


@every_cell
@few
@given(sizes, seeds, st.booleans())
def test_a_share_of_zero_changes_nothing(cell: Cell, size: Sizes, seed: int, locked: bool) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    plain = Recurrent(I, H, 2, cell, bidirectional=True)
    none = Recurrent(
        I,
        H,
        2,
        cell,
        bidirectional=True,
        dropout=0.0,
        locked_dropout=locked,
        recurrent_dropout=0.0,
        zoneout=0.0,
        weight_drop=0.0,
    )
    none.load_state_dict(plain.state_dict())
    x = torch.randn(T, B, I)
    near(none.train()(x), plain(x), 0.0)


@every_cell
@few
@given(sizes, seeds, st.booleans())
def test_evaluation_is_deterministic(cell: Cell, size: Sizes, seed: int, locked: bool) -> None:
    T, B, I, H = size
    torch.manual_seed(seed)
    shares = {"dropout": 0.5, "zoneout": 0.5}
    if cell.recurrent:
        shares |= {"recurrent_dropout": 0.5, "weight_drop": 0.5}
    layer = Recurrent(I, H, 2, cell, locked_dropout=locked, **shares)  # type: ignore[arg-type]
    x = torch.randn(T, B, I)
    drawn = [layer(x)[0] for _ in range(2)]
    layer.eval()
    assume(any(bool(y.any()) for y in drawn))  # few units of relu may all be silent
    assert not torch.equal(*drawn)
    near(layer(x), layer(x), 0.0)


def test_packed_output_keeps_its_form() -> None:
    packed = pack_padded_sequence(torch.randn(4, 3, 2), [1, 4, 2], enforce_sorted=False)
    y, _ = Recurrent(2, 5, cell="minlstm")(packed)
    assert isinstance(y, PackedSequence)
    assert y.data.shape == (7, 5)


def test_every_cell_has_its_numpy_step() -> None:
    assert set(NUMPY) == set(cells.names())
