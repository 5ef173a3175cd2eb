# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md
from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from elman import cells
from elman.errors import UserError
from elman.layers.recurrent import Recurrent

few = settings(max_examples=12)
sizes = st.permutations(range(2, 8)).map(lambda p: (p[0], p[1], p[2], p[3]))  # T, B, I, H


def agree(a: Any, b: Any) -> None:
    """Other kernels for the same sums: a few units of the last place of numbers near one."""
    torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_cells_widths_and_directions_differ_by_layer() -> None:
    torch.manual_seed(0)
    stack = Recurrent(
        3, [4, 5, 6], cell=["rnn", "gru", "minlstm"], bidirectional=[False, True, False]
    )
    x = torch.randn(7, 2, 3)
    y, state = stack(x)
    assert y.shape == (7, 2, 6) and stack.output_size == 6
    assert [[tuple(s.shape) for s in part] for part in state] == [
        [(1, 2, 4)],
        [(2, 2, 5)],
        [(1, 2, 6)],
    ]
    assert stack.num_layers == 3 and stack.bidirectional == (False, True, False)
    z = x
    for k, (name, width, H, both) in enumerate(
        [("rnn", 3, 4, False), ("gru", 4, 5, True), ("minlstm", 10, 6, False)]
    ):
        layer = Recurrent(width, H, cell=name, bidirectional=both)
        weights = {n: v for n, v in stack.state_dict().items() if f"_l{k}" in n}
        layer.load_state_dict({n.replace(f"_l{k}", "_l0"): v for n, v in weights.items()})
        z, _ = layer(z)
    agree(y, z)


@pytest.mark.parametrize("widths", [[4, 4], [3, 5], [3, 3]])
def test_residual_adds_the_input_where_widths_agree(widths: list[int]) -> None:
    torch.manual_seed(0)
    stack = Recurrent(3, widths, cell="gru", residual=True)
    x = z = torch.randn(5, 2, 3)
    for k, width in enumerate(widths):
        layer = Recurrent(z.shape[-1], width, cell="gru")
        weights = {n: v for n, v in stack.state_dict().items() if f"_l{k}" in n}
        layer.load_state_dict({n.replace(f"_l{k}", "_l0"): v for n, v in weights.items()})
        y, _ = layer(z)
        z = z + y if z.shape[-1] == width else y
    agree(stack(x)[0], z)


@pytest.mark.parametrize("name", cells.names())
def test_a_learned_initial_state_is_used_and_learns(name: str) -> None:
    layer = Recurrent(3, [4, 5], cell=name, bidirectional=True, initial_state="learned")
    learned = {n: p for n, p in layer.named_parameters() if n.startswith("initial_")}
    assert len(learned) == 2 * len(cells.get(name).states)
    for parameter in learned.values():
        nn.init.uniform_(parameter, 0.1, 1)
    x = torch.randn(6, 2, 3)
    state = [
        tuple(getattr(layer, f"initial_{s}_l{k}")[:, None].repeat(1, 2, 1) for s in cell.states)
        for k, cell in enumerate(layer.cell)
    ]
    agree(layer(x), layer(x, state))
    layer(x)[0].pow(2).sum().backward()
    for parameter in learned.values():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0


def test_weight_drop_is_one_draw_for_the_whole_sequence() -> None:
    """Two sequences alike stay alike, whatever is dropped; the parameter itself stays whole."""
    torch.manual_seed(0)
    layer = Recurrent(3, 40, cell="rnn", weight_drop=0.5)
    before = layer.state_dict()["weight_hh_l0"].clone()
    y, _ = layer(torch.randn(6, 1, 3).expand(6, 2, 3))
    agree(y[:, 0], y[:, 1])
    agree(layer.state_dict()["weight_hh_l0"], before)
    y.sum().backward()
    gradient: Tensor = layer.get_parameter("weight_hh_l0").grad  # type: ignore[assignment]
    # 1,600 draws: standard deviation 0.0125
    assert abs((gradient == 0).float().mean() - 0.5) < 0.07


def test_recurrent_dropout_hides_the_same_units_at_all_steps() -> None:
    """A hidden unit's column of the recurrent weights gets no gradient from any step."""
    torch.manual_seed(0)
    layer = Recurrent(3, 200, cell="lstm", recurrent_dropout=0.3)
    layer(torch.randn(6, 1, 3))[0].sum().backward()
    gradient: Tensor = layer.get_parameter("weight_hh_l0").grad  # type: ignore[assignment]
    hidden_units = (gradient == 0).all(0)
    # 200 draws: standard deviation 0.033
    assert abs(hidden_units.float().mean() - 0.3) < 0.16


def test_layer_norm_makes_the_scale_of_the_weights_irrelevant() -> None:
    torch.manual_seed(0)
    layer, x = Recurrent(3, 5, 2, "gru", layer_norm=True, dtype=torch.float64), torch.randn(6, 2, 3)
    weights = [p.data for n, p in layer.named_parameters() if n.startswith("weight_")]
    outputs = []
    for _ in range(2):
        for weight in weights:
            weight.mul_(1000)
        outputs.append(layer(x.double())[0])
    # Large weights only, since layer norm adds 1e-5 to the variance; beside 1e6 that is nothing.
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=1e-6)
    assert {n for n, _ in layer.named_parameters() if "norm" in n} == {
        f"norm_{side}_l{k}" for side in ("ih", "hh") for k in (0, 1)
    }


def test_a_window_ends_where_the_caller_detaches() -> None:
    layer, x = Recurrent(3, 4, cell="lstm"), torch.randn(6, 2, 3, requires_grad=True)
    _, state = layer(x[:3])
    layer(x[3:], [tuple(s.detach() for s in part) for part in state])[0].sum().backward()
    assert x.grad is not None
    assert x.grad[:3].abs().sum() == 0 and x.grad[3:].abs().sum() > 0


def test_a_state_of_the_wrong_form_is_refused() -> None:
    layer, x = Recurrent(3, 4, 2, "lstm"), torch.randn(6, 2, 3)
    _, state = layer(x)
    for wrong in (
        state[:1],
        [part[:1] for part in state],
        [tuple(s[..., :3] for s in p) for p in state],
    ):
        with pytest.raises(RuntimeError, match="state must"):
            layer(x, wrong)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "gur"}, 'did you mean "gru"'),
        ({"cell": ["gru", "rnn"], "num_layers": 3}, "one entry a layer"),
        ({"cell": ["gru", "rnn"], "hidden_size": [4, 5, 6]}, "one entry a layer"),
        ({"hidden_size": 0}, "at least 1"),
        ({"hidden_size": []}, "num_layers must be at least 1"),
        ({"input_size": 0}, "at least 1"),
        ({"num_layers": 0}, "num_layers must be at least 1"),
        ({"dropout": 1.1}, "dropout must lie between 0 and 1"),
        ({"zoneout": -0.1}, "zoneout must lie"),
        ({"weight_drop": float("nan")}, "weight_drop must lie"),
        ({"initial_state": "random"}, "initial_state"),
        ({"residual": True}, "residual needs"),
        ({"cell": "mingru", "weight_drop": 0.5}, "mingru has none"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Recurrent(**({"input_size": 3, "hidden_size": 4} | options))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", cells.names())
@few
@given(st.data(), sizes)
def test_tokens_are_the_vectors_that_they_stand_for(
    cell: str, dtype: torch.dtype, data: st.DataObject, size: tuple[int, int, int, int]
) -> None:
    T, B, I, H = size
    flag = st.booleans()
    torch.manual_seed(data.draw(st.integers(0, 1000)))
    layer = Recurrent(
        I, H, 2, cell, bias=data.draw(flag), bidirectional=data.draw(flag), dtype=dtype,
        layer_norm=data.draw(flag) and dtype == torch.float64, batch_first=data.draw(flag),
    )  # fmt: skip
    embedding = torch.randn(9, I, dtype=dtype) if data.draw(flag) else None
    rows = torch.eye(I, dtype=dtype) if embedding is None else embedding
    form = data.draw(st.sampled_from(["batch", "one sequence", "packed"]))
    ids = torch.randint(0, len(rows), (T,) if form == "one sequence" else (T, B))
    results = []
    for tokens in (True, False):
        table = rows.clone().requires_grad_()
        x: Any = ids if tokens else table[ids]
        if form == "packed":
            batch, longest = ids.shape if layer.batch_first else ids.T.shape
            lengths = torch.arange(batch) % longest + 1
            x = pack_padded_sequence(x, lengths, layer.batch_first, enforce_sorted=False)
        y, state = layer(x, embedding=table if tokens and embedding is not None else None)
        y = y.data if form == "packed" else y
        leaves = [*layer.parameters(), *([] if embedding is None else [table])]
        results.append([y, *state[1], *torch.autograd.grad(y.sin().sum(), leaves)])
    for ours, theirs in zip(*results, strict=True):
        error = (ours - theirs).abs().max() / (1 + theirs.abs().max())
        assert error < 1e-5  # as in tests/kernels


def test_a_token_without_a_row_is_refused() -> None:
    layer = Recurrent(4, 5)
    for ids, embedding in (([4], None), ([-1], None), ([3], torch.zeros(3, 4))):
        with pytest.raises(IndexError, match="tokens must lie in 0"):
            layer(torch.tensor(ids), embedding=embedding)
    with pytest.raises(RuntimeError, match="rows of 4"):
        layer(torch.tensor([1]), embedding=torch.zeros(9, 3))
    with pytest.raises(ValueError, match="int64"):
        layer(torch.randn(3, 2, 4), embedding=torch.zeros(9, 4))
