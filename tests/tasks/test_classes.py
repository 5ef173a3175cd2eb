"""Scores of classes: what they are by their definitions, and which mistakes were made surely."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.tasks.classes import confusion_of, counted, mistakes, scores_of, tally_of

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 40), st.integers(2, 5))
def test_counts_and_scores_are_those_of_going_through_the_answers(
    seed: int, size: int, classes: int
) -> None:
    draw = np.random.default_rng(seed)
    chances = draw.dirichlet(np.ones(classes), size)
    targets = draw.integers(classes, size=size)
    said = chances.argmax(1)
    matrix = confusion_of(chances, targets)
    for true in range(classes):
        for other in range(classes):
            both = sum(t == true and s == other for t, s in zip(targets, said, strict=True))
            assert matrix[true, other] == both
    names = [f"class {k}" for k in range(classes)]
    for k, (label, there, answered, hit) in enumerate(counted(matrix, names)):
        assert label == names[k] and there == (targets == k).sum()
        assert answered == (said == k).sum() and hit == ((said == k) & (targets == k)).sum()
    scores, tally = scores_of(chances, targets), tally_of(said, targets)
    assert scores["accuracy"] == pytest.approx(np.mean(said == targets))
    assert float(tally.score(tally.sums.sum(0))) == pytest.approx(scores["accuracy"])
    own = [chances[k, t] for k, t in enumerate(targets)]
    assert scores["nats"] == pytest.approx(-np.log(own).mean())


@given(seeds, st.integers(1, 40), st.integers(2, 5))
def test_mistakes_are_all_that_is_wrong_the_surest_first(
    seed: int, size: int, classes: int
) -> None:
    draw = np.random.default_rng(seed)
    chances = draw.dirichlet(np.ones(classes), size).round(1)  # so that some are equally sure
    targets = draw.integers(classes, size=size)
    found = mistakes(chances, targets)
    assert sorted(found) == np.flatnonzero(chances.argmax(1) != targets).tolist()
    order = [(-chances[k].max(), k) for k in found]
    assert order == sorted(order)
