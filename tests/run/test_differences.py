"""Paired differences: the interval is Student's, and covers as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from elman.run.many.differences import paired, student


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 6, 9, 30, 101])
@pytest.mark.parametrize("inside", [0.5, 0.9, 0.95, 0.99, 0.9986])
def test_the_quantile_is_student_s(freedom: int, inside: float) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is the reference")
    expected = stats.t.ppf((1 + inside) / 2, freedom)
    assert student(freedom, inside) == pytest.approx(expected, rel=1e-9)


def test_known_quantiles() -> None:
    assert student(2, 0.95) == pytest.approx(4.30265, abs=1e-5)
    assert student(9, 0.95) == pytest.approx(2.26216, abs=1e-5)


def test_what_seeds_have_in_common_cancels() -> None:
    draw = np.random.default_rng(3)
    for n in (2, 3, 5, 8):
        own, other, common = (dict(enumerate(draw.normal(size=n).tolist())) for _ in range(3))
        alone = paired(own, other, 4)
        first, second = (
            {seed: 100 * common[seed] + one[seed] for seed in one} for one in (own, other)
        )
        both = paired(first, second, 4)
        assert alone is not None and both is not None
        for name, value in vars(alone).items():
            assert vars(both)[name] == pytest.approx(value, abs=1e-9), name
        mirrored = paired(other, own, 4)
        assert mirrored is not None and alone.low is not None and mirrored.high is not None
        assert mirrored.high == pytest.approx(-alone.low)


def test_only_seeds_of_both_count_and_few_say_nothing() -> None:
    found = paired({1: 1.0, 2: 3.0, 3: 9.0}, {2: 1.0, 3: 4.0, 4: 0.0})
    assert found is not None and (found.seeds, found.mean) == (2, 3.5)
    assert paired({1: 1.0}, {2: 1.0}) is None
    for one in (paired({1: 2.0}, {1: 1.5}), paired({1: 2.0, 2: 3.0}, {1: 1.0, 2: 2.0})):
        assert one is not None and one.low is None and one.high_together is None and not one.sure
    infinite = paired({1: np.inf, 2: 1.0, 3: 2.0}, {1: 0.0, 2: 0.5, 3: 0.0})
    assert infinite is not None and infinite.seeds == 2


def test_intervals_cover_as_often_as_they_say() -> None:
    """Alone in 95 of 100 cases; all of seven together in 95 of 100 at least."""
    draw, n, told, cases = np.random.default_rng(5), 3, 7, 1000
    alone, together = 0, 0
    for _ in range(cases):
        first = draw.normal(size=n)
        found = [
            paired(dict(enumerate(own.tolist())), dict(enumerate(first.tolist())), told)
            for own in draw.normal(size=(told, n))
        ]
        alone += sum(d is not None and d.low is not None and d.low <= 0 <= (d.high or 0)
                     for d in found)  # fmt: skip
        together += not any(d is not None and d.sure for d in found)
    # Standard errors: the seven differences of a case share the first, so count as one.
    assert alone / (told * cases) == pytest.approx(0.95, abs=3 * np.sqrt(0.05 * 0.95 / cases))
    assert together / cases > 0.95 - 3 * np.sqrt(0.05 * 0.95 / cases)
