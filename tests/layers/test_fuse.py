"""Models of PyTorch, fused: the same numbers from Elman's kernels, and nobody else notices."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import elman
from elman import kernels

T, B = 6, 3
needs_kernels = pytest.mark.skipif(
    not kernels.available().instruction_set, reason="no kernel runs here"
)


class Tagger(nn.Module):
    """A model as people write them: packed input, two kinds of layers, one of them used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.encoder = nn.LSTM(4, 5, 2, batch_first=True, dropout=0.3, bidirectional=True)
        self.decoder = nn.GRU(10, 6, batch_first=True)
        self.again = self.decoder
        self.out = nn.Linear(6, 11)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(
            self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
        )
        x, _ = pad_packed_sequence(self.encoder(packed)[0], batch_first=True)
        _, h = self.decoder(x)
        y: Tensor = self.out(self.again(x, h)[0])
        return y


def tagger() -> Tagger:
    torch.manual_seed(0)
    return Tagger()


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(11, (B, T), generator=generator), torch.tensor([4, 6, 5])


def agree(ours: Any, theirs: Any) -> None:
    """Other kernels for the same sums: a few units of the last place of numbers near one."""
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def learned(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The weights after some steps of training, dropout included."""
    torch.manual_seed(2)
    for _ in range(3):
        optimizer.zero_grad()
        model(*batch()).pow(2).sum().backward()
        optimizer.step()
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def test_a_fused_model_learns_the_same() -> None:
    model, fused = tagger(), tagger()
    optimizers = [torch.optim.Adam(m.parameters(), 0.01) for m in (model, fused)]
    assert elman.fuse(fused) is fused  # after the optimiser was made
    agree(fused(*batch())[0].shape, model(*batch())[0].shape)
    agree(learned(fused, optimizers[1]), learned(model, optimizers[0]))
    agree(fused.eval()(*batch()), model.eval()(*batch()))


def test_everything_but_the_forward_pass_stays() -> None:
    model = tagger()
    model.encoder.weight_hh_l1.requires_grad_(False)
    modules, parameters = list(model.named_modules()), list(model.named_parameters())
    keys, text = list(model.state_dict()), repr(model)
    elman.fuse(model)
    assert all(
        a[0] == b[0] and a[1] is b[1] for a, b in zip(modules, model.named_modules(), strict=True)
    )
    assert all(
        a[0] == b[0] and a[1] is b[1]
        for a, b in zip(parameters, model.named_parameters(), strict=True)
    )
    assert list(model.state_dict()) == keys and repr(model) == text
    assert isinstance(model.encoder, nn.LSTM) and isinstance(model.encoder, elman.nn.LSTM)
    assert model.again is model.decoder
    assert not model.encoder.weight_hh_l1.requires_grad
    elman.fuse(model)  # twice is once
    assert isinstance(model.decoder, elman.nn.GRU)
    elman.unfuse(model)
    assert type(model.encoder) is nn.LSTM and type(model.decoder) is nn.GRU


@needs_kernels
def test_the_report_tells_what_runs_each_layer() -> None:
    model = elman.fuse(tagger())
    report = elman.fused(model)
    assert [(row.path, row.layer, row.fused) for row in report.rows] == [
        ("encoder", "LSTM 4→5, 2 layers, both ways", True),
        ("decoder", "GRU 10→6", True),  # once, though it has two names
    ]
    assert str(report) == (
        "encoder  LSTM 4→5, 2 layers, both ways  Elman's kernel for lstm\n"
        "decoder  GRU 10→6                       Elman's kernel for gru"
    )
    model.double()
    assert all("not torch.float64" in row.why for row in elman.fused(model).fused)
    report = elman.fused(elman.unfuse(model))
    assert not report.fused and "elman.fuse would take it" in str(report)
    assert str(elman.fused(nn.Linear(2, 3))) == "no recurrent layer"
    assert "(the model)" in str(elman.fused(elman.fuse(nn.RNN(2, 3))))


class Own(nn.LSTM):
    """A subclass that does something else."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        return super().forward(input * 2, hx)


def replaced() -> nn.Module:
    layer = nn.GRU(2, 3)
    layer.forward = lambda input, hx=None: "mine"  # type: ignore[method-assign,assignment]
    return layer


def parametrised() -> nn.Module:
    return parametrizations.weight_norm(nn.LSTM(2, 3), "weight_hh_l0")  # type: ignore[no-any-return]


def quantised() -> nn.Module:
    dynamic: Any = torch.ao.quantization.quantize_dynamic
    layer: nn.Module = dynamic(nn.Sequential(nn.LSTM(2, 3)), {nn.LSTM})[0]
    return layer


def scripted() -> nn.Module:
    script: Any = torch.jit.script
    layer: nn.Module = script(tagger()).decoder
    return layer


@pytest.mark.filterwarnings("ignore")  # PyTorch's, that some of these are old
@pytest.mark.parametrize(
    ("make", "layer", "why"),
    [
        (lambda: nn.LSTM(2, 3, proj_size=2), "LSTM 2→3", "proj_size"),
        (lambda: Own(2, 3), "Own 2→3", "a class of its own, test_fuse.Own"),
        (lambda: nn.GRUCell(2, 3), "GRUCell 2→3", "step by step"),
        (replaced, "GRU 2→3", "its forward was replaced"),
        (parametrised, "ParametrizedLSTM 2→3", "fuse first"),
        (quantised, "LSTM", "quantised"),
        (scripted, "GRU", "TorchScript"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_left_and_why(make: Any, layer: str, why: str) -> None:
    torch.manual_seed(0)
    inner = make()
    kind = type(inner)
    model = elman.fuse(nn.Sequential(nn.Linear(2, 2), nn.Sequential(inner)))
    assert type(inner) is kind
    (row,) = elman.fused(model).rows
    assert (row.path, row.layer, row.fused) == ("1.0", layer, False) and why in row.why


def test_only_a_module_can_be_fused() -> None:
    functions: list[Any] = [elman.fuse, elman.unfuse, elman.fused]
    for function in functions:
        with pytest.raises(TypeError, match=r"torch\.nn\.Module is needed, got dict"):
            function({})


def test_copies_of_a_fused_model() -> None:
    model, buffer = elman.fuse(tagger().eval()), io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    copies = [
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        torch.load(buffer, weights_only=False),
    ]
    y = model(*batch())
    for other in copies:
        assert isinstance(other.encoder, elman.nn.LSTM) and other.again is other.decoder
        assert torch.equal(other(*batch()), y)
        assert not {id(p) for p in other.parameters()} & {id(p) for p in model.parameters()}
    assert b"elman.layers" not in pickle.dumps(model)  # only the public name is kept


def test_a_checkpoint_goes_both_ways() -> None:
    model, fused, buffer = tagger().eval(), elman.fuse(Tagger()).eval(), io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    fused.load_state_dict(torch.load(buffer, weights_only=True))
    agree(fused(*batch()), model(*batch()))
    model.load_state_dict(fused.state_dict())


def test_tied_weights_stay_tied() -> None:
    model = nn.ModuleList([nn.GRU(4, 4), nn.GRU(4, 4)])
    model[1].weight_hh_l0 = model[0].weight_hh_l0
    elman.fuse(model)
    assert model[0].weight_hh_l0 is model[1].weight_hh_l0
    x = torch.randn(T, B, 4)
    model[1](model[0](x)[0])[0].sum().backward()
    assert model[0].weight_hh_l0.grad is model[1].weight_hh_l0.grad


def test_hooks_made_before_are_called() -> None:
    layer, calls = nn.LSTM(4, 5), []
    layer.register_forward_pre_hook(lambda module, given: calls.append("before"))
    layer.register_forward_hook(lambda module, given, result: calls.append("after"))
    layer.register_full_backward_hook(lambda module, dx, dy: calls.append("backward"))
    elman.fuse(layer)(torch.randn(T, B, 4, requires_grad=True))[0].sum().backward()
    assert calls == ["before", "after", "backward"]


@pytest.mark.parametrize("change", ["double", "half", "bfloat16", "float"])
def test_other_types_are_those_of_pytorch(change: str) -> None:
    model = getattr(tagger().eval(), change)()
    expected = model(*batch())
    elman.fuse(model)
    got = model(*batch())
    assert got.dtype == expected.dtype
    rounding = {"float": 1e-6, "bfloat16": 0.02}.get(change, 0.0)  # by Elman's kernels
    torch.testing.assert_close(got, expected, rtol=0, atol=rounding)
    got = getattr(elman.fuse(tagger().eval()), change)()(*batch())
    torch.testing.assert_close(got, expected, rtol=0, atol=rounding)


def test_options_changed_afterwards_are_followed() -> None:
    """A layer's fields are read at each call, as PyTorch does."""
    layers = [nn.GRU(4, 5, 2), elman.fuse(nn.GRU(4, 5, 2))]
    layers[1].load_state_dict(layers[0].state_dict())
    x = torch.randn(T, T + 1, 4)
    for layer in layers:
        layer.batch_first, layer.dropout = True, 0.5
    results = []
    for layer in layers:
        torch.manual_seed(3)
        results.append(layer(x))
    agree(results[1], results[0])


def weight_norm(layer: nn.Module) -> Any:
    old: Any = torch.nn.utils.weight_norm
    return old(layer, "weight_hh_l0")


def spectral_norm(layer: nn.Module) -> Any:
    old: Any = torch.nn.utils.spectral_norm
    return old(layer, "weight_ih_l0")


def pruned(layer: nn.Module) -> Any:
    by_size: Any = prune.l1_unstructured
    by_size(layer, "weight_hh_l0", 0.5)
    return layer


def new_weight_norm(layer: nn.Module) -> Any:
    return parametrizations.weight_norm(layer, "weight_hh_l0")


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
@pytest.mark.parametrize("bend", [weight_norm, spectral_norm, pruned, new_weight_norm])
@pytest.mark.parametrize("fuse_first", [False, True])
def test_norms_and_pruning_of_weights(bend: Any, fuse_first: bool) -> None:
    x = torch.randn(T, B, 4)
    results = []
    for ours in (False, True):
        torch.manual_seed(0)
        layer: Any = nn.LSTM(4, 5)
        if ours and fuse_first:
            elman.fuse(layer)
        layer = bend(layer)
        if ours and not fuse_first:
            elman.fuse(layer)
        leaves = list(layer.parameters())
        optimizer = torch.optim.SGD(leaves, 0.1)
        for _ in range(2):  # the weights that it computes with follow its parameters
            y, _ = layer(x)
            optimizer.zero_grad()
            y.pow(2).sum().backward()
            optimizer.step()
        results.append([y, *leaves])
        if ours:
            (row,) = elman.fused(layer).rows
            assert row.fused == (fuse_first or not parametrize.is_parametrized(layer))
    agree(results[1], results[0])


class DoesNothing(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight


def test_a_parametrised_fused_layer_can_be_unwound() -> None:
    layer = elman.fuse(nn.GRU(4, 5))
    parametrize.register_parametrization(layer, "weight_hh_l0", DoesNothing())
    assert isinstance(layer, elman.nn.GRU)
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(layer) is elman.nn.GRU


def test_containers_hold_fused_layers() -> None:
    model = nn.Sequential(
        OrderedDict(a=nn.ModuleDict({"b": nn.RNN(2, 3, nonlinearity="relu")}), c=nn.ModuleList())
    )
    model.get_submodule("a").forward = lambda x: model.a["b"](x)[0]  # type: ignore
    elman.fuse(model)
    assert [row.path for row in elman.fused(model).fused] == ["a.b"]


PARALLEL = """
import sys, torch, torch.distributed as dist, elman
from torch import nn
from torch.nn.parallel import DistributedDataParallel

rank, file = int(sys.argv[1]), sys.argv[2]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=2)
for wrapped_first in (False, True):
    torch.manual_seed(0)
    layer, alone = nn.GRU(4, 5, bidirectional=True), nn.GRU(4, 5, bidirectional=True)
    alone.load_state_dict(layer.state_dict())
    if not wrapped_first:
        elman.fuse(layer)
    model = elman.fuse(DistributedDataParallel(layer))
    assert len(elman.fused(model).fused) == 1
    xs = torch.randn(2, 6, 3, 4)
    model(xs[rank])[0].pow(2).sum().backward()
    sum(alone(x)[0].pow(2).sum() for x in xs).div(2).backward()
    for a, b in zip(layer.parameters(), alone.parameters()):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-5)
dist.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="no torch.distributed here")
def test_two_processes_learn_as_one(tmp_path: Path) -> None:
    """Wrapped before or after it was fused, a model gets the mean of all gradients."""
    command = [sys.executable, "-W", "ignore", "-c", PARALLEL]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meeting")], stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
