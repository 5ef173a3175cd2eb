"""Laws of the verdict: a gain is claimed only where chance could not give it, losses come first."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elman import metrics
from elman.chance import FEWEST, shares
from elman.run.verdict import SAME, Gain, Verdict, from_record, judged, to_record
from elman.tasks.rivals import Rival

NAMES = st.sampled_from(["nats", "accuracy", "mase", "bleu"])
NUMBERS = st.floats(0.1, 9)


def signed(name: str, low: float, high: float) -> tuple[float, float]:
    return (low, high) if name in metrics.HIGHER else (-high, -low)


@given(name=NAMES, seed=st.integers(0, 2**32 - 1), n=st.integers(FEWEST, 40), by=st.floats(-1, 1))
@settings(max_examples=40)
def test_a_gain_is_claimed_exactly_where_the_bounds_are_above_zero(
    name: str, seed: int, n: int, by: float
) -> None:
    draw = np.random.default_rng(seed)
    own, other = draw.normal(5 + by, 0.5, n), draw.normal(5, 0.5, n)
    ones = np.ones(n)
    mine, theirs = shares("item", own, ones), shares("item", other, ones)
    found = judged(
        {name: float(own.mean())}, mine, [Rival("a rule", {name: float(other.mean())}, theirs)]
    )
    assert found.gain is not None and found.gain.low is not None and found.gain.high is not None
    middle = (own - other).mean() * (1 if name in metrics.HIGHER else -1)
    assert found.gain.low <= middle <= found.gain.high
    assert found.gained == (found.gain.low > 0)
    assert found.told.startswith("The network is better than a rule, by") == found.gained
    assert found.told.startswith("WARNING: nothing is gained over a rule") == (not found.gained)
    assert ("is worse by" in found.told) == (found.gain.high < 0)


@given(name=NAMES, own=NUMBERS, other=NUMBERS)
def test_of_too_few_units_nothing_is_claimed(name: str, own: float, other: float) -> None:
    few = Gain(None, None, "series", FEWEST - 1)
    found = Verdict({name: own}, {"a rule": {name: other}}, few)
    assert not found.gained and found.told.startswith("WARNING: nothing is gained over a rule")
    if metrics.better(name, own, other):
        assert f"too little was scored of {FEWEST - 1} series" in found.told


@given(name=NAMES, own=NUMBERS, chosen=NUMBERS, another=NUMBERS)
@example(name="accuracy", own=0.10000000000000002, chosen=0.1, another=0.1)
def test_a_better_rival_is_told_even_if_the_training_part_did_not_choose_it(
    name: str, own: float, chosen: float, another: float
) -> None:
    sure = Gain(0.1, 0.2, "item", 99)
    rivals = {"chosen": {name: chosen}, "another": {name: another}}
    found = Verdict({name: own}, rivals, sure)
    # Scores that differ in their last digits alone are equal: the network is no better.
    better = (
        metrics.better(name, own, other) and not math.isclose(own, other, rel_tol=SAME)
        for other in (another, chosen)
    )
    if not all(better):
        assert found.told.startswith("WARNING") and not found.gained
        assert metrics.better(name, chosen, another) or chosen == another or "another" in found.told
    else:
        assert found.gained


@given(own=NUMBERS, guess=NUMBERS, accuracy=st.floats(0, 1))
def test_worse_than_a_guess_in_every_way_is_diverged(
    own: float, guess: float, accuracy: float
) -> None:
    scores = {"accuracy": accuracy, "nats": own}
    found = Verdict(scores, {"a guess": {"accuracy": 0.5, "nats": guess}}, None, ("a guess",))
    assert found.diverged == (accuracy < 0.5 and own > guess)
    assert ("it has diverged, or hardly begun" in found.told) == found.diverged


def test_without_rivals_there_is_no_verdict() -> None:
    assert Verdict({"nats": 1.0}, {}).told == "" and Verdict({}, {}).gained is None


@given(own=NUMBERS, other=NUMBERS, low=st.floats(-1, 1), units=st.integers(0, 10**6))
def test_a_verdict_is_read_back_as_it_was_written(
    own: float, other: float, low: float, units: int
) -> None:
    gain = Gain(low, low + 0.5, "sentence", units)
    verdict = Verdict({"bleu": own}, {"a": {"bleu": other}, "b": {}}, gain, ("a",))
    assert from_record(json.loads(json.dumps(to_record(verdict)))) == verdict


@pytest.mark.parametrize(
    "change",
    [
        {"scores": None}, {"scores": {"nats": "low"}}, {"scores": {"nats": float("nan")}},
        {"rivals": [1]}, {"rivals": {"a": None}}, {"rivals": {"a": {"nats": 10**400}}},
        {"guesses": ["nobody"]}, {"guesses": None}, {"gain": 3}, {"gain": {"low": 1}},
        {"gain": {"low": 1.0, "high": None, "unit": "x", "units": 3}},
        {"gain": {"low": 1.0, "high": 2.0, "unit": "x", "units": -3}},
    ],
    ids=str,
)  # fmt: skip
def test_damaged_records_are_refused(change: dict[str, object]) -> None:
    good = to_record(Verdict({"nats": 1.0}, {"a": {"nats": 2.0}}))
    assert from_record(good).gained
    with pytest.raises(ValueError):
        from_record(good | change)
