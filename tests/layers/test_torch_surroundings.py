"""What is done with PyTorch's recurrent layers beside calling them, done with ours too."""

from __future__ import annotations

import copy
import io
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from namesakes import B, I, T, agree, every_name, pair, same, with_gradients
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode


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
