"""Laws of the plan: what can be trained for epochs can be trained for minutes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.errors import UserError
from elman.tasks.task import Budget, Plan
from elman.tasks.text.model import LanguageNetwork
from elman.tasks.text.options import TextOptions
from elman.tasks.text.plan import make_plan


def planned(
    options: TextOptions, *, vocabulary: int, tokens: int, minutes: float | None, rate: float = 1e4
) -> TextOptions:
    """The options of a plan, after a look at whether its model, and that of its trial, build."""

    def speed(trial: Plan[TextOptions]) -> float:
        build(vocabulary, trial.options)
        return rate

    seconds, epochs = (None, 3) if minutes is None else (60 * minutes, None)
    budget = Budget(seconds, epochs, None, None, "cpu")
    settled = make_plan(tokens, vocabulary, options, budget, speed).options
    build(vocabulary, settled)
    return settled


def build(vocabulary: int, options: TextOptions) -> None:
    with torch.device("meta"):
        LanguageNetwork(vocabulary, options)


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    layers = draw(st.integers(1, 3))
    sizes = st.sampled_from([32, 64, 96, 128, 256, 512])
    ways = st.tuples(*[st.booleans()] * layers)
    return {
        "num_layers": layers,
        "bidirectional": draw(st.one_of(st.just((False,)), ways)),
        "hidden_size": draw(st.one_of(st.none(), st.tuples(*[sizes] * layers))),
        "embedding": draw(st.one_of(st.none(), st.just(0), sizes, st.integers(1, 600))),
        "tie_weights": draw(st.sampled_from([None, False, True])),
        "residual": draw(st.booleans()),
    }


@given(
    shape=shapes(),
    vocabulary=st.sampled_from([64, 128, 5_000]),
    tokens=st.sampled_from([1_000, 100_000, 10_000_000]),
    minutes=st.floats(0.01, 1000),
    rate=st.floats(10, 1e7),
)
@settings(max_examples=150)
def test_what_epochs_allow_minutes_allow(
    shape: dict[str, Any], vocabulary: int, tokens: int, minutes: float, rate: float
) -> None:
    options = TextOptions(**shape)
    try:
        planned(options, vocabulary=vocabulary, tokens=tokens, minutes=None)
    except UserError:
        return
    planned(options, vocabulary=vocabulary, tokens=tokens, minutes=minutes, rate=rate)


@given(
    half=st.integers(1, 300), both=st.booleans(), residual=st.booleans(),
    minutes=st.one_of(st.none(), st.floats(0.01, 1000)),
)  # fmt: skip
@settings(max_examples=20)
def test_tied_weights_take_the_width_of_the_embedding(
    half: int, both: bool, residual: bool, minutes: float | None
) -> None:
    options = TextOptions(
        tie_weights=True, embedding=2 * half, bidirectional=(both,), residual=residual
    )
    settled = planned(options, vocabulary=70, tokens=100_000, minutes=minutes)
    assert settled.embedding == 2 * half
    assert settled.hidden_size == (half if both else 2 * half,)


@pytest.mark.parametrize("minutes", [None, 3.0])
def test_an_odd_embedding_cannot_be_tied_both_ways(minutes: float | None) -> None:
    options = TextOptions(tie_weights=True, embedding=99, bidirectional=(True,))
    with pytest.raises(UserError, match="--embedding 99; give an even one"):
        planned(options, vocabulary=70, tokens=100_000, minutes=minutes)


@pytest.mark.parametrize("minutes", [None, 3.0])
def test_one_residual_layer_takes_the_width_of_its_input(minutes: float | None) -> None:
    options = TextOptions(residual=True, embedding=100)
    settled = planned(options, vocabulary=70, tokens=100_000, minutes=minutes)
    assert settled.hidden_size == (100,)


def test_the_more_passes_the_more_is_dropped() -> None:
    minutes = (0.1, 1, 5, 20, 60, 600)
    given = TextOptions(hidden_size=(128,))
    plans = [planned(given, vocabulary=64, tokens=1_000_000, minutes=m) for m in minutes]
    for name in ("dropout", "weight_drop"):
        shares = [getattr(plan, name) for plan in plans]
        assert shares == sorted(shares) and shares[0] == 0 and shares[-1] > 0


def settled_plan(
    options: TextOptions,
    *,
    tokens: int,
    seconds: float,
    rate: float = 1e4,
    batch: int | None = None,
) -> Plan[TextOptions]:
    budget = Budget(seconds, None, batch, None, "cpu")
    return make_plan(tokens, 64, options, budget, lambda trial: 1e4)


def test_few_tokens_are_seen_in_small_batches_so_that_there_are_many_updates() -> None:
    plans = [settled_plan(TextOptions(), tokens=10**6, seconds=s) for s in (20, 400, 40_000)]
    assert [plan.batch_size for plan in plans] == [8, 16, 32]
    (chosen,) = {settled_plan(TextOptions(), tokens=10**6, seconds=20, batch=5).batch_size}
    assert chosen == 5
    windows = TextOptions(bidirectional=(True,))
    assert settled_plan(windows, tokens=10**6, seconds=20).batch_size == 32


def test_the_wider_a_layer_the_slower_it_learns() -> None:
    rates = [
        settled_plan(TextOptions(hidden_size=(width,)), tokens=10**6, seconds=60).learning_rate
        for width in (32, 96, 256, 512, 2048)
    ]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == rates[1] > rates[2] > rates[3] > rates[4]
    for upset in (TextOptions(num_layers=2), TextOptions(cell=("rnn",))):
        calm = dataclasses.replace(upset, hidden_size=(64,))
        assert settled_plan(calm, tokens=10**6, seconds=60).learning_rate < rates[0]


def test_a_text_read_often_has_its_learning_rate_fall_before_the_end() -> None:
    short = settled_plan(TextOptions(members=1), tokens=20_000, seconds=180)
    assert short.passes is not None and short.passes <= 100
    assert settled_plan(TextOptions(), tokens=10**6, seconds=180).passes is None
    budget = Budget(600, None, None, None, "cpu")
    poems = make_plan(40_000, 3000, TextOptions(), budget, lambda trial: 1e4)
    assert poems.passes is not None and poems.passes < short.passes


@pytest.mark.parametrize(
    ("given", "vocabulary", "tied"),
    [
        ({}, 64, False), ({}, 5000, True), ({"embedding": 100}, 5000, False),
        ({"tie_weights": False}, 5000, False), ({"bidirectional": (True,)}, 5000, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("minutes", [None, 1.0])
def test_many_symbols_have_one_table_unasked(
    given: dict[str, Any], vocabulary: int, tied: bool, minutes: float | None
) -> None:
    options = TextOptions(**given)
    settled = planned(options, vocabulary=vocabulary, tokens=100_000, minutes=minutes)
    assert settled.tie_weights is tied
    assert not tied or settled.hidden_size == (settled.embedding,)


def test_no_recurrent_weight_is_dropped_where_there_is_none() -> None:
    given = TextOptions(hidden_size=(128,), cell=("mingru",))
    assert planned(given, vocabulary=64, tokens=1000, minutes=60).weight_drop == 0
