"""Dynamic evaluation: it learns from what it has read, and from nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Text
from numpy.typing import NDArray
from torch import Tensor

import elman
from elman import tasks
from elman.errors import UserError
from elman.options import make
from elman.tasks.adapting import Adapting
from elman.tasks.text import costs, dynamic
from elman.tasks.text.dynamic import Pace
from elman.tasks.text.model import LanguageNetwork
from elman.tasks.text.options import TextOptions

few = settings(max_examples=8)


def model_of(symbols: int, seed: int, **more: Any) -> LanguageNetwork:
    torch.manual_seed(seed)
    options = {"hidden_size": 6, "embedding": 0, "dropout": 0.5, "weight_drop": 0.5} | more
    return LanguageNetwork(symbols, make(TextOptions, options)).double()


def pace_of(model: LanguageNetwork, rate: float = 100.0) -> Pace:
    draw = torch.Generator().manual_seed(1)
    return Pace([torch.rand(p.shape, generator=draw, dtype=p.dtype) for p in model.parameters()],
                rate)  # fmt: skip


def nats(model: LanguageNetwork, ids: NDArray[np.int64], first: int, stop: int, pace: Pace) -> Any:
    blocks = dynamic.scored(model, Text(ids), first, stop, "cpu", pace)
    return costs.in_order(blocks, first, stop).nats


@few
@given(
    first=st.integers(1, 300), count=st.integers(1, 90), more=st.integers(1, 60),
    cell=st.sampled_from(["lstm", "gru", "rnn"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_a_prefix_costs_the_same_whatever_follows(
    first: int, count: int, more: int, cell: str, seed: int
) -> None:
    ids = np.random.default_rng(seed).integers(0, 7, first + count + more)
    model = model_of(7, seed, cell=cell, initial_state="learned")
    pace, stop = pace_of(model), first + count
    whole = nats(model, ids, first, stop + more, pace)[:count]
    other = ids.copy()
    other[stop:] = 6 - other[stop:]
    # Sums of another length are rounded otherwise, in float64.
    assert nats(model, ids, first, stop, pace) == pytest.approx(whole, rel=1e-9)
    assert nats(model, other, first, stop + more, pace)[:count] == pytest.approx(whole, rel=1e-9)


@few
@given(seed=st.integers(0, 99), first=st.integers(1, 40), segments=st.integers(1, 3))
def test_each_segment_is_one_step_of_the_formula(seed: int, first: int, segments: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 5, first + segments * dynamic.SEGMENT)
    model = model_of(5, seed)
    pace = pace_of(model)
    found = nats(model, ids, first, len(ids), pace)

    model.eval()
    theta = {name: p.detach().clone() for name, p in model.named_parameters()}
    trained = {name: p.clone() for name, p in theta.items()}
    text = torch.from_numpy(ids)[:, None]
    with torch.no_grad():
        state = model(text[: first - 1])[1] if first > 1 else None
    expected: list[Tensor] = []
    for k in range(segments):
        at = first + k * dynamic.SEGMENT
        for p in theta.values():
            p.requires_grad_()
        part = text[at - 1 : at + dynamic.SEGMENT]
        scores, after = torch.func.functional_call(model, theta, (part[:-1], state))
        each = F.cross_entropy(scores[:, 0], part[1:, 0], reduction="none")
        expected.append(each.detach())
        gradients = torch.autograd.grad(each.mean(), list(theta.values()))
        state = [tuple(s.detach() for s in layer) for layer in after]
        theta = {
            name: (p - step * g + back * (trained[name] - p)).detach()
            for (name, p), g, step, back in zip(
                theta.items(), gradients, pace.steps, pace.back, strict=True
            )
        }
    assert found == pytest.approx(torch.cat(expected).numpy(), rel=1e-9)


def test_the_model_itself_stays_as_it_is() -> None:
    ids = np.random.default_rng(0).integers(0, 5, 200)
    model = model_of(5, 0).train()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    nats(model, ids, 1, 200, pace_of(model))
    dynamic.sizes(model, Text(ids), 200, "cpu", segments=3)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert all(p.grad is None for p in model.parameters())
    assert model.training


def test_sizes_are_those_of_gradients_on_the_training_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamic, "STREAMS", 1)
    ids = np.random.default_rng(5).integers(0, 5, 2 * dynamic.SEGMENT + 1)
    model = model_of(5, 1).eval()
    (*found,) = dynamic.sizes(model, Text(np.concatenate([ids, ids])), len(ids), "cpu", segments=1)
    text = torch.from_numpy(ids)[:, None]
    with torch.no_grad():
        _, state = model(text[: dynamic.SEGMENT])
    scores, _ = model(text[dynamic.SEGMENT : -1], state)
    loss = F.cross_entropy(scores[:, 0], text[dynamic.SEGMENT + 1 :, 0])
    for size, gradient in zip(
        found, torch.autograd.grad(loss, list(model.parameters())), strict=True
    ):
        torch.testing.assert_close(size, gradient.abs())


@pytest.mark.parametrize("stop", [2, 3, 10, 41, 42, 300])
def test_the_shortest_training_text_has_sizes(stop: int) -> None:
    ids = np.random.default_rng(5).integers(0, 5, stop)
    found = dynamic.sizes(model_of(5, 1), Text(ids), stop, "cpu", segments=2)
    assert all(bool(size.isfinite().all()) for size in found)


def test_without_a_rate_nothing_is_learnt() -> None:
    ids = np.random.default_rng(0).integers(0, 5, 120)
    model = model_of(5, 3).eval()
    blocks = costs.carried(model, Text(ids), 5, 120, "cpu", 1)
    expected = costs.in_order(blocks, 5, 120).nats
    assert nats(model, ids, 5, 120, pace_of(model, rate=0.0)) == pytest.approx(expected, rel=1e-9)


def test_a_text_of_another_kind_is_adapted_to(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("dynamic")
    draw = np.random.default_rng(2)
    for name, words in (("one", ["the", "cat", "sat"]), ("two", ["tac", "tas", "eht"])):
        (folder / name).write_text(" ".join(draw.choice(words, 400)), encoding="utf-8")
    run = elman.train(
        "text", folder / "one", run=folder / "run", epochs=2, hidden_size=16, batch_size=8,
        learning_rate=0.02, sample=0, threads=1,
    )  # fmt: skip
    scores = run.evaluate(folder / "two", dynamic=True, dynamic_rate=10).scores
    assert next(iter(scores)) == "nats"
    assert scores["dynamic_nats"] < 0.8 * scores["nats"]
    assert run.evaluate(folder / "two").scores["nats"] == scores["nats"]
    report = (run.path / "report.md").read_text(encoding="utf-8")
    assert f"elman evaluate {run.path} DATA --dynamic" in report
    assert f"--config {run.path / 'options.toml'} --mix-ngram" in report
    own = run.evaluate(dynamic=True).scores
    assert own["dynamic_nats"] < own["nats"] + 0.1


def test_options_that_do_not_fit_are_refused(tmp_path: Any) -> None:
    with pytest.raises(UserError, match=r"--dynamic-rate 2\.0: needs --dynamic"):
        Adapting(dynamic_rate=2.0)
    (tmp_path / "text").write_text("abcab" * 40, encoding="utf-8")
    run = elman.train(
        "text", tmp_path / "text", run=tmp_path / "run", epochs=1, hidden_size=3, sample=0,
        bidirectional=True, sequence_length=4, threads=1,
    )  # fmt: skip
    with pytest.raises(UserError, match="--dynamic: not for a model that reads window by window"):
        run.evaluate(dynamic=True)
    run._trained = dataclasses.replace(run._trained, task=tasks.get("tag"))
    with pytest.raises(UserError, match="--dynamic: for language models; the task is tag"):
        run.evaluate(dynamic=True)
