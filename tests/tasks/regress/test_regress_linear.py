"""Linear answers: exact where the system is linear, chosen without a look at what is scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.tasks.regress.linear import answer, features, recursion
from elman.tasks.regress.linear.recursion import Order, Sequences

Values = NDArray[np.float64]

EXACT = 1e-4  # deviations: ridges of 1e-8 leave no more on systems without noise


def drawn_system(seed: int, *, states: int, inputs: int, outputs: int, noise: float = 0.0
                 ) -> Sequences:  # fmt: skip
    """Sequences of a stable linear system with a first state that is known, scaled."""
    draw = np.random.default_rng(seed)
    A = draw.normal(size=(states, states))
    A *= draw.uniform(0.5, 0.95) / np.abs(np.linalg.eigvals(A)).max()
    B, C = draw.normal(size=(inputs, states)), draw.normal(size=(states, outputs))
    D = draw.normal(size=(inputs, outputs))
    x, y, known = [], [], draw.normal(size=(24, states))
    for k, start in enumerate(known):
        u, now, told = draw.normal(size=(40 + k % 7, inputs)), start, []
        for row in u:
            now = now @ A + row @ B
            told.append(now @ C + row @ D)
        x.append(u)
        y.append(np.array(told))
    whole = np.concatenate(y)
    spread = whole.std(0)
    y = [(v - whole.mean(0)) / spread + noise * draw.normal(size=v.shape) for v in y]
    return Sequences(x, y, known)


def learnt(data: Sequences, *, near: bool = False, ahead: int = 0) -> answer.Learnt:
    names = [bytes([k]) for k in range(len(data.x))]
    return answer.learn(data, names, every_step=True, ahead=ahead, near=near)


def error(told: list[Values], true: Any) -> float:
    return float(np.sqrt(np.mean((np.concatenate(told) - np.concatenate(list(true))) ** 2)))


@settings(max_examples=8)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3))
def test_a_linear_system_is_told_exactly_from_its_first_state(
    seed: int, states: int, inputs: int, outputs: int
) -> None:
    data = drawn_system(seed, states=states, inputs=inputs, outputs=outputs)
    made = learnt(data.pick(range(18)), near=True)
    unseen = data.pick(range(18, 24))
    assert made.share < EXACT and made.near is not None
    assert error(answer.told(made.free, unseen), unseen.y) < EXACT
    assert error(made.near.one_step(unseen), unseen.y) < EXACT


def test_run_freely_it_tells_what_it_tells_of_one_step_after_its_own_values() -> None:
    data = drawn_system(3, states=3, inputs=2, outputs=2, noise=0.3)
    for order in (Order(0, 4, 0, 1e-4), Order(3, 3, 0, 1e-4), Order(2, 2, 3, 1e-4)):
        made = recursion.fit(data, order)
        free = made.told(data)
        again = made.one_step(Sequences(data.x, free, data.known))
        assert max(np.abs(a - b).max() for a, b in zip(free, again, strict=True)) < 1e-9
        alone = [made.told(data.pick([k]))[0] for k in range(len(data.x))]
        assert max(np.abs(a - b).max() for a, b in zip(free, alone, strict=True)) < 1e-9


def test_what_stood_before_the_first_step_is_found() -> None:
    data = drawn_system(4, states=2, inputs=1, outputs=1)
    made = recursion.fit(data, Order(2, 2, 0, 1e-8))
    bare = recursion.Recursion(made.order, made.weights, np.zeros_like(made.before), made.farthest)
    first = [y[:3] for y in data.y]
    assert error([v[:3] for v in made.told(data)], first) < EXACT
    assert error([v[:3] for v in bare.told(data)], first) > 0.05


def test_inputs_ahead_are_read_where_the_layers_read_both_ways_alone() -> None:
    draw = np.random.default_rng(1)
    x = [draw.normal(size=(30, 1)) for _ in range(20)]
    y = [np.roll(one, -2, 0) for one in x]
    data = Sequences(x, y, np.zeros((20, 0)))
    inside = [v[:-2] for v in y]  # what comes after the end is not known
    for ahead, most in ((4, 0.1), (0, 2.0)):
        made = learnt(data, ahead=ahead)
        found = error([v[:-2] for v in answer.told(made.free, data)], inside)
        assert (found < 0.1) == (ahead == 4) and found < most


def test_noise_is_worth_no_path_and_a_recursion_that_is_not_stable_stays_within_bounds() -> None:
    draw = np.random.default_rng(2)
    x = [draw.normal(size=(50, 2)) for _ in range(30)]
    noise = Sequences(x, [draw.normal(size=(50, 1)) for _ in x], np.zeros((30, 0)))
    assert not learnt(noise).worth_a_path
    growing = Sequences(
        x, [np.float64(1.2) ** np.arange(50.0)[:, None] / 9e3 for _ in x], np.zeros((30, 0))
    )
    made = recursion.fit(growing, Order(1, 1, 0, 1e-8))
    long = Sequences([np.zeros((900, 2))], [], np.zeros((1, 0)))
    assert np.abs(made.told(long)[0]).max() <= made.farthest < 10


def test_a_path_is_worth_it_where_noise_is_left_over_and_not_where_much_else_is() -> None:
    data = drawn_system(6, states=2, inputs=1, outputs=1)
    draw = np.random.default_rng(0)
    for slow, worth in ((False, True), (True, False)):
        rest = [draw.normal(size=v.shape) for v in data.y]
        if slow:  # something that goes on from step to step
            rest = [np.apply_along_axis(np.convolve, 0, r, np.ones(12) / 3.5, "same") for r in rest]
        mixed = [v + r for v, r in zip(data.y, rest, strict=True)]
        assert learnt(Sequences(data.x, mixed, data.known)).worth_a_path == worth


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [2, 3], [5] * 6, [40], [300]])
def test_few_and_short_sequences_are_learnt_from_too(lengths: list[int]) -> None:
    draw = np.random.default_rng(0)
    x = [draw.normal(size=(T, 2)) for T in lengths]
    data = Sequences(x, [v[:, :1] for v in x], np.zeros((len(x), 0)))
    made = learnt(data, near=True)
    assert all(np.isfinite(v).all() for v in answer.told(made.free, data))
    one = Sequences(x, [v[-1] for v in x], data.known)
    names = [bytes([k]) for k in range(len(x))]
    made = answer.learn(one, names, every_step=False, ahead=0, near=False)
    assert all(v.shape == (2,) and np.isfinite(v).all() for v in answer.told(made.free, one))


# ---- One value a sequence ------------------------------------------------------------------


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 2), st.sampled_from([0, 4]))
def test_what_is_linear_in_the_features_is_told_exactly(
    seed: int, inputs: int, outputs: int, last: int
) -> None:
    draw = np.random.default_rng(seed)
    x = [draw.normal(size=(6 + k % 5, inputs)) for k in range(80)]
    known = draw.normal(size=(80, 2))
    F = features.features_of(x, known, last)
    assert F.shape[1] == features.width_of(inputs, 2, last)
    y = F @ draw.normal(size=(F.shape[1], outputs)) + 7
    data = Sequences(x, list(y), known)
    names = [bytes([k]) for k in range(60)]
    part = data.pick(range(60))
    made = answer.learn(part, names, every_step=False, ahead=0, near=False)
    unseen = data.pick(range(60, 80))
    gaps = np.array(answer.told(made.free, unseen)) - y[60:]
    assert np.abs(gaps).max() < 1e-2 * y.std() and made.worth_a_path


def test_the_features_of_a_sequence_do_not_depend_on_the_others() -> None:
    draw = np.random.default_rng(0)
    x = [draw.normal(size=(T, 2)) for T in (3, 9, 3, 1, 9, 20)]
    known = draw.normal(size=(6, 1))
    together = features.features_of(x, known, 4)
    alone = [features.features_of([x[k]], known[k : k + 1], 4)[0] for k in range(6)]
    assert np.allclose(together, alone, rtol=0, atol=1e-12)
    (slope,) = np.polyfit(np.arange(9), x[1][:, 0], 1)[:1]
    assert together[1][2 * 5] == pytest.approx(slope)
    assert together[3][13:-1].tolist() == pytest.approx([*x[3][0]] * 4)  # the first stands in
    assert together[5][13:-1].tolist() == pytest.approx(x[5][-4:].ravel().tolist())


def test_weights_are_those_of_scikit_learns_ridge() -> None:
    ridge = pytest.importorskip("sklearn.linear_model").Ridge
    draw = np.random.default_rng(0)
    x = [draw.normal(size=(7, 2)) for _ in range(50)]
    y, known = draw.normal(size=(50, 2)), np.zeros((50, 0))
    for amount in features.RIDGES:
        made = features.fit(x, y, known, features.Form(0, amount))
        F = features.features_of(x, known, 0)
        still = F.std(0) < 1e-9
        scaled = np.where(still, 0, (F - F.mean(0)) / np.where(still, 1, F.std(0)))
        peer = ridge(alpha=amount * 50, solver="svd").fit(scaled, y).predict(scaled)
        assert np.allclose(made.told(x, known), peer, rtol=0, atol=1e-8)


# ---- Kept with a model ---------------------------------------------------------------------


def both() -> list[tuple[answer.Linear, Sequences]]:
    data = drawn_system(5, states=2, inputs=2, outputs=3)
    one = Sequences(data.x, [v[-1] for v in data.y], data.known)
    names = [bytes([k]) for k in range(len(data.x))]
    ends = answer.learn(one, names, every_step=False, ahead=0, near=False)
    return [(learnt(data).free, data), (ends.free, one)]


def test_what_was_learnt_is_read_back_as_it_was_and_refused_where_it_does_not_fit() -> None:
    for made, data in both():
        plain = made.to_json()
        again = answer.from_json(plain)
        answer.check(again, 2, 3, 2)
        for a, b in zip(answer.told(made, data), answer.told(again, data), strict=True):
            assert np.array_equal(a, b)
        for sizes in ((1, 3, 2), (2, 2, 2), (2, 3, 1)):
            with pytest.raises(ValueError, match="other sequences"):
                answer.check(again, *sizes)
        for key in plain:
            wrongs: list[Any] = [None, "x", [[float("nan")]], {}]
            for wrong in wrongs:
                with pytest.raises((ValueError, KeyError, TypeError, IndexError)):
                    answer.check(answer.from_json(plain | {key: wrong}), 2, 3, 2)
