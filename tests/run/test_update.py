"""One weight update does what its formula says."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from elman.run.options import TrainOptions
from elman.run.update import clip, learning_rate, make_optimizer

RATE = 0.125


def _model() -> nn.Linear:
    model = nn.Linear(4, 3).double()
    torch.manual_seed(2)
    for parameter in model.parameters():
        nn.init.normal_(parameter)
        parameter.grad = torch.randn_like(parameter)
    return model


def _updated(how: TrainOptions) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Of each parameter: its value before, its gradient before, and its value after one update."""
    model = _model()
    before = {
        name: (p.detach().clone(), p.grad.clone())
        for name, p in model.named_parameters()
        if p.grad is not None
    }
    optimizer = make_optimizer(model, how)
    clip(model, how)
    optimizer.step()
    return {name: (*before[name], p.detach()) for name, p in model.named_parameters()}


def _sgd(**options: float) -> TrainOptions:
    plain = {"clip_norm": 0.0, "learning_rate": RATE} | options
    return TrainOptions(epochs=1, optimizer="sgd", **plain)  # type: ignore[arg-type]


def test_plain_gradient_descent_moves_by_the_gradient() -> None:
    for before, gradient, after in _updated(_sgd()).values():
        torch.testing.assert_close(after, before - RATE * gradient)


def test_l1_pulls_matrices_towards_zero_by_its_weight() -> None:
    updated = _updated(_sgd(l1=0.25))
    w, g, after = updated["weight"]
    torch.testing.assert_close(after, w - RATE * (g + 0.25 * w.sign()))
    b, g, after = updated["bias"]
    torch.testing.assert_close(after, b - RATE * g)


def test_l2_shrinks_matrices_in_proportion() -> None:
    updated = _updated(_sgd(l2=0.25))
    w, g, after = updated["weight"]
    torch.testing.assert_close(after, w - RATE * (g + 0.25 * w))
    b, g, after = updated["bias"]
    torch.testing.assert_close(after, b - RATE * g)


def test_weight_decay_of_adamw_stands_apart_from_the_gradient() -> None:
    def adamw(l2: float) -> TrainOptions:
        return TrainOptions(epochs=1, optimizer="adamw", clip_norm=0.0, learning_rate=RATE, l2=l2)

    w, _, without = _updated(adamw(0.0))["weight"]
    _, _, after = _updated(adamw(0.25))["weight"]
    torch.testing.assert_close(after, without - RATE * 0.25 * w)


@given(limit=st.floats(0.01, 10))
@settings(max_examples=20)
def test_clipping_by_norm_keeps_the_direction(limit: float) -> None:
    model = _model()
    before = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    norm = clip(model, _sgd(clip_norm=limit))
    after = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    assert norm == pytest.approx(float(before.norm()))  # that before clipping is reported
    # PyTorch adds 1e-6 to the norm before it divides by it.
    torch.testing.assert_close(after, before * min(1.0, limit / norm), rtol=1e-5, atol=0)


@given(limit=st.floats(0.01, 3))
@settings(max_examples=20)
def test_clipping_by_value_cuts_each_gradient(limit: float) -> None:
    model = _model()
    before = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    clip(model, _sgd(clip_value=limit))
    after = [p.grad for p in model.parameters() if p.grad is not None]
    for gradient, cut in zip(before, after, strict=True):
        torch.testing.assert_close(cut, gradient.clamp(-limit, limit))


def test_an_infinite_gradient_is_not_hidden_by_clipping_it() -> None:
    model = _model()
    assert model.weight.grad is not None
    model.weight.grad[0, 0] = math.inf
    assert clip(model, _sgd(clip_value=1.0)) == math.inf


@given(warmup=st.floats(0.01, 0.9), share=st.floats(0, 1), factor=st.sampled_from([1.0, 0.25]))
@settings(max_examples=50)
def test_the_rate_rises_in_a_line_then_follows_its_schedule(
    warmup: float, share: float, factor: float
) -> None:
    def rate(schedule: str) -> float:
        how = TrainOptions(epochs=1, learning_rate=RATE, warmup=warmup, schedule=schedule)  # type: ignore[arg-type]
        return learning_rate(how, share, factor)

    peak = RATE * factor
    if share < warmup:
        rising = peak * max(share / warmup, 0.01)  # a first step of nothing would teach nothing
        assert rate("cosine") == rate("constant") == rate("plateau") == pytest.approx(rising)
    else:
        assert rate("constant") == rate("plateau") == peak
        angle = math.pi * (share - warmup) / (1 - warmup)
        assert rate("cosine") == pytest.approx(peak * math.cos(angle / 2) ** 2, abs=1e-12)


def test_the_cosine_ends_at_zero_and_without_warm_up_starts_at_the_peak() -> None:
    how = TrainOptions(epochs=1, learning_rate=RATE, warmup=0.0)
    assert learning_rate(how, 0.0, 1.0) == RATE
    assert learning_rate(how, 0.5, 1.0) == pytest.approx(RATE / 2)
    assert learning_rate(how, 1.0, 1.0) == pytest.approx(0)
