"""scikit-learn's habits, held to by scikit-learn itself where it is installed."""

from __future__ import annotations

import copy
import pickle
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.errors import UserError

SMALL: dict[str, Any] = {
    "hidden_size": 6, "epochs": 8, "learning_rate": 0.02, "batch_size": 8, "dropout": 0.0,
    "random_state": 3,
}  # fmt: skip


def curves(count: int = 60) -> tuple[list[Any], Any]:
    """Noise of unequal length around 1 or -1."""
    draw = np.random.default_rng(0)
    up = [k % 2 == 0 for k in range(count)]
    X = [draw.normal(1.5 if u else -1.5, 1, size=draw.integers(2, 9)) for u in up]
    return X, ["up" if u else "down" for u in up]


def texts(count: int = 60) -> tuple[list[Any], Any]:
    draw = random.Random(0)
    words = (("dull", "poor"), ("fine", "great"))
    y = np.arange(count) % 2 + 10
    return [" ".join(draw.choices(words[k - 10], k=draw.randint(1, 5))) for k in y], y


def test_it_learns_texts_and_arrays_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    for X, y in (curves(), texts()):
        model = elman.SequenceClassifier(**SMALL).fit(X, y)
        assert model.classes_.tolist() == sorted(set(y))
        assert model.score(X, y) > 0.95
        chances = model.predict_proba(X)
        assert chances.shape == (60, 2) and np.allclose(chances.sum(1), 1)
        assert (model.classes_[chances.argmax(1)] == model.predict(X)).all()
        alone = model.predict_proba(X[:1])
        assert np.abs(alone - chances[:1]).max() < 1e-6
        for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            assert np.array_equal(again.predict_proba(X), chances)
    assert list((tmp_path / "tmp").glob("elman*")) == []
    assert not (tmp_path / "runs").exists()


def test_classes_keep_their_type_and_order() -> None:
    X, _ = texts(40)
    kinds: list[list[Any]] = [[10.5, 9.0], [10, 9], [True, False], ["10", "9"]]
    for y in (pair * 20 for pair in kinds):
        model = elman.SequenceClassifier(**SMALL | {"epochs": 6}).fit(X, y)
        assert model.classes_.tolist() == sorted(set(y))
        assert model.predict(X).dtype == np.asarray(y).dtype
        assert model.score(X, y) > 0.9


@pytest.mark.parametrize(
    ("X", "y", "told"),
    [
        (["a", "b"], [1], "2 sequences in X, and y of shape"),
        (["a", " "], [1, 2], "X\\[1\\] is empty"),
        (["a", [1.0]], [1, 2], "texts and arrays"),
        ([[1.0], [np.inf]], [1, 2], "X\\[1\\] of shape"),
        ([[1.0], []], [1, 2], "X\\[1\\] of shape"),
        ([[1.0], [[1.0, 2.0]]], [1, 2], "X\\[1\\]: steps of 2 values"),
        ([[1.0], object()], [1, 2], "X\\[1\\]: neither a text nor numbers"),
        ([], [], "X holds no sequences"),
        (["a", "b"], [1, 1], 'one class only, "1"'),
    ],
)
def test_what_is_no_data_is_told(X: Any, y: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        elman.SequenceClassifier(**SMALL).fit(X, y)


def test_a_share_can_be_held_back_to_find_the_best_weights() -> None:
    X, y = texts()
    model = elman.SequenceClassifier(**SMALL | {"validation": 0.2}).fit(X, y)
    assert model.score(X, y) > 0.9
    with pytest.raises(UserError, match='X\\[60\\]: the only sequence of the class "7"; give more'):
        elman.SequenceClassifier(validation=0.2).fit([*X, "odd"], [*y, 7])


def test_scikit_learn_takes_it_for_one_of_its_own() -> None:
    pytest.importorskip("sklearn")
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    X, y = texts()
    model = elman.SequenceClassifier(**SMALL | {"epochs": 6})
    assert is_classifier(model) and clone(model).get_params() == model.get_params()
    assert cross_val_score(model, X, y, cv=3).mean() > 0.9
    assert cross_val_predict(model, X, y, cv=2, method="predict_proba").shape == (60, 2)
    lower = FunctionTransformer(lambda rows: [row.lower() for row in rows])
    pipeline = make_pipeline(lower, model).fit([text.upper() for text in X], y)
    assert pipeline.score(X, y) > 0.9
    found = GridSearchCV(model, {"cell": ["gru", "rnn"]}, cv=2).fit(X, y)
    assert found.best_params_["cell"] in ("gru", "rnn") and found.score(X, y) > 0.9
