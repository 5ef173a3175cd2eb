"""Several translators that write together: each learns by itself, and what they say is averaged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.batching import padded
from elman.search import Search
from elman.tasks.translate.finding import Together, write
from elman.tasks.translate.model import Source, Translator
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.packed import Packed, packed
from elman.tasks.translate.training import Batch, loss

SYMBOLS = (9, 13)
FORMS: list[dict[str, Any]] = [
    {"context": "first"}, {"context": "each"}, {"attention": "multiplicative"},
    {"attention": "additive", "input_feeding": True},
]  # fmt: skip
each_form = pytest.mark.parametrize("form", FORMS)
seeds = st.integers(0, 2**32 - 1)


def translators(form: dict[str, Any], seed: int) -> Translator:
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    options: dict[str, Any] = {
        "hidden_size": (int(draw.integers(2, 9)),), "embedding": 5, "dropout": 0.0,
        "weight_drop": 0.0, "token_dropout": 0.0, "label_smoothing": 0.1,
        "members": int(draw.integers(2, 5)),
    }  # fmt: skip
    model = Translator(TranslateOptions(**options | form), SYMBOLS, (0, None))
    for network in model.networks:
        torch.nn.init.normal_(network.output.weight, std=2.0)
    return model


def pairs(seed: int) -> Batch:
    draw = np.random.default_rng(seed)
    ours, theirs = (
        [np.append(draw.integers(size, size=draw.integers(0, 7)), size) for _ in range(5)]
        for size in SYMBOLS
    )
    source, source_lengths = padded(ours)
    before, target_lengths = padded([np.append(t[-1:], t[:-1]) for t in theirs])
    return Batch(
        source, source_lengths, before, target_lengths, torch.from_numpy(np.concatenate(theirs))
    )


def encoded(model: Translator, batch: Batch) -> list[Source]:
    return [network.encode(batch.source, batch.source_lengths) for network in model.networks]


@each_form
@settings(max_examples=8)
@given(seeds)
def test_each_learns_what_it_would_learn_alone(form: dict[str, Any], seed: int) -> None:
    model, batch = translators(form, seed).train(), pairs(seed)
    networks = model.networks
    assert len(networks) == model.how.members
    total, count, _ = loss(model, batch, None, "cpu")
    torch.autograd.backward(total)
    costs = []
    for network in networks:
        alone = Translator(replace(network.how, members=1), SYMBOLS, (0, None))
        alone.load_state_dict(
            {k: v for k, v in network.state_dict().items() if not k.startswith("beside.")}
        )
        cost, own, _ = loss(alone.train(), batch, None, "cpu")
        torch.autograd.backward(cost)
        assert own == count == len(batch.target)
        costs.append(cost)
        theirs = dict(network.named_parameters())
        for name, parameter in alone.named_parameters():
            gradient = theirs[name].grad
            assert gradient is not None and parameter.grad is not None
            torch.testing.assert_close(
                gradient, parameter.grad / len(networks), atol=1e-6, rtol=1e-4
            )
    torch.testing.assert_close(total, torch.stack(costs).mean())


@each_form
@settings(max_examples=8)
@given(seeds)
@torch.no_grad()
def test_a_token_is_as_likely_as_on_average(form: dict[str, Any], seed: int) -> None:
    model, batch = translators(form, seed).double().eval(), pairs(seed)
    chances = torch.stack([
        network(source, batch.before, batch.target_lengths).softmax(-1)
        for network, source in zip(model.networks, encoded(model, batch), strict=True)
    ]).mean(0)  # fmt: skip
    total, _, _ = loss(model, batch, None, "cpu")
    own = chances.gather(1, batch.target[:, None]).log().sum()
    torch.testing.assert_close(total, -own)


@each_form
@settings(max_examples=8)
@given(seeds)
@torch.no_grad()
def test_step_by_step_they_say_the_same(form: dict[str, Any], seed: int) -> None:
    """Packed or not, of hypotheses in any order."""
    model, batch = translators(form, seed).eval(), pairs(seed)
    made = [packed(network) for network in model.networks]
    ready = [one if isinstance(one, Packed) else network
             for one, network in zip(made, model.networks, strict=True)]  # fmt: skip
    total, _, _ = loss(model, batch, None, "cpu")
    each = torch.split_with_sizes(batch.target, batch.target_lengths.tolist())
    answers, _ = padded([ids.numpy() for ids in each])
    mixed = torch.from_numpy(np.random.default_rng(seed).permutation(len(answers)))
    for decoders in (model.networks, ready):
        together = Together(decoders)
        state = together.start(encoded(model, batch))
        order, cost = torch.arange(len(answers)), torch.tensor(0.0)
        for t in range(answers.shape[1]):
            step = together.step(batch.before[order, t], state)
            own = step.log_p.gather(1, answers[order, t : t + 1])[:, 0]
            cost -= own[t < batch.target_lengths[order]].sum()
            if step.attention is not None:
                torch.testing.assert_close(step.attention.sum(1), torch.ones(len(order)))
            order, state = order[mixed], together.select(step.state, mixed)
        torch.testing.assert_close(cost, total, atol=1e-3, rtol=1e-4)


@each_form
@settings(max_examples=8)
@given(seeds, st.integers(1, 4))
@torch.no_grad()
def test_networks_that_are_one_write_what_it_writes(
    form: dict[str, Any], seed: int, beam: int
) -> None:
    model, batch = translators(form, seed).eval(), pairs(seed)
    first, *others = model.networks
    own = {k: v for k, v in first.state_dict().items() if not k.startswith("beside.")}
    for other in others:
        other.load_state_dict(own)
    sources, how = encoded(model, batch), Search(beam=beam)
    limits: dict[str, Any] = {"max_lengths": [6] * 5, "keep_attention": True}
    one, all_ = (
        write(model.networks[:n], sources[:n], SYMBOLS[1], how, **limits) for n in (1, len(sources))
    )
    for a, b in zip(one, all_, strict=True):
        assert [h.tokens for h in a] == [h.tokens for h in b]
        np.testing.assert_allclose([h.score for h in a], [h.score for h in b], atol=1e-4)
