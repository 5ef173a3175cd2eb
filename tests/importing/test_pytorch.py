"""State_dicts of PyTorch's own modules, with random weights and sizes: the same outputs."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor, nn

import elman
from elman.errors import UserError

CLOSE = 2e-6  # rounding of float32


class Scorer(nn.Module):
    """Embedding, a recurrent module of any kind, a linear layer."""

    def __init__(
        self, kind: type[nn.RNN | nn.LSTM | nn.GRU], symbols: int, E: int, H: int, layers: int,
        both: bool, outputs: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.embedding = nn.Embedding(symbols, E)
        self.rnn = kind(E, H, layers, bidirectional=both, batch_first=True)
        self.fc = nn.Linear(H * (1 + both), outputs)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.rnn(self.embedding(x))[0])
        return scores

    def last(self, x: Tensor) -> Tensor:
        """By what each direction put out at its own last step."""
        _, state = self.rnn(self.embedding(x))
        h = state[0] if isinstance(state, tuple) else state
        ways = 2 if self.rnn.bidirectional else 1
        scores: Tensor = torch.relu(self.fc(torch.cat(tuple(h[-ways:]), -1)))
        return scores


@torch.no_grad()
@settings(max_examples=10)
@given(
    kind=st.sampled_from([nn.RNN, nn.LSTM, nn.GRU]),
    sizes=st.lists(st.integers(2, 9), min_size=4, max_size=4, unique=True),
    layers=st.integers(1, 3),
    both=st.booleans(),
    pickled=st.booleans(),
)
def test_outputs_are_those_of_pytorch(
    tmp_path_factory: pytest.TempPathFactory, kind: type[nn.RNN | nn.LSTM | nn.GRU],
    sizes: list[int], layers: int, both: bool, pickled: bool,
) -> None:  # fmt: skip
    symbols, E, H, outputs = sizes
    model = Scorer(kind, symbols, E, H, layers, both, outputs)
    path = tmp_path_factory.mktemp("m") / ("m.pt" if pickled else "m.safetensors")
    torch.save(model.state_dict(), path) if pickled else save_file(model.state_dict(), path)
    x = torch.randint(symbols, (3, 7))
    in_order = elman.load_foreign(path, layers=["embedding", "rnn", "fc"])
    assert (in_order(x)[0] - model(x)).abs().max() < CLOSE
    last = elman.load_foreign(path, layers=["embedding", "rnn", "last", "fc", "relu"])
    assert (last(x)[0] - model.last(x)).abs().max() < CLOSE


@torch.no_grad()
def test_the_order_is_found_by_the_widths_though_names_are_sorted(tmp_path: Path) -> None:
    model = Scorer(nn.LSTM, 11, 5, 6, 2, True, 11)
    renamed = {f"a{name}" if name.startswith("fc") else name: t
               for name, t in model.state_dict().items()}  # fmt: skip
    save_file(renamed, tmp_path / "m.safetensors")  # which sorts them: afc, embedding, rnn
    network = elman.load_foreign(tmp_path / "m.safetensors")
    x = torch.randint(11, (3, 7))
    assert (network(x)[0] - model(x)).abs().max() < CLOSE
    assert [node.name for node in network.plan.nodes] == ["embedding", "rnn.0", "rnn.1", "afc"]
    assert any("order" in line for line in network.account.assumed)


@torch.no_grad()
@pytest.mark.parametrize("wrap", [
    lambda state: {"epoch": 3, "model_state_dict": state},
    lambda state: {"module." + name: t for name, t in state.items()},
    lambda state: {"state_dict": {"model." + name: t.double() for name, t in state.items()}},
    lambda state: {name: t.bfloat16() for name, t in state.items()},
])  # fmt: skip
def test_checkpoints_wrapped_models_and_other_floats_are_read(tmp_path: Path, wrap: Any) -> None:
    model = Scorer(nn.GRU, 12, 4, 5, 1, False, 3)
    torch.save(wrap(model.state_dict()), tmp_path / "m.pth")
    network = elman.load_foreign(tmp_path / "m.pth")
    x = torch.randint(12, (2, 6))
    close = 0.05 if "bfloat16" in str(wrap(model.state_dict()).values()) else CLOSE
    assert (network(x)[0] - model(x)).abs().max() < close


@torch.no_grad()
def test_norms_pools_and_the_other_nonlinearity(tmp_path: Path) -> None:
    model = nn.ModuleDict({
        "rnn": nn.RNN(4, 6, nonlinearity="relu", batch_first=True), "norm": nn.LayerNorm(6),
        "fc": nn.Linear(6, 3),
    })  # fmt: skip
    torch.save(model.state_dict(), tmp_path / "m.pt")
    network = elman.load_foreign(
        tmp_path / "m.pt", layers=["rnn:relu", "norm", "mean", "fc", "tanh"]
    )
    x = torch.randn(3, 8, 4)
    y = torch.tanh(model["fc"](model["norm"](model["rnn"](x)[0]).mean(1)))
    assert (network(x)[0] - y).abs().max() < CLOSE


class Trap:
    """Leaves a file behind where a pickle is executed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    for save in (torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))):
        save({"fc.weight": Trap(tmp_path / "trapped")}, tmp_path / "m.pt")
        with pytest.raises(UserError, match=r"m\.pt: "):
            elman.load_foreign(tmp_path / "m.pt")
    torch.save(nn.Linear(2, 3), tmp_path / "m.pt")
    with pytest.raises(UserError, match=r"save model\.state_dict\(\) instead"):
        elman.load_foreign(tmp_path / "m.pt")
    assert not (tmp_path / "trapped").exists()


def weights(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    return {name.replace("__", "."): torch.ones(shape) for name, shape in shapes.items()}


LSTM = {"rnn__weight_ih_l0": (8, 3), "rnn__weight_hh_l0": (8, 2)}
BAD: list[tuple[Mapping[str, Any], list[str], str]] = [
    ({}, [], "holds no tensors"),
    ({"fc.weight": torch.full((2, 2), torch.nan)}, [], r"fc\.weight holds numbers that are not"),
    ({"fc.weight": torch.ones(2, 2, dtype=torch.int64)}, [], "save weights of float32"),
    (weights(rnn__weight_ih_l0=(8, 3)), [], "rnn: weight_ih or weight_hh is missing"),
    (weights(rnn__weight_ih_l0=(7, 3), rnn__weight_hh_l0=(8, 2)), [], "no RNN, LSTM or GRU"),
    (weights(**LSTM, rnn__weight_hr_l0=(2, 2)), [], r"rnn\.weight_hr_l0: is no part of"),
    (weights(**LSTM, rnn__weight_ih_l2=(8, 2), rnn__weight_hh_l2=(8, 2)), [], "layers are missing"),
    (weights(**LSTM, rnn__bias_ih_l0=(8,)), [], "its biases do not fit"),
    (weights(conv__weight=(2, 3, 4)), [], "is no layer that is read"),
    (weights(**LSTM, fc__weight=(5, 4), fc__bias=(5,)), [], r"fit in no order \(rnn 3 → 2, fc 4"),
    (weights(b__weight=(3, 4), b__bias=(3,), c__weight=(3, 3), c__bias=(3,), d__weight=(3, 3),
             d__bias=(3,), a__weight=(4, 5), a__bias=(4,)), [],
     "fit in several orders"),
    (weights(**LSTM), ["rnn", "lest"], 'unknown layer "lest"; did you mean "last"'),
    (weights(**LSTM), ["rnn:relus"], "only an nn.RNN has one"),
    (weights(**LSTM), ["last"], "names no module"),
    (weights(**LSTM, fc__weight=(5, 4), fc__bias=(5,)), ["rnn", "fc"], 'layer "fc" .* cannot take'),
    (weights(fc__weight=(5, 4), fc__bias=(4,)), [], "its bias does not fit its weight"),
]  # fmt: skip


@pytest.mark.parametrize(("state", "layers", "told"), BAD)
def test_what_does_not_fit_is_told_by_name(
    tmp_path: Path, state: Mapping[str, Any], layers: list[str], told: str
) -> None:
    path = tmp_path / "m.pt"
    torch.save(dict(state), path)
    with pytest.raises(UserError, match=told) as error:
        elman.load_foreign(path, layers=layers)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_tensors_that_only_seem_large_are_refused(tmp_path: Path) -> None:
    vast = torch.ones(1).expand(1 << 20, 1 << 20)
    torch.save({"fc.weight": vast}, tmp_path / "m.pt")
    with pytest.raises(UserError, match="no larger model is read"):
        elman.load_foreign(tmp_path / "m.pt")


def test_damaged_files_are_one_line(tmp_path: Path) -> None:
    model = Scorer(nn.LSTM, 9, 4, 5, 1, False, 9)
    rng = np.random.default_rng(0)
    for name in ("m.pt", "m.safetensors"):
        path = tmp_path / name
        save = torch.save if name.endswith("pt") else save_file
        save(model.state_dict(), path)
        whole = path.read_bytes()
        broken = [whole[: int(len(whole) * share)] for share in (0, 0.01, 0.3, 0.9)]
        for _ in range(8):
            flipped = bytearray(whole)
            for place in rng.integers(0, min(len(whole), 600), 5):
                flipped[place] ^= int(rng.integers(1, 256))
            broken.append(bytes(flipped))
        for data in broken:
            path.write_bytes(data)
            try:
                elman.load_foreign(path)
            except UserError as error:
                assert "\n" not in str(error)
    packed = tmp_path / "bomb.pt"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data.pkl", b"\0" * (64 << 20))
    with pytest.raises(UserError, match="would unpack to"):
        elman.load_foreign(packed)
