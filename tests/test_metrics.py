import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.metrics import Loss, bits, bits_per_character, perplexity

PARTS = st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**6)), min_size=1, max_size=9)


@settings(max_examples=30)
@given(PARTS)
def test_the_mean_of_a_sum_weighs_every_token_alike(parts: list[tuple[int, int]]) -> None:
    loss = sum((Loss(total, count) for total, count in parts), Loss(0.0, 0))
    assert loss.count == sum(count for _, count in parts)
    assert loss.mean * loss.count == pytest.approx(sum(total for total, _ in parts), abs=1e-6)


def test_nothing_counted_has_no_mean() -> None:
    with pytest.raises(ValueError, match="nothing was counted"):
        _ = Loss(0.0, 0).mean
    with pytest.raises(ValueError, match="0 characters"):
        bits_per_character(1.0, 0)


@settings(max_examples=30)
@given(st.integers(1, 10**6), st.integers(1, 1000))
def test_a_fair_choice_among_v_symbols_costs_log2_v_bits_and_has_perplexity_v(
    symbols: int, count: int
) -> None:
    nats = math.log(symbols)
    assert bits(nats) == pytest.approx(math.log2(symbols), abs=1e-12)
    assert perplexity(nats) == pytest.approx(symbols, rel=1e-12)
    # Tokens of two characters each share their bits between them.
    per_character = bits_per_character(nats * count, 2 * count)
    assert per_character == pytest.approx(math.log2(symbols) / 2, abs=1e-12)


def test_a_hopeless_loss_has_infinite_perplexity() -> None:
    assert perplexity(1e6) == math.inf
