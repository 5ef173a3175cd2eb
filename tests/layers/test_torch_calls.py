"""What goes into PyTorch's recurrent layers, and what comes out, asked of ours too."""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from namesakes import (
    BF16_ROUNDING,
    B,
    H,
    I,
    T,
    agree,
    every_name,
    flat,
    hidden,
    outcome,
    pair,
    same,
    with_gradients,
)
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elman import kernels
from elman.layers.recurrent import Recurrent

some = settings(max_examples=12)


def swept(result: Any) -> bool:
    """Whether a kernel of Elman's made this."""
    todo, seen = [t.grad_fn for t in flat(result)], set()
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [parent for parent, _ in node.next_functions]
    return any("Sweep" in node.name() for node in seen)


@every_name
@some
@given(st.data(), st.permutations(range(4, 9)))
def test_a_drop_in_is_its_namesake(name: str, data: st.DataObject, size: list[int]) -> None:
    T, B, I, H, _ = size
    flag = st.booleans()
    options: dict[str, Any] = {
        "num_layers": data.draw(st.integers(2, 3)),
        "bias": data.draw(flag),
        "batch_first": data.draw(flag),
        "dropout": data.draw(st.sampled_from([0.0, 0.4])),
        "bidirectional": data.draw(flag),
    }
    if name == "RNN":
        options["nonlinearity"] = data.draw(st.sampled_from(["tanh", "relu"]))
    theirs, ours = pair(name, I, H, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    rows = options["num_layers"] * (1 + options["bidirectional"])
    form = data.draw(st.sampled_from(["padded", "unbatched", "packed"]))
    shape = (B, T, I) if options["batch_first"] else (T, B, I)
    x: Any = torch.randn((T, I) if form == "unbatched" else shape).requires_grad_()
    state = hidden(theirs, *((rows, H) if form == "unbatched" else (rows, B, H)))
    lengths = data.draw(st.lists(st.integers(1, T), min_size=B, max_size=B))
    is_sorted = data.draw(flag)
    lengths = sorted(lengths, reverse=True) if is_sorted else lengths

    def scenario(layer: nn.Module) -> Any:
        first, given = options["batch_first"], x
        if form == "packed":
            given = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=is_sorted)
        alone = layer(given)
        gradients = with_gradients(layer, given, state, extra=(x,))
        swept_by.append(swept(alone))
        return *flat(alone), *gradients

    swept_by: list[bool] = []
    agree(outcome(ours, scenario), outcome(theirs, scenario))
    # Four steps are few, but the layers are small; a kernel of Elman's takes them where it can.
    long_enough = form != "packed" or max(lengths) > 3 or name == "LSTM"
    assert swept_by == [bool(kernels.available().instruction_set) and long_enough, False]


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("form", ["padded", "unbatched", "packed"])
def test_recurrent_is_asked_the_same_way(name: str, form: str) -> None:
    theirs = getattr(nn, name.upper())(I, H, 2, batch_first=True, bidirectional=True)
    ours = Recurrent(I, H, 2, name, batch_first=True, bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    x: Any = torch.randn((T, I) if form == "unbatched" else (B, T, I))
    if form == "packed":
        x = pack_padded_sequence(x, [2, 6, 3], batch_first=True, enforce_sorted=False)
    y, state = theirs(x)
    y_ours, state_ours = ours(x)
    agree(flat(y_ours), flat(y))
    states = zip(*state_ours, strict=True)
    agree([torch.cat(parts) for parts in states], flat(state))


@every_name
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    ("x", "state", "expected"),
    [
        ((), None, ValueError),
        ((5,), None, ValueError),
        ((2, 3, 4, 5), None, ValueError),
        ((T, B, 9), None, RuntimeError),
        ((T, 9), None, RuntimeError),
        ((0, 0, I), None, RuntimeError),
        ((T, B, I), (1, 7, H), RuntimeError),
        ((T, B, I), (2, B, H), RuntimeError),
        ((T, B, I), (1, B, 9), RuntimeError),
        ((T, B, I), (1, H), RuntimeError),
        ((T, I), (1, 1, H), RuntimeError),
        ((T, I), (2, H), RuntimeError),
    ],
    ids=str,
)
def test_wrong_shapes(
    name: str, batch_first: bool, x: Any, state: Any, expected: type[Exception]
) -> None:
    def scenario(layer: nn.Module) -> Any:
        return layer(torch.randn(x), *([hidden(layer, *state)] if state else []))

    same(name, scenario, expected, word_for_word=True, batch_first=batch_first)


@every_name
def test_wrong_types_of_numbers(name: str) -> None:
    def state_of(layer: nn.Module, change: Callable[[Tensor], Tensor]) -> Any:
        h = hidden(layer, 1, B, H)
        return tuple(map(change, h)) if isinstance(h, tuple) else change(h)

    x = torch.randn(T, B, I)
    same(name, lambda layer: layer(x.double()), ValueError)
    same(name, lambda layer: layer(x.long()), ValueError)
    same(name, lambda layer: layer(x.tolist()), AttributeError)
    same(name, lambda layer: layer(x, state_of(layer, Tensor.double)), RuntimeError)
    same(name, lambda layer: layer(x, state_of(layer, lambda h: h.to("meta"))), RuntimeError)


def test_the_wrong_number_of_states() -> None:
    x, h = torch.randn(T, B, I), torch.randn(1, B, H)
    same("LSTM", lambda layer: layer(x, (h,)), IndexError)
    same("LSTM", lambda layer: layer(x, (h, h, h)), RuntimeError)
    same("LSTM", lambda layer: layer(x, h), IndexError)
    same("LSTM", lambda layer: layer(x, [h, h]))
    same("GRU", lambda layer: layer(x, (h, h)), AttributeError)
    same("RNN", lambda layer: layer(x, (h,)), AttributeError)


@every_name
def test_packed_input_that_does_not_fit(name: str) -> None:
    def packed(width: int) -> PackedSequence:
        return pack_padded_sequence(torch.randn(T, 2, width), [6, 3])

    same(name, lambda layer: layer(packed(9)), RuntimeError)
    same(name, lambda layer: layer(packed(I), hidden(layer, 1, 3, H)), RuntimeError)
    same(name, lambda layer: layer(packed(I), hidden(layer, 1, 2, 9)), RuntimeError)


@every_name
def test_nothing_to_read(name: str) -> None:
    """No time step is an error, no sequence is none, and has gradients."""
    same(name, lambda layer: layer(torch.randn(0, B, I)), RuntimeError)
    empty = torch.randn(T, 0, I, requires_grad=True)
    same(name, lambda layer: with_gradients(layer, empty, extra=(empty,)))
    same(name, lambda layer: layer(torch.randn(T, 0, I), hidden(layer, 1, 0, H)))


VIEWS: dict[str, Callable[[], Tensor]] = {
    "transposed": lambda: torch.randn(B, T, I).transpose(0, 1),
    "every other": lambda: torch.randn(T, B, 2 * I)[..., ::2],
    "inner first": lambda: torch.randn(I, B, T).permute(2, 1, 0),
    "expanded over the batch": lambda: torch.randn(T, 1, I).expand(T, B, I),
    "expanded over all": lambda: torch.randn(1, 1, 1).expand(T, B, I),
    "overlapping windows": lambda: torch.randn(T + B + I).as_strided((T, B, I), (1, 1, 1)),
    "an offset": lambda: torch.randn(T * B * I + 1)[1:].view(T, B, I),
    "lazily negated": lambda: torch._neg_view(torch.randn(T, B, I)),
}


@every_name
@pytest.mark.parametrize("view", VIEWS)
def test_memory_of_every_form(name: str, view: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        x = VIEWS[view]()
        narrow = nn.Linear(I, H, bias=False)
        state = narrow(x[:1]).detach().expand(1, B, H)
        if view == "lazily negated":
            state = torch._neg_view(state.contiguous())
        return with_gradients(layer, x, (state, state) if isinstance(layer, nn.LSTM) else state)

    same(name, scenario)


@every_name
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -float("inf"), 3e38])
def test_numbers_that_are_none(name: str, odd: float) -> None:
    """NaN and infinity come out in the same places, and nowhere else."""

    def scenario(layer: nn.Module) -> Any:
        x = torch.randn(T, B, I)
        x[2, 1, 0] = odd
        return layer(x), layer(x.abs(), hidden(layer, 2, B, H))

    same(name, scenario, bidirectional=True)
    if name == "RNN":
        same(name, scenario, bidirectional=True, nonlinearity="relu")


@every_name
def test_weights_that_are_no_numbers(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        with torch.no_grad():
            layer.get_parameter("weight_hh_l0")[1, 2] = float("nan")
        y, state = layer(torch.randn(T, B, I))
        gradients = torch.autograd.grad(y.sum(), list(layer.parameters()))
        return [t.isnan() for t in flat((y, state, gradients))]

    same(name, scenario)


@every_name
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_types_of_numbers(name: str, dtype: torch.dtype) -> None:
    def scenario(layer: nn.Module) -> Any:
        y, state = layer.to(dtype)(torch.randn(T, B, I, dtype=dtype))
        assert y.dtype == dtype
        return [y, *flat(state), *torch.autograd.grad(y.sum(), list(layer.parameters()))]

    rounding = BF16_ROUNDING if dtype == torch.bfloat16 else 1e-5
    same(name, scenario, rounding=rounding, num_layers=2)


@every_name
def test_autocast(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return layer(torch.randn(T, B, I))

    same(name, scenario, rounding=BF16_ROUNDING)


@pytest.mark.filterwarnings("ignore:LSTM with projections")  # so says PyTorch of its own kernel
def test_a_projection() -> None:
    same("LSTM", lambda layer: with_gradients(layer, torch.randn(T, B, I)), proj_size=2)


@every_name
def test_no_storage(name: str) -> None:
    shapes = [
        [t.shape for t in flat(layer.to("meta")(torch.empty(T, B, I, device="meta")))]
        for layer in pair(name, num_layers=2)
    ]
    assert shapes[0] == shapes[1]
