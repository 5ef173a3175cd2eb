"""What users of `torch.nn.RNN`, `LSTM` and `GRU` rely on, asked of them and of `elman.nn` alike.

Every scenario runs on PyTorch's layer first, which shows that the expectation is PyTorch's own, and
then on ours with the same weights and random numbers: the same numbers, or the same kind of error.
"""
# ruff: noqa: E741  I is the input size, as in the alphabet of docs/design.md

from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import elman.nn
from elman import kernels
from elman.layers.recurrent import Recurrent

T, B, I, H = 6, 3, 4, 5

every_name = pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
some = settings(max_examples=12)
Scenario = Callable[[nn.Module], Any]


def pair(name: str, *arguments: Any, **options: Any) -> tuple[Any, Any]:
    """PyTorch's layer and ours, each made from the same seed."""
    made = []
    for module in (nn, elman.nn):
        torch.manual_seed(1)
        made.append(getattr(module, name)(*(arguments or (I, H)), **options))
    return made[0], made[1]


def outcome(layer: nn.Module, scenario: Scenario) -> Any:
    """What a scenario gives, or the error that it ends in."""
    torch.manual_seed(2)
    try:
        return scenario(layer)
    except Exception as error:
        return error


def agree(ours: Any, theirs: Any, rounding: float = 1e-5) -> None:
    """Other kernels for the same sums: a few units of the last place of numbers near one.

    Sums over all rows, which gradients of weights are, gather some more.
    """
    torch.testing.assert_close(ours, theirs, rtol=rounding, atol=rounding, equal_nan=True)


# Both round to bf16, at other places: tests/layers/test_half.py holds who is closer to the truth.
BF16_ROUNDING = 0.05


def same(
    name: str,
    scenario: Scenario,
    expected: type[Exception] | None = None,
    *,
    word_for_word: bool = False,
    rounding: float = 1e-5,
    **options: Any,
) -> None:
    """Ours does what PyTorch's layer does: it ends in `expected`, or gives the same numbers."""
    theirs, ours = (outcome(layer, scenario) for layer in pair(name, **options))
    if expected is not None:
        assert isinstance(theirs, expected) and type(ours) is type(theirs)
        assert str(ours) == str(theirs) or not word_for_word
        return
    for result in (theirs, ours):
        if isinstance(result, Exception):
            raise result
    agree(ours, theirs, rounding)


def hidden(layer: nn.Module, *shape: int) -> Any:
    h = torch.randn(shape)
    return (h, torch.randn(shape)) if isinstance(layer, nn.LSTM) else h


def flat(result: Any) -> list[Tensor]:
    """Every tensor of `y, state`, whatever their form."""
    if isinstance(result, Tensor):
        return [result]
    if isinstance(result, PackedSequence):
        return [result.data]
    return [t for part in result for t in flat(part)]


def with_gradients(layer: Any, *inputs: Any, extra: tuple[Tensor, ...] = ()) -> list[Tensor]:
    """The results of a call, and the gradients of all parameters and of `extra`."""
    outputs = [o for o in flat(layer(*inputs)) if o.requires_grad]
    leaves = [*(p for p in layer.parameters() if p.requires_grad), *extra]
    ones = [torch.cos(torch.arange(o.numel()).float()).view(o.shape) for o in outputs]
    return [*outputs, *torch.autograd.grad(outputs, leaves, ones)]


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


@every_name
def test_without_gradients(name: str) -> None:
    x = torch.randn(T, B, I)

    def unrecorded(layer: nn.Module) -> Any:
        with torch.no_grad():
            y = layer(x)
        with torch.inference_mode():
            z = layer(x)
        assert not any(t.requires_grad for t in flat((y, z)))
        assert all(t.is_inference() for t in flat(z)) and not flat(y)[0].is_inference()
        return y, z

    same(name, unrecorded, num_layers=2, dropout=0.5)


@every_name
def test_numbers_made_in_inference_mode_teach_nothing(name: str) -> None:
    with torch.inference_mode():
        x = torch.randn(T, B, I)
    same(name, lambda layer: layer(x), RuntimeError)
    with torch.no_grad():
        same(name, lambda layer: layer(x))


@every_name
def test_copies(name: str) -> None:
    def copied(layer: nn.Module) -> Any:
        x, buffer = torch.randn(T, B, I), io.BytesIO()
        torch.save(layer, buffer)
        buffer.seek(0)
        copies = [
            copy.deepcopy(layer),
            copy.copy(layer),
            pickle.loads(pickle.dumps(layer)),
            torch.load(buffer, weights_only=False),
        ]
        assert all(type(other) is type(layer) for other in copies)
        return [with_gradients(other, x) for other in copies]

    same(name, copied, num_layers=2, bidirectional=True)


@every_name
def test_weights_go_from_one_to_the_other(name: str) -> None:
    theirs, ours = pair(name, num_layers=2, bidirectional=True)
    for here, there in ((theirs, ours), (ours, theirs)):
        here.reset_parameters()
        there.load_state_dict(here.state_dict())
        x = torch.randn(T, B, I)
        agree(there(x), here(x))
    assert repr(ours) == repr(theirs)
    agree(ours.all_weights, theirs.all_weights)
    ours.flatten_parameters()
    assert all(a is b for a, b in zip(ours._flat_weights, ours.parameters(), strict=True))


@every_name
def test_one_layer_used_twice(name: str) -> None:
    def twice(layer: nn.Module) -> Any:
        x = torch.randn(T, B, I)
        y, state = layer(x)
        z, last = layer(x[:4] * 2, state)
        leaves = list(layer.parameters())
        return torch.autograd.grad(y.sum() + z.pow(2).sum() + flat(last)[-1].sum(), leaves)

    same(name, twice)


@every_name
@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_repeat_the_forward_pass(name: str, reentrant: bool) -> None:
    def scenario(layer: nn.Module) -> Any:
        x = torch.randn(T, B, I, requires_grad=True)
        state = torch.get_rng_state()
        plain = with_gradients(layer, x, extra=(x,))
        torch.set_rng_state(state)
        y = checkpoint(lambda x: layer(x)[0], x, use_reentrant=reentrant)
        y.backward(torch.cos(torch.arange(y.numel()).float()).view(y.shape))
        agree(y, plain[0])
        return [p.grad for p in (x, *layer.parameters())]

    same(name, scenario, num_layers=2, dropout=0.5)


@every_name
def test_a_graph_that_is_kept_and_one_that_is_not(name: str) -> None:
    def kept(layer: nn.Module) -> Any:
        y, leaves = layer(torch.randn(T, B, I))[0].sum(), list(layer.parameters())
        first = torch.autograd.grad(y, leaves, retain_graph=True)
        second = torch.autograd.grad(y, leaves)
        torch.testing.assert_close(second, first, rtol=0, atol=0)
        return first

    def spent(layer: nn.Module) -> None:
        y = layer(torch.randn(T, B, I))[0].sum()
        y.backward()
        y.backward()

    same(name, kept, bidirectional=True)
    same(name, spent, RuntimeError)


@every_name
def test_a_gradient_of_the_gradient(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        x = torch.randn(T, B, I, requires_grad=True)
        (dx,) = torch.autograd.grad(layer(x)[0].pow(2).sum(), x, create_graph=True)
        return dx, torch.autograd.grad(dx.pow(2).sum(), [x, *layer.parameters()])

    same(name, scenario, bidirectional=True)


@every_name
def test_inputs_stay_as_they_were(name: str) -> None:
    """Others read what the layer reads, before and after it, and learn from it too."""

    def scenario(layer: nn.Module) -> Any:
        leaf = torch.randn(T, B, I, requires_grad=True)
        x, state = leaf * 1, hidden(layer, 2, B, H)
        before = [t.clone() for t in (x, *flat(state))]
        early = x.exp()
        y, _ = layer(x, state)
        (early.sum() + y.sum() + (y.detach().sum() * x).sin().sum()).backward()
        assert all(torch.equal(a, b) for a, b in zip((x, *flat(state)), before, strict=True))
        return leaf.grad

    same(name, scenario, bidirectional=True)


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
@pytest.mark.parametrize(
    "of_y",
    [
        lambda y: y.sum(),  # its gradient is one number, expanded
        lambda y: y.transpose(0, 1).contiguous().pow(2).sum(),
        lambda y: y[:, 1:, ::2].sum(),
        lambda y: y[-1].sum(),
        lambda y: torch.complex(y, y).conj().imag.sum(),
    ],
    ids=["sum", "transposed", "cut", "last", "conjugate"],
)
def test_gradients_of_every_form(name: str, of_y: Callable[[Tensor], Tensor]) -> None:
    def scenario(layer: nn.Module) -> Any:
        return torch.autograd.grad(of_y(layer(torch.randn(T, B, I))[0]), list(layer.parameters()))

    same(name, scenario)


@every_name
def test_only_the_last_state_is_used(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        _, state = layer(torch.randn(T, B, I))
        return torch.autograd.grad(flat(state)[-1].sum(), list(layer.parameters()))

    same(name, scenario, num_layers=2)


@every_name
@pytest.mark.parametrize("frozen", ["weight_ih_l0", "weight_hh_l0", "bias_hh_l1", "_l0", "l"])
@pytest.mark.parametrize("needs_x", [False, True])
def test_frozen_parameters(name: str, frozen: str, needs_x: bool) -> None:
    def scenario(layer: nn.Module) -> Any:
        for parameter_name, parameter in layer.named_parameters():
            parameter.requires_grad_(frozen not in parameter_name)
        x = torch.randn(T, B, I, requires_grad=needs_x)
        if not needs_x and frozen == "l":
            y, _ = layer(x)
            assert not y.requires_grad
            return y
        return with_gradients(layer, x, extra=(x,) if needs_x else ())

    same(name, scenario, num_layers=2)


@every_name
def test_only_the_first_state_has_a_gradient(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        layer.requires_grad_(False)
        h = torch.randn(1, B, H, requires_grad=True)
        state = (h, torch.zeros(1, B, H)) if isinstance(layer, nn.LSTM) else h
        return torch.autograd.grad(layer(torch.randn(T, B, I), state)[0].sum(), h)

    same(name, scenario)


@every_name
def test_hooks(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        seen: list[Tensor] = []

        def keep(module: nn.Module, dx: Any, dy: Any) -> None:
            seen.extend([dx[0], dy[0]])

        layer.register_forward_pre_hook(lambda m, given: (given[0] * 2, *given[1:]))
        layer.register_forward_hook(lambda m, given, result: (result[0] + 1, result[1]))
        weight: Any = layer.get_parameter("weight_hh_l0")
        weight.register_hook(lambda g: 3 * g)
        layer.register_full_backward_hook(keep)
        x = torch.randn(T, B, I, requires_grad=True)
        return [*with_gradients(layer, x, extra=(x,)), *seen]

    same(name, scenario)


@every_name
def test_other_weights_for_one_call(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        other = {n: torch.randn_like(p).requires_grad_() for n, p in layer.named_parameters()}
        x = torch.randn(T, B, I)
        y, _ = torch.func.functional_call(layer, other, (x,))
        return y, torch.autograd.grad(y.sum(), list(other.values())), layer(x)

    same(name, scenario, bidirectional=True)


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


def changed(what: str) -> Scenario:
    """A pass whose `what` is overwritten between forward and backward."""

    def scenario(layer: nn.Module) -> Any:
        x, h = torch.randn(T, B, I), torch.randn(1, B, H)
        y, state = layer(x, (h, h) if isinstance(layer, nn.LSTM) else h)
        last = flat(state)
        given = {"x": x, "first state": h, "y": y, "last h": last[0], "last c": last[-1]}
        with torch.no_grad() if what.startswith("w") else torch.enable_grad():
            (given[what] if what in given else layer.get_parameter(what)).mul_(2)
        return torch.autograd.grad(y.sum() + last[-1].sum(), list(layer.parameters()))

    return scenario


@every_name
@pytest.mark.parametrize("what", ["x", "first state", "weight_hh_l0"])
def test_what_the_backward_pass_needs_must_not_change(name: str, what: str) -> None:
    same(name, changed(what), RuntimeError)


@every_name
@pytest.mark.parametrize("what", ["last h", "last c"])
def test_states_belong_to_the_caller(name: str, what: str) -> None:
    same(name, changed(what))


@every_name
def test_outputs_that_the_caller_overwrites(name: str) -> None:
    """An LSTM of PyTorch keeps its output for the backward pass; the others do not."""
    same(name, changed("y"), RuntimeError if name == "LSTM" else None)


@pytest.mark.filterwarnings("ignore")  # that it is slow, and where the forward pass was
@every_name
def test_anomaly_mode(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        with torch.autograd.detect_anomaly(check_nan=True):
            y, _ = layer(torch.randn(T, B, I))
            y.sum().backward(retain_graph=True)
            (y.sum() * float("nan")).backward()

    same(name, scenario, RuntimeError)


@every_name
def test_saved_tensors_may_be_packed_away(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        with torch.autograd.graph.saved_tensors_hooks(Tensor.numpy, torch.from_numpy):
            return with_gradients(layer, torch.randn(T, B, I))

    same(name, scenario)


@every_name
def test_backward_from_another_thread(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        y, _ = layer(torch.randn(T, B, I))
        thread = threading.Thread(target=y.sum().backward)
        thread.start()
        thread.join()
        return [p.grad for p in layer.parameters()]

    same(name, scenario)


@every_name
def test_threads_share_a_layer(name: str) -> None:
    def scenario(layer: nn.Module) -> Any:
        xs, results = torch.randn(4, T, B, I), [Tensor()] * 4

        def work(k: int) -> None:
            for _ in range(5):
                results[k] = layer(xs[k])[0]

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return torch.autograd.grad([r.sum() for r in results], list(layer.parameters()))

    same(name, scenario)


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operators that pass."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.filterwarnings("ignore")  # PyTorch's, that TorchScript is old, and of its own checks
@every_name
def test_whoever_follows_the_operators_sees_them(name: str) -> None:
    """Transforms, traces, tangents and modes get PyTorch's operators, as many as from its layer."""

    def transformed(layer: nn.Module) -> Any:
        x = torch.randn(T, B, I)
        return torch.func.grad(lambda x: layer(x)[0].sum())(x)

    def traced(layer: nn.Module) -> Any:
        trace: Any = torch.jit.trace  # it has no types
        trace = trace(layer, (torch.randn(T, B, I),))
        return trace(torch.randn(T + 3, B, I))

    def tangent(layer: nn.Module) -> Any:
        x = torch.randn(T, B, I)
        ad: Any = forward_ad  # it has no types
        with torch.no_grad(), ad.dual_level():
            return ad.unpack_dual(layer(ad.make_dual(x, x))[0]).tangent

    def watched(layer: nn.Module) -> Any:
        with torch.no_grad(), Seen() as seen:  # type: ignore[no-untyped-call]
            layer(torch.randn(T, B, I))
        return torch.tensor(seen.count)

    same(name, transformed)
    same(name, traced)
    same(name, tangent, NotImplementedError if name == "LSTM" else None)
    same(name, watched)


class Doubled(Tensor):
    """A subclass that notices what is done with it."""

    done: list[Any] = []  # noqa: RUF012  one list for all of them is meant

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.done.append(func)
        return super().__torch_function__(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]


@every_name
def test_subclasses_of_tensors_are_left_to_pytorch(name: str) -> None:
    def scenario(layer: Any) -> Any:
        Doubled.done.clear()
        y, _ = layer(torch.randn(T, B, I).as_subclass(Doubled))
        assert type(y) is Doubled and getattr(torch._VF, layer.mode.lower()) in Doubled.done
        return y.as_subclass(Tensor)

    same(name, scenario)


@pytest.fixture
def _fresh_compiler() -> Iterator[None]:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.usefixtures("_fresh_compiler")
@every_name
def test_compiled(name: str) -> None:
    """`torch.compile` leaves recurrent layers of PyTorch out, and ours go PyTorch's way in it."""

    class Model(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.layer(x * 2)[0]
            return y.tanh()

    def scenario(layer: nn.Module) -> Any:
        return with_gradients(torch.compile(Model(layer), backend="eager"), torch.randn(T, B, I))

    same(name, scenario)
