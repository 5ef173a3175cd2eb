"""Recurrent layers as ONNX: whatever the cell and the stack, what ONNX Runtime gives is theirs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, final

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman import cells
from elman.cells.cell import Cell, Note, Recurrence, ignore
from elman.export.building import Builder, stacked, unstacked
from elman.export.onnx.model import model_of
from elman.export.onnx.runners.network import Array, Network
from elman.export.program import Program
from elman.export.rounding import rounded
from elman.layers.recurrent import Recurrent

# Sums of some ten terms of size about 1; ONNX Runtime's LSTM and GRU approximate tanh and sigmoid
# to 5e-7 or so, which a few layers and steps add up.
TOLERANCE = 1e-5
# Layer norm divides by a spread that may be as small as sqrt(1e-5), which makes that much of it.
NORMED = 3e-4
few = settings(max_examples=4)


@final
@dataclass(frozen=True)
class Leaky(Cell):
    """A cell that nobody knows: a condition, a constant, two states, and R of what is not h."""

    name = "leaky"
    summary = "leaks"
    source = "this test"
    states = ("h", "s")
    gates = ("a", "b")
    equations = "a = W_a x\nb = W_b x\nr = R_b\ns = s\nh = h"

    def step(
        self, Wx: Tensor, state: tuple[Tensor, ...], R: Recurrence, note: Note = ignore
    ) -> tuple[Tensor, ...]:
        h, s = state
        a, b = Wx.chunk(2, -1)
        share = Wx.new_full((h.shape[-1],), 0.3)
        s = s * share + (a + R(h, "a")).sin()
        h = (b + R(s, "b")).where(s > 0.1, h.exp().clamp_min(0.5)) / (1 + s.square())
        h = h.tanh().lerp(a, 0.25)
        note(s=s, h=h)
        return h, s


every_cell = pytest.mark.parametrize("cell", [*cells.all(), Leaky()], ids=[*cells.names(), "leaky"])


@dataclass(frozen=True)
class Sizes:
    """Of a stack: each different from the others."""

    inputs: int
    hidden: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def tolerance(self) -> float:
        return NORMED if self.options.get("layer_norm") else TOLERANCE

    def stack(self, cell: Cell, seed: int) -> Recurrent:
        torch.manual_seed(seed)
        stack = Recurrent(self.inputs, self.hidden, cell=cell, batch_first=True, **self.options)
        for name, parameter in stack.named_parameters():  # else norms do nothing, and zeros
            if name.startswith(("norm", "initial")):
                torch.nn.init.normal_(parameter)
        return stack.eval()


@st.composite
def sizes(draw: st.DrawFn, *, both_ways: bool = True) -> Sizes:
    inputs, *hidden = draw(st.permutations([5, 6, 7, 8]))  # layer norm of two numbers is a sign
    depth = draw(st.integers(1, 3))
    several = st.lists(st.booleans(), min_size=depth, max_size=depth)
    options = {
        "bidirectional": draw(several) if both_ways else False,
        "bias": draw(st.booleans()),
        "layer_norm": draw(st.booleans()),
        "initial_state": draw(st.sampled_from(["zero", "learned"])),
        "zoneout": draw(st.sampled_from([0.0, 0.0, 0.2])),
    }
    return Sizes(inputs, tuple(hidden[:depth]), options)


def program_of(stack: Recurrent, *, carried: bool) -> Program:
    build = Builder(stack)
    x = build.numbers("x", "B", "T", stack.input_size)
    y, _ = build.stack(stack, x, None if carried else build.lengths(), carried=carried)
    return build.done(build.slice(y, 0, build.width(y)))


def opened(program: Program, folder: Path, storage: Any = "float32") -> Network:
    states = [
        {"name": s.name, "before": s.before, "after": s.after, "initial": s.initial.tolist()}
        for s in program.states
    ]
    path = folder / "model.onnx"
    path.write_bytes(model_of(program, "model", storage, {"states": states}))
    return Network(path)


def drawn(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@every_cell
@given(size=sizes(), seed=st.integers(0, 1000))
@few
def test_sequences_of_unequal_length_as_the_stack_reads_them(
    cell: Cell, size: Sizes, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack = size.stack(cell, seed)
    network = opened(program_of(stack, carried=False), tmp_path_factory.mktemp("export"))
    for B, T in ((3, 7), (1, 1), (2, 4)):
        x = drawn(seed, B, T, size.inputs)
        lengths = np.random.default_rng(seed).integers(1, T + 1, B)
        outputs, _ = network.run({"x": x, "lengths": lengths})
        packed = pack_padded_sequence(
            torch.from_numpy(x), torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
        )
        with torch.no_grad():
            y, _ = stack(packed)
        assert isinstance(y, PackedSequence)
        expected, _ = pad_packed_sequence(y, batch_first=True, total_length=T)
        (made,) = outputs.values()
        np.testing.assert_allclose(made, expected.numpy(), rtol=0, atol=size.tolerance)


@every_cell
@given(size=sizes(both_ways=False), seed=st.integers(0, 1000))
@few
def test_a_sequence_in_parts_is_the_whole(
    cell: Cell, size: Sizes, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack = size.stack(cell, seed)
    network = opened(program_of(stack, carried=True), tmp_path_factory.mktemp("export"))
    for B, T in ((3, 7), (1, 2), (2, 5)):
        x = drawn(seed, B, T, size.inputs)
        with torch.no_grad():
            y, after = stack(torch.from_numpy(x))
        assert isinstance(y, Tensor)
        states: dict[str, Array] | None = None
        parts: list[Array] = []
        for part in np.split(x, [1, T // 2] if T > 2 else [1], axis=1):
            outputs, states = network.run({"x": part}, states)
            parts.extend(outputs.values())
        np.testing.assert_allclose(np.concatenate(parts, 1), y.numpy(), rtol=0, atol=size.tolerance)
        assert states is not None
        for name, expected in unstacked(stack, after).items():
            np.testing.assert_allclose(states[name], expected, rtol=0, atol=size.tolerance)
        given_states = {name: drawn(seed + 1, *state.shape) for name, state in states.items()}
        with torch.no_grad():
            again, _ = stack(torch.from_numpy(x), stacked(stack, given_states))
        (made,) = network.run({"x": x}, given_states)[0].values()
        np.testing.assert_allclose(made, cast(Tensor, again).numpy(), rtol=0, atol=size.tolerance)


def test_cells_that_everybody_knows_are_nodes_of_their_own(tmp_path: Path) -> None:
    kinds = {"lstm": "LSTM", "gru": "GRU", "gru-reset-before": "GRU", "rnn": "RNN",
             "rnn-relu": "RNN", "mingru": "Scan"}  # fmt: skip
    for name, kind in kinds.items():
        stack = Sizes(3, (4,)).stack(cells.get(name), 0)
        model = onnx.load_model_from_string(
            model_of(program_of(stack, carried=True), "model", "float32", {})
        )
        used = {node.op_type for node in model.graph.node}
        assert used & {"LSTM", "GRU", "RNN", "Scan"} == {kind}


@every_cell
def test_what_is_written_twice_is_the_same_file(cell: Cell) -> None:
    for carried, norm in itertools.product((False, True), repeat=2):
        stack = Sizes(3, (4, 5), {"layer_norm": norm}).stack(cell, 0)
        one, other = (
            model_of(program_of(stack, carried=carried), "model", "int8", {"é": "中"})
            for _ in range(2)
        )
        assert one == other


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru"])
@pytest.mark.parametrize("norm", [False, True])
def test_int8_is_the_model_of_rounded_weights(cell: str, norm: bool, tmp_path: Path) -> None:
    """What int8 costs is the rounding of weights, and nothing else."""
    stack = Sizes(40, (36, 38), {"layer_norm": norm}).stack(cells.get(cell), 1)
    whole = opened(program_of(stack, carried=True), tmp_path)
    small = opened(program_of(stack, carried=True), tmp_path, "int8")
    x = drawn(2, 3, 5, 40)
    (exact,), (made,) = (net.run({"x": x})[0].values() for net in (whole, small))
    with torch.no_grad():
        for name, parameter in stack.named_parameters():
            if name.startswith("weight"):
                numbers, scale = rounded(parameter.numpy())
                parameter.copy_(torch.from_numpy(numbers * scale))
        y, _ = stack(torch.from_numpy(x))
    np.testing.assert_allclose(made, cast(Tensor, y).numpy(), rtol=0, atol=TOLERANCE)
    assert 1e-5 < np.abs(made - exact).max() < 0.05
    sizes = [len(model_of(program_of(stack, carried=True), "model", storage, {}))
             for storage in ("int8", "float32")]  # fmt: skip
    assert sizes[0] < 0.5 * sizes[1]
