"""Models that Keras itself saves, with random weights: what comes out is what Keras says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras_models
import numpy as np
import pytest
import torch
from torch import Tensor

import elman
from elman.errors import UserError
from elman.importing.network import Network

CLOSE = 2e-6  # rounding of float32: outputs are at most a few units large, sequences short
SEED = 7
FORMS = (".keras", ".h5", ".weights.h5")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model of `keras_models` as Keras saves it, made in a process of its own: Keras changes
    settings of PyTorch."""
    folder = tmp_path_factory.mktemp("keras")
    command = [sys.executable, keras_models.__file__, str(folder), str(SEED), *FORMS]
    environment = os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return folder


def arrays(folder: Path, name: str, kind: str) -> list[Tensor]:
    """Inputs (x) or outputs (y) that stand beside a model."""
    with np.load(folder / f"{name}.npz") as file:
        return [torch.from_numpy(file[key]) for key in sorted(file) if key.startswith(kind)]


@torch.no_grad()
def difference(network: Network, folder: Path, name: str) -> float:
    """The largest difference between what a network and what Keras puts out."""
    y, _ = network(*arrays(folder, name, "x"))
    ours, theirs = y if isinstance(y, tuple) else (y,), arrays(folder, name, "y")
    assert [a.shape for a in ours] == [b.shape for b in theirs]
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("name", keras_models.MODELS)
def test_outputs_are_those_of_keras(saved: Path, name: str) -> None:
    assert difference(elman.load_foreign(saved / f"{name}.keras"), saved, name) < CLOSE


@pytest.mark.parametrize("name", ["translator_by_state", "normed", "two_branches", "tagger"])
def test_the_older_form_is_the_same_model(saved: Path, name: str) -> None:
    assert difference(elman.load_foreign(saved / f"{name}.h5"), saved, name) < CLOSE


@pytest.mark.parametrize("name", ["sentiment", "translator_by_state"])
def test_weights_alone_with_the_json_of_the_model_are_the_model(saved: Path, name: str) -> None:
    path, config = saved / f"{name}.weights.h5", saved / f"{name}.json"
    assert difference(elman.load_foreign(path, config=config), saved, name) < CLOSE


def test_weights_of_a_model_that_is_a_class_are_joined_as_told(saved: Path) -> None:
    path = saved / "of_a_class.weights.h5"
    chain = ["embedding", "bidirectional", "simple_rnn", "last", "fc"]
    assert difference(elman.load_foreign(path, layers=chain), saved, "of_a_class") < CLOSE
    with pytest.raises(UserError, match='unknown layer "rnn"; known: embedding, fc, bidirect'):
        elman.load_foreign(path, layers=["embedding", "rnn"])


@torch.no_grad()
def test_a_stateful_model_goes_on_where_its_state_is_handed_back(saved: Path) -> None:
    network = elman.load_foreign(saved / "stateful.keras")
    (x,), (first, second) = arrays(saved, "stateful", "x"), arrays(saved, "stateful", "y")
    y, state = network(x)
    again, _ = network(x, state=state)
    anew, _ = network(x, state=[None, None])
    assert (y - first).abs().max() < CLOSE
    assert (again - second).abs().max() < CLOSE
    assert torch.equal(anew, y)
    assert not torch.equal(again, y)
    assert any("stateful" in line for line in network.account.assumed)


@torch.no_grad()
@pytest.mark.parametrize("name", ["sentiment", "tagger", "merged_ways"])
def test_a_sequence_is_read_alike_alone_and_among_others(saved: Path, name: str) -> None:
    network = elman.load_foreign(saved / f"{name}.keras")
    (x,) = arrays(saved, name, "x")
    together, _ = network(x)
    for k in range(len(x)):
        alone, _ = network(x[k : k + 1])
        assert (alone[0] - together[k]).abs().max() < CLOSE


@torch.no_grad()
def test_what_is_masked_changes_no_state(saved: Path) -> None:
    network = elman.load_foreign(saved / "sentiment.keras")
    (x,) = arrays(saved, "sentiment", "x")
    _, (state,) = network(x[3:])
    _, (after,) = network(torch.zeros_like(x[3:]), state=[state])
    assert all(torch.equal(a, b) for a, b in zip(state, after, strict=True))


@torch.no_grad()
def test_a_sequence_is_its_parts_with_the_state_handed_on(saved: Path) -> None:
    network = elman.load_foreign(saved / "characters_lstm.keras")
    (x,) = arrays(saved, "characters_lstm", "x")
    whole, last = network(x)
    state, parts = None, []
    for part in torch.split(x, [1, 5, 11], 1):
        y, state = network(part, state=state)
        parts.append(y)
    assert (torch.cat(parts, 1) - whole).abs().max() < CLOSE
    assert state is not None
    for one, other in zip(last, state, strict=True):
        assert all((a - b).abs().max() < CLOSE for a, b in zip(one, other, strict=True))


def test_an_imported_network_can_be_trained_on(saved: Path) -> None:
    network = elman.load_foreign(saved / "sentiment.keras").train()
    (x,) = arrays(saved, "sentiment", "x")
    optimizer = torch.optim.SGD(network.parameters(), 0.5)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        y, _ = network(x[3:])
        loss = (y - 1).pow(2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2
    assert all(p.grad is not None for p in network.parameters())


def test_shapes_tell_what_varies(saved: Path) -> None:
    assert elman.load_foreign(saved / "tagger.keras").shapes()[-1] == ("B", "T", "5")
    assert elman.load_foreign(saved / "words_both_ways.h5").shapes() == [
        ("B", "10", "7"), ("B", "10", "11"), ("B", "10"), ("B", "40"),
    ]  # fmt: skip


RECORDED = Path(__file__).parent / "recorded"  # record_keras2.py made it


@pytest.mark.parametrize("name", ["hard_sigmoid", "translator", "cudnn"])
def test_outputs_are_those_of_keras_2(name: str) -> None:
    assert difference(elman.load_foreign(RECORDED / f"{name}.h5"), RECORDED, name) < CLOSE
