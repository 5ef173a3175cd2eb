"""An opened model says the same as a closed one, and is left as it was."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import elman.nn
from elman import cells
from elman.errors import UserError
from elman.layers.recurrent import Recurrent
from elman.probe.opened import opened, recurrent_modules

# Sums of fewer than 100 terms in another order, and layer norm, which divides by their spread.
TOLERANCE = 1e-9

every_cell = pytest.mark.parametrize("cell", cells.names())
sizes = st.permutations(range(2, 8)).map(lambda p: (p[0], p[1], p[2], p[3]))  # T, B, I, H
seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=8)

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "ours": elman.nn.LSTM,
}


def flat(value: Any) -> list[Tensor]:
    """Every tensor in nested lists, tuples and packed sequences."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, PackedSequence):
        return [value.data]
    return [tensor for part in value for tensor in flat(part)]


def alike(one: Any, other: Any) -> bool:
    ours, theirs = flat(one), flat(other)
    return len(ours) == len(theirs) and all(
        a.shape == b.shape and bool((a - b).abs().max() < TOLERANCE)
        for a, b in zip(ours, theirs, strict=True)
    )


def packed(x: Tensor, draw: torch.Generator) -> tuple[PackedSequence, Tensor]:
    """Sequences [T, B, ·] of random lengths, one of them T."""
    lengths = torch.randint(1, len(x) + 1, (x.shape[1],), generator=draw)
    lengths[0] = len(x)
    return pack_padded_sequence(x, lengths, enforce_sorted=False), lengths


@every_cell
@few
@given(sizes, seeds, st.integers(0, 7), st.booleans())
def test_an_opened_stack_of_any_cell_says_the_same(
    cell: str, size: tuple[int, int, int, int], seed: int, options: int, whole: bool
) -> None:
    T, B, I, H = size  # noqa: E741
    draw = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    layer = Recurrent(
        I, H, 2, cell=cell, bidirectional=bool(options & 1), layer_norm=bool(options & 2),
        residual=bool(options & 4 and not options & 1), zoneout=0.1,
        initial_state="learned", dropout=0.3, dtype=torch.float64,
    ).eval()  # fmt: skip
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-1, 1)
    x = torch.randn(T, B, I, generator=draw, dtype=torch.float64)
    given_, lengths = (x, torch.full((B,), T)) if whole else packed(x, draw)
    expected = layer(given_)
    with opened(layer) as layers:
        found = layer(given_)
    assert alike(found, expected)
    for seen in layers.passes:
        assert seen.rows.lengths.tolist() == lengths.tolist()
        h = seen.values("h")
        assert h.shape == (T, B, H) and not h[~seen.rows.alive].any()
    top = layers.of("", 1)[0].values("h")
    y = expected[0] if whole else nn.utils.rnn.pad_packed_sequence(expected[0])[0]
    if not options & 4 or options & 1:
        assert (top - y[..., :H]).abs().max() < TOLERANCE
    # Each step leads from the states before it to those after it.
    for seen in layers.passes:
        at = T // 2
        step = seen.steps[at]
        assert alike(seen.advance(step.Wx, step.before), step.after)


@pytest.mark.parametrize("kind", LAYERS)
@few
@given(sizes, seeds, st.integers(0, 15))
def test_an_opened_layer_of_torch_says_the_same(
    kind: str, size: tuple[int, int, int, int], seed: int, options: int
) -> None:
    T, B, I, H = size  # noqa: E741
    draw = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    both, first, bias, states = (bool(options & 1 << k) for k in range(4))
    layer = LAYERS[kind](
        I, H, num_layers=2, bidirectional=both, batch_first=first, bias=bias, dropout=0.5,
        dtype=torch.float64,
    ).eval()  # fmt: skip
    x = torch.randn(T, B, I, generator=draw, dtype=torch.float64)
    shape = (4 if both else 2, B, H)
    h, c = torch.randn(2, *shape, generator=draw, dtype=torch.float64)
    state = ((h, c) if isinstance(layer, nn.LSTM) else h,) if states else ()
    rows, _ = packed(x, draw)
    for given_ in (x.transpose(0, 1) if first else x, rows):
        expected = layer(given_, *state)
        with opened(layer, gradients=True) as layers:
            found = layer(given_, *state)
        assert alike(found, expected) and len(layers.passes) == shape[0]
    if not states:
        expected = layer(x[:, 0])
        with opened(layer):
            assert alike(layer(x[:, 0]), expected)


@pytest.mark.parametrize("embedded", [True, False])
def test_tokens_are_read_as_their_vectors(embedded: bool) -> None:
    layer = Recurrent(5, 4, cell="gru", dtype=torch.float64).eval()
    table = torch.randn(9, 5, dtype=torch.float64) if embedded else None
    tokens = torch.randint(5, (6, 3))
    expected = layer(tokens, embedding=table)
    with opened(layer, gradients=True) as layers:
        found = layer(tokens, embedding=table)
    assert alike(found, expected)
    assert layers.passes[0].x.shape == (6, 3, 5) and layers.passes[0].x.requires_grad


class Model(nn.Module):
    """An embedding, two recurrent modules, one of which is asked twice."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 5)
        self.first = nn.LSTM(5, 4, bidirectional=True)
        self.second = Recurrent(8, 3, cell="gru", dropout=0.5, zoneout=0.5)
        self.drop, self.output = nn.Dropout(0.5), nn.Linear(3, 7)

    def forward(self, tokens: Tensor) -> Tensor:
        y, _ = self.first(self.table(tokens))
        y, state = self.second(y)
        y, _ = self.second(self.first(self.table(tokens))[0], state)
        scores: Tensor = self.output(self.drop(y))
        return scores


def test_the_model_is_left_as_it_was() -> None:
    model, tokens = Model(), torch.randint(7, (6, 3))
    model.first.eval()
    for parameter in model.second.parameters():
        parameter.requires_grad_(False)
    model(tokens).sum().backward()
    seen: list[str] = []
    hook = model.first.register_forward_hook(lambda *_: seen.append("first"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    slopes = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    names = [set(vars(module)) for module in model.modules()]
    random = torch.get_rng_state()
    with opened(model, gradients=True) as layers:
        torch.rand(3)
        y = model(tokens)
        nodes = [node for p in layers.passes for step in p.steps for node in step.after]
        assert all(g is not None for g in torch.autograd.grad(y.sum(), nodes[-3:]))
        assert not any(module.training for module in model.modules())
    assert [call.path for call in layers.calls] == ["first", "second", "first", "second"]
    assert [call.number for call in layers.calls] == [0, 0, 1, 1] and seen == ["first"] * 2
    hook.remove()
    assert torch.equal(random, torch.get_rng_state())
    assert modes == [module.training for module in model.modules()]
    assert names == [set(vars(module)) for module in model.modules()]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    for parameter, slope in zip(model.parameters(), slopes, strict=True):
        assert (parameter.grad is None) == (slope is None)
        assert slope is None or torch.equal(slope, parameter.grad)  # type: ignore[arg-type]


def test_an_error_leaves_it_closed_and_without_gradients_there_is_no_graph() -> None:
    model = Model().train()
    with pytest.raises(ZeroDivisionError), opened(model):
        raise ZeroDivisionError
    assert "forward" not in vars(model.first) and "_run" not in vars(model.second)
    assert model.drop.training
    with opened(model) as layers:
        assert not model(torch.zeros(2, 1, dtype=torch.int64)).requires_grad
    assert not layers.passes[0].steps[0].after[0].requires_grad
    with pytest.raises(UserError, match="open already"), opened(model), opened(model):
        pass


def test_what_cannot_be_opened_is_named_with_its_reason() -> None:
    class Own(nn.LSTM):
        def forward(self, *inputs: Any) -> Any:
            return super().forward(*inputs)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        compiled = torch.jit.script(nn.LSTM(2, 3))
    model = nn.ModuleDict(
        {
            "own": Own(2, 3),
            "narrow": nn.LSTM(2, 3, proj_size=1),
            "cell": nn.GRUCell(2, 3),
            "script": compiled,
            "good": nn.GRU(2, 3),
        }
    )
    found, left = recurrent_modules(model)
    assert list(found) == ["good"]
    for path, word in (
        ("own", "forward"), ("narrow", "projection"), ("cell", "loop"), ("script", "TorchScript"),
    ):  # fmt: skip
        assert word in left[path]
    with pytest.raises(UserError, match=r"no recurrent layer.*projection"), opened(model["narrow"]):
        pass
    with pytest.raises(UserError, match="there is none"), opened(nn.Linear(2, 2)):
        pass
    with pytest.raises(TypeError), opened("lstm"):  # type: ignore[arg-type]
        pass


def test_a_name_that_no_cell_notes_is_a_clear_error() -> None:
    layer = nn.GRU(2, 3)
    with opened(layer) as layers:
        layer(torch.zeros(2, 1, 2))
    with pytest.raises(UserError, match='gru has no "f"; it has h, r, z'):
        layers.passes[0].values("f")
