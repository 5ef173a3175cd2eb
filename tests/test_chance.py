"""Laws of the interval within which chance leaves a difference of scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman import chance
from elman.chance import FEWEST, MOST, Tally, shares
from elman.wording import minutes, readable

SEEDS = st.integers(0, 2**32 - 1)


def tally(values: np.ndarray) -> Tally:
    return shares("item", values, np.ones(len(values)))


@given(seed=SEEDS, n=st.integers(FEWEST, 60))
@settings(max_examples=20)
def test_the_other_way_round_the_bounds_are_mirrored(seed: int, n: int) -> None:
    draw = np.random.default_rng(seed)
    a, b = tally(draw.normal(size=n)), tally(draw.normal(size=n))
    forward, back = chance.interval(a, b), chance.interval(b, a)
    assert forward is not None and back is not None
    assert forward[0] <= forward[1]
    assert forward == pytest.approx((-back[1], -back[0]))


@given(seed=SEEDS, n=st.integers(FEWEST, 60), apart=st.floats(-3, 3))
@settings(max_examples=20)
def test_the_same_advantage_on_every_unit_leaves_nothing_to_chance(
    seed: int, n: int, apart: float
) -> None:
    values = np.random.default_rng(seed).normal(size=n)
    found = chance.interval(tally(values + apart), tally(values))
    assert found == pytest.approx((apart, apart), abs=1e-9)


def test_too_few_units_say_nothing() -> None:
    values = np.arange(FEWEST - 1.0)
    assert chance.interval(tally(values + 1), tally(values)) is None
    with pytest.raises(ValueError, match="units against"):
        chance.interval(tally(np.ones(9)), tally(np.ones(8)))


@pytest.mark.parametrize("n", [6, 12, 50])
def test_bounds_hold_the_truth_as_often_as_they_say(n: int) -> None:
    """Of 400 draws in which nothing is gained, 0 lies inside the bounds of 95 %, give or take three
    standard errors (of 1.1 %), whether many units were scored or few."""
    draw = np.random.default_rng(n)
    inside = 0
    for _ in range(400):
        own, other = draw.normal(size=n), draw.normal(size=n)
        found = chance.interval(tally(own), tally(other))
        assert found is not None
        inside += found[0] <= 0 <= found[1]
    assert 0.915 <= inside / 400 <= 0.985


def test_many_units_are_put_together_without_changing_what_they_say() -> None:
    draw = np.random.default_rng(3)
    n = 3 * MOST + 7
    own, other = draw.normal(0.1, 1, n), draw.normal(0, 1, n)
    found = chance.interval(tally(own), tally(other))
    assert found is not None
    middle, error = (own - other).mean(), (own - other).std() / math.sqrt(n)
    assert found == pytest.approx((middle - 1.96 * error, middle + 1.96 * error), abs=0.2 * error)


@given(number=st.floats(-1e300, 1e300))
def test_numbers_are_readable_at_any_size(number: float) -> None:
    told = readable(number)
    assert len(told) <= 15
    back = float(told.replace(",", ""))
    assert back == pytest.approx(number, rel=6e-3, abs=6e-5 if abs(number) >= 1e-3 else 0)


@given(seconds=st.integers(0, 10**6))
def test_times_read_back(seconds: int) -> None:
    total = 0
    for part in minutes(seconds).split(":"):
        total = 60 * total + int(part)
    assert total == seconds
