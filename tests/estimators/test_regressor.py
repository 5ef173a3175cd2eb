"""A value for each sequence or for each of its steps, as y was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import elman
from elman.data.built_in.sunspots import FIGURES
from elman.errors import UserError

YEARS = np.array(FIGURES.split(), dtype=np.float64)
SMALL: dict[str, Any] = {
    "hidden_size": 8, "epochs": 12, "learning_rate": 0.02, "batch_size": 16, "random_state": 1,
}  # fmt: skip


def _windows() -> tuple[Any, Any]:
    """Eleven years of sunspots, and the year after them."""
    return [YEARS[k - 11 : k] for k in range(11, len(YEARS))], YEARS[11:]


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("steps", [True, False])
def test_what_is_told_has_the_shape_that_was_learnt(alone: bool, steps: bool) -> None:
    draw = np.random.default_rng(0)
    X = [draw.normal(size=(T, 2)) for T in (2, 5, 3, 4)]
    shape: tuple[int, ...] = () if alone else (3,)
    y = [draw.normal(size=(len(x), *shape) if steps else shape) for x in X]
    model = elman.SequenceRegressor(hidden_size=3, epochs=1).fit(X, y)
    assert model.every_step_ == steps
    told = model.predict(X)
    assert isinstance(told, list) == steps
    assert [np.shape(value) for value in told] == [value.shape for value in y]


def test_it_learns_sums_at_the_end_and_at_every_step() -> None:
    draw = np.random.default_rng(0)
    X = [draw.normal(size=draw.integers(2, 9)) for _ in range(80)]
    # In units of their own: what is told comes back in them.
    ends = np.array([500 + 100 * x.sum() for x in X])
    steps = [500 + 100 * np.stack([x.cumsum(), x], -1) for x in X]
    for y in (ends, steps):
        model = elman.SequenceRegressor(**SMALL | {"epochs": 25, "linear": False}).fit(X, y)
        assert model.score(X, y) > 0.9
        gaps = [np.abs(a - b).mean() for a, b in zip(model.predict(X), y, strict=True)]
        assert np.mean(gaps) < 40


def test_the_score_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(0)
    X = [draw.normal(size=(T, 2)) for T in (2, 5, 3, 4)]
    for y in ([x[:, :1] * [1, 5, 9] for x in X], [x.sum(0) * [1, 30] for x in X]):
        model = elman.SequenceRegressor(hidden_size=3, epochs=2).fit(X, y)
        told, true = (np.concatenate([np.atleast_2d(v) for v in part])
                      for part in (model.predict(X), y))  # fmt: skip
        # What is told has gone through float32.
        assert model.score(X, y) == pytest.approx(metrics.r2_score(true, told), abs=1e-5)


def test_with_feedback_it_goes_on_from_its_own_values() -> None:
    X = [np.zeros((T, 1)) for T in (9, 6, 7)]
    y = [0.8 ** np.arange(len(x)) for x in X]
    model = elman.SequenceRegressor(
        **SMALL | {"feedback": True, "epochs": 60, "batch_size": 3}
    ).fit(X, y)  # fmt: skip
    assert model.score(X, y) > 0.7
    # Nothing after a step is read before it.
    assert np.allclose(model.predict([X[0][:4]])[0], model.predict(X)[0][:4], atol=1e-6)


def test_one_long_record_can_be_cut_and_a_share_held_back() -> None:
    X, y = [YEARS[:120, None]], [np.roll(YEARS[:120], 1)]
    told = elman.SequenceRegressor(**SMALL | {"cut": 20, "validation": 0.2}).fit(X, y).predict(X)
    assert len(told) == 1 and told[0].shape == (120,)


@pytest.mark.parametrize(
    ("X", "y", "told"),
    [
        ([[1.0], [2.0]], [1.0], "2 sequences in X, and 1 in y"),
        ([[1.0], [2.0]], [1.0, np.nan], r"y\[1\] of shape \(\): needs finite numbers"),
        ([[1.0], [2.0]], [1.0, "x"], r"y\[1\]: no numbers"),
        ([[1.0], ["x"]], [1.0, 2.0], r"X\[1\]: no numbers"),
        ([[1.0], [np.inf]], [1.0, 2.0], r"X\[1\] of shape"),
        ([[1.0], [[1.0, 2.0]]], [1.0, 2.0], r"X\[1\]: 2 inputs, where the first sequence has 1"),
        ([[1.0], [2.0]], [[1.0, 2.0], [1.0, 2.0, 3.0]], r"X\[1\]: 3 targets, where the first"),
        ([[1.0, 2.0]], [[[1.0], [2.0], [3.0]]], r"y\[0\] of shape \(3, 1\): needs 1 axes"),
        ([[1.0], [2.0, 3.0]], [[1.0], 2.0], r"y\[1\] of shape \(\): needs 1 axes"),
        ([], [], "X holds no sequences"),
    ],
)
def test_what_is_no_data_is_told(X: Any, y: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        elman.SequenceRegressor(**SMALL).fit(X, y)


def test_steps_and_their_values_must_be_as_many() -> None:
    with pytest.raises(UserError, match=r"X\[1\]: targets of shape \[3\] for 2 steps"):
        elman.SequenceRegressor(every_step=True).fit([[1.0], [1.0, 2.0]], [[1.0], [1.0, 2.0, 3.0]])
    model = elman.SequenceRegressor(hidden_size=2, epochs=1).fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(UserError, match=r"X\[0\]: 2 inputs, where the model has 1"):
        model.predict([[[1.0, 2.0]]])
    # As many targets as steps are no steps where they are said to be none.
    X, y = [[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.0], [2.0, 1.0]]
    model = elman.SequenceRegressor(hidden_size=2, epochs=1, every_step=False).fit(X, y)
    assert isinstance(model.predict([[1.0], [2.0, 3.0, 4.0]]), np.ndarray)


def test_scikit_learn_takes_it_for_one_of_its_own() -> None:
    pytest.importorskip("sklearn")
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    X, y = _windows()
    model = elman.SequenceRegressor(**SMALL)
    scores = cross_val_score(model, X, y, cv=3)
    repeated = 1 - np.square(YEARS[11:] - YEARS[10:-1]).mean() / YEARS[11:].var()
    assert scores.mean() > repeated, (scores, repeated)
    roots = FunctionTransformer(lambda rows: [np.sqrt(row) for row in rows])
    pipeline = make_pipeline(roots, model.set_params(epochs=4)).fit(X, y)
    assert pipeline.score(X, y) == model.score([np.sqrt(row) for row in X], y)
    steps = [np.diff(x, append=last) for x, last in zip(X, y, strict=True)]
    quick = model.set_params(epochs=1)
    assert len(cross_val_score(quick, X, steps, cv=2)) == 2
    found = GridSearchCV(quick, {"cell": ["gru", "rnn"]}, cv=2, error_score="raise").fit(X, y)
    assert found.best_params_["cell"] in ("gru", "rnn") and np.isfinite(found.score(X, y))
