"""A program means what the PyTorch modules mean that it was built from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from elman import cells
from elman.cells.cell import Cell, Note, Recurrence, ignore
from elman.errors import UserError
from elman.export.building import Builder, stacked, unstacked
from elman.export.interpreter import Interpreter
from elman.export.steps import step_of
from elman.layers.averages import Averages
from elman.layers.bands import BandConvolutions
from elman.layers.convolution import Convolutions, Layers
from elman.layers.recurrent import Recurrent
from elman.tasks import leaving
from elman.tasks.networks import NetworkOptions
from elman.tasks.reader import Pool, Reader

# Both reckon in float64, sums of fewer than 100 terms in an order that differs.
NEAR = 1e-11
few = settings(max_examples=12)
seeds = st.integers(0, 2**32 - 1)


class Halving(Cell):
    """A cell of somebody's own, with operations that no built-in one has."""

    name = "gru"  # that is taken
    summary = source = ""
    states = ("h", "age")
    gates = ("a", "b")
    equations = ""

    def step(
        self, Wx: Tensor, state: tuple[Tensor, ...], R: Recurrence, note: Note = ignore
    ) -> tuple[Tensor, ...]:
        h, age = state
        a, b = (Wx + R(h.square())).chunk(2, -1)
        gate = torch.lerp(a, torch.nn.functional.softplus(b), 0.25).clamp_min(-0.5)
        h = torch.where(age > 0, h / 2, h) + torch.nn.functional.silu(gate)
        return h.sin(), torch.log1p(age.abs()).rsqrt().reciprocal()


class Sorting(Halving):
    def step(
        self, Wx: Tensor, state: tuple[Tensor, ...], R: Recurrence, note: Note = ignore
    ) -> tuple[Tensor, ...]:
        return state[0].sort(-1).values, state[1]


OWN = Halving()


@st.composite
def stacks(draw: st.DrawFn) -> Recurrent:
    depth = draw(st.integers(1, 3))
    each = [draw(st.sampled_from([*cells.all(), OWN])) for _ in range(depth)]
    torch.manual_seed(draw(seeds))
    sizes = [draw(st.sampled_from([3, 4])) for _ in range(depth)]
    stack = Recurrent(
        draw(st.sampled_from([3, 4])), sizes, cell=each, bias=draw(st.booleans()),
        bidirectional=[draw(st.booleans()) for _ in range(depth)],
        initial_state=draw(st.sampled_from(["zero", "learned"])),
        zoneout=draw(st.sampled_from([0.0, 0.3])), layer_norm=draw(st.booleans()),
    )  # fmt: skip
    for parameter in stack.parameters():  # norms and first states begin alike
        nn.init.normal_(parameter, std=0.7)
    return stack.eval().double()  # of weights that float32 holds


@few
@given(stacks(), seeds)
def test_a_stack_reads_sequences_of_any_length_as_its_layers_do(
    stack: Recurrent, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    rows, steps = 5, 6
    lengths = draw.integers(1, steps + 1, rows)
    x = draw.standard_normal((rows, steps, stack.input_size))
    build = Builder(stack)
    y, last = build.stack(stack, build.numbers("x", "B", "T", stack.input_size), build.lengths())
    program = build.done(y, *(name for layer in last for one in layer for name in one))
    found, _ = Interpreter(program).run({"x": x, "lengths": lengths})

    packed = nn.utils.rnn.pack_padded_sequence(
        torch.from_numpy(x), torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
    )
    own, after = stack(packed)
    padded, _ = nn.utils.rnn.pad_packed_sequence(own, batch_first=True, total_length=steps)
    true = padded.detach().numpy()
    near = NEAR * max(1, np.abs(true).max())
    assert np.abs(found[y] - true).max() < near
    for names, states in zip(last, after, strict=True):
        for d, direction in enumerate(names):
            for name, state in zip(direction, states, strict=True):
                assert np.abs(found[name] - state[d].detach().numpy()).max() < near


@few
@given(stacks().filter(lambda stack: not any(stack.bidirectional)), seeds)
def test_states_carry_a_stack_from_one_call_to_the_next(stack: Recurrent, seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows, steps = 2, 7
    x = draw.standard_normal((rows, steps, stack.input_size))
    build = Builder(stack)
    y, _ = build.stack(
        stack, build.numbers("x", "B", "T", stack.input_size), carried=True, prefix="p_"
    )
    run, cut = Interpreter(build.done(y)).run, int(draw.integers(1, steps))
    first, states = run({"x": x[:, :cut]})
    second, states = run({"x": x[:, cut:]}, states)
    own, after = stack(torch.from_numpy(x).transpose(0, 1))
    whole = own.transpose(0, 1).detach().numpy()
    near = 1e-5 * max(1, np.abs(whole).max())  # first states are float32
    assert np.abs(np.concatenate([first[y], second[y]], 1) - whole).max() < near
    named = {name.removeprefix("p_"): value for name, value in states.items()}
    assert (
        named.keys() == unstacked(stack, [tuple(s.detach() for s in one) for one in after]).keys()
    )
    again = stacked(stack, named)
    for ours, theirs in zip(again, after, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert (a - b).abs().max() < 1e-6


@pytest.mark.parametrize("cell", [*cells.all(), OWN], ids=lambda cell: type(cell).__name__)
def test_lines_are_the_step_where_gates_are_wide_open_or_shut_too(cell: Cell) -> None:
    stack = Recurrent(3, 5, cell=cell).double()
    x = np.linspace(-400, 400, 4 * 3 * 3).reshape(4, 3, 3)
    build = Builder(stack)
    y, _ = build.stack(stack, build.numbers("x", "B", "T", 3))
    found, _ = Interpreter(build.done(y)).run({"x": x})
    own, _ = stack(torch.from_numpy(x).transpose(0, 1))
    true = own.transpose(0, 1).detach().numpy()
    # PyTorch's softplus is the identity from 20 on, which is off by 2e-9.
    near = 1e-8 if cell is OWN else NEAR
    assert np.abs(found[y] - true).max() < near * max(1, np.abs(true).max())


def test_a_cell_under_a_name_that_is_taken_is_not_taken_for_the_other_one() -> None:
    assert step_of(cells.get("gru"), 4).native and not step_of(OWN, 4).native
    assert not any(step_of(cells.get(name), 4).native for name in ("mingru", "minlstm", "hgrn"))


def test_a_step_that_no_program_can_say_is_told_in_a_line() -> None:
    with pytest.raises(UserError, match="the cell gru cannot leave: its step calls sort"):
        step_of(Sorting(), 4)


@pytest.mark.parametrize("norm", ["batch", "layer", "bands", "averages"])
@few
@given(seeds, st.booleans(), st.booleans())
def test_convolutions_and_pooling_never_see_padding(
    norm: Any, seed: int, causal: bool, both: bool
) -> None:
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    rows, steps, inputs = 3, 11, 2
    lengths = draw.integers(1, steps + 1, rows)
    x = draw.standard_normal((rows, steps, inputs)).astype(np.float32)
    widths, strides = draw.integers(1, 5, 2).tolist(), draw.integers(1, 4, 2).tolist()
    front: Layers | Averages
    if norm == "averages":
        front = Averages(inputs, draw.integers(1, 15, 2).tolist(), causal=causal)
    elif norm == "bands":
        inputs = 2 * int(draw.integers(1, 8))
        x = draw.standard_normal((rows, steps, inputs)).astype(np.float32)
        front = BandConvolutions(inputs // 2, [4, 5], planes=2, pooled=both, causal=causal)
    else:
        front = Convolutions(inputs, [4, 5], widths, strides, norm=norm, causal=causal)
    front(torch.randn(4, 8, inputs), torch.full((4,), 8))  # some statistics
    options = NetworkOptions(("gru",), (3,), bidirectional=(both,), dropout=0.0, weight_drop=0.0)
    reader = Reader(options, front.output_size)
    pools = [
        Pool(how, reader.output_size, both_ways=both)
        for how in ("last", "mean", "max", "attention")
    ]
    model = nn.ModuleList([front, reader, *pools]).eval()
    build = Builder(model)
    y, own = build.front(front, build.numbers("x", "B", "T", inputs), build.lengths())
    read = leaving.read(build, reader, y, own)
    program = build.done(y, read, *(leaving.pooled(build, pool, read, own) for pool in pools))
    # Whatever stands in padding, nothing changes.
    x[np.arange(steps) >= lengths[:, None]] = np.nan
    filled = np.nan_to_num(x, nan=1e3)
    found, _ = Interpreter(program).run({"x": filled, "lengths": lengths})
    with torch.no_grad():
        z, left = front(torch.from_numpy(filled), torch.from_numpy(lengths))
        states, alive = reader(z, left)
        true = [z, states, *(pool(states, alive) for pool in pools)]
    for name, value in zip(program.outputs, true, strict=True):
        assert np.abs(found[name] - value.numpy()).max() < 1e-5  # theirs is float32
