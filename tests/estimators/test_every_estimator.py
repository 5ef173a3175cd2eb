"""scikit-learn's habits that every estimator keeps to."""

from __future__ import annotations

import copy
import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.data.built_in.sunspots import FIGURES
from elman.errors import UserError
from elman.estimators import Forecaster, SequenceClassifier, SequenceRegressor
from elman.estimators.estimator import Estimator

QUICK: dict[str, Any] = {"hidden_size": 4, "epochs": 1, "batch_size": 16, "random_state": 3}
YEARS = np.array(FIGURES.split(), dtype=np.float64)
WINDOWS = [YEARS[k - 6 : k] for k in range(6, 46)]
CASES: dict[str, tuple[type[Estimator], Any, Any]] = {
    "classifier": (SequenceClassifier, WINDOWS, YEARS[6:46] > 40),
    "regressor": (SequenceRegressor, WINDOWS, YEARS[6:46]),
    "regressor of steps": (SequenceRegressor, WINDOWS, [np.cumsum(w) for w in WINDOWS]),
    "forecaster": (Forecaster, YEARS[:100], None),
    "forecaster of several": (Forecaster, [YEARS[:100], YEARS[100:180]], None),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    kind, X, y = CASES[request.param]
    options = {"horizon": 3, "look_back": 11, "share": 1.0} if kind is Forecaster else {}
    return kind(**QUICK, **options), X, y


def _flat(told: Any) -> Any:
    return np.concatenate([np.atleast_1d(part) for part in told])


def test_equal_random_states_give_equal_models(case: tuple[Any, Any, Any]) -> None:
    model, X, y = case

    def told(random_state: Any) -> Any:
        made = type(model)(**model.get_params() | {"random_state": random_state}).fit(X, y)
        # Of classes the chances: of two bad models the best class may be the same.
        return made.predict_proba(X) if hasattr(made, "predict_proba") else _flat(made.predict(X))

    assert np.array_equal(told(1), told(1))
    assert np.array_equal(told(np.random.RandomState(1)), told(np.random.RandomState(1)))
    assert not np.array_equal(told(1), told(2))
    assert not np.array_equal(told(None), told(None))


def test_a_fit_leaves_no_file_and_its_copies_tell_the_same(
    case: tuple[Any, Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model, X, y = case
    assert model.fit(X, y) is model and list(tmp_path.iterdir()) == []
    told = _flat(model.predict(X))
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert np.array_equal(_flat(again.predict(X)), told)
        assert again.score(X, y) == model.score(X, y)
    if y is not None:  # order does not matter, nor what else is told of
        assert np.allclose(_flat(model.predict(X[::-1])[::-1]), told, rtol=1e-5)
        assert np.allclose(_flat(model.predict(X[:1])), _flat(model.predict(X)[:1]), rtol=1e-5)


def test_parameters_are_got_set_cloned_and_refused(case: tuple[Any, Any, Any]) -> None:
    model, X, _ = case
    params = model.get_params()
    assert params["hidden_size"] == 4
    assert type(model)(**params).get_params() == params
    assert model.set_params(hidden_size=8, cell="gru") is model
    assert model.get_params() == params | {"hidden_size": 8, "cell": "gru"}
    with pytest.raises(UserError, match='did you mean "hidden_size"'):
        model.set_params(hiden_size=3)
    with pytest.raises(UserError, match="fit it first"):
        model.predict(X)
    sklearn = pytest.importorskip("sklearn.base")
    clone = sklearn.clone(model)
    assert type(clone) is type(model) and clone.get_params() == model.get_params()
    assert clone is not model and not hasattr(clone, "model_")
    assert sklearn.is_classifier(model) == isinstance(model, SequenceClassifier)
    assert sklearn.is_regressor(model) == isinstance(model, SequenceRegressor)


def test_parameters_reach_the_network(case: tuple[Any, Any, Any]) -> None:
    model, X, y = case
    sizes = []
    for hidden_size, cell in ((4, "lstm"), (5, "lstm"), (5, "gru")):
        model.set_params(hidden_size=hidden_size, cell=cell).fit(X, y)
        sizes.append(sum(p.numel() for p in model.model_.parameters()))
    assert len(set(sizes)) == 3 and model.n_iter_ == 1


def test_they_are_found_in_the_package() -> None:
    for name in ("Forecaster", "SequenceClassifier", "SequenceRegressor", "Spectrum"):
        assert name in elman.__all__ and getattr(elman, name).__name__ == name
