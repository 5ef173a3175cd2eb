"""What PyTorch's recurrent layers learn from, and what they keep for it, asked of ours too."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from namesakes import B, H, I, Scenario, T, agree, every_name, flat, hidden, same, with_gradients
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


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
