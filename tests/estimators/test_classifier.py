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
from torch import Tensor

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


def several(count: int = 80) -> tuple[list[str], list[list[str]]]:
    """Texts with the words of their labels, which may be none."""
    draw = random.Random(1)
    words = {"fun": ("laugh", "joke"), "war": ("tank", "battle"), "love": ("kiss", "heart")}
    Y = [[label for label in words if draw.random() < 0.4] for _ in range(count)]
    X = [" ".join(["film", *(draw.choice(words[label]) for label in labels)]) for labels in Y]
    return X, Y


def test_several_labels_at_once_come_back_in_the_form_of_y() -> None:
    X, Y = several()
    names = ["fun", "love", "war"]
    ones = np.array([[int(name in labels) for name in names] for labels in Y])
    forms: list[tuple[Any, list[Any]]] = [
        (Y, names), (list(map(tuple, Y)), names), (list(map(set, Y)), names),
        (ones, [0, 1, 2]), (ones.astype(bool), [0, 1, 2]), (ones.tolist(), [0, 1, 2]),
    ]  # fmt: skip
    chances = None
    for y, classes in forms:
        model = elman.SequenceClassifier(**SMALL | {"epochs": 12}).fit(X, y)
        assert model.classes_.tolist() == classes
        found = model.predict_proba(X)
        assert found.shape == (80, 3) and ((found > 0) & (found < 1)).all()
        assert chances is None or np.abs(found - chances).max() < 1e-6, "the form does not matter"
        chances = found
        told = model.predict(X)
        exact = ((found >= 0.5) == ones).all(1).mean()
        assert 0.9 < model.score(X, y) == pytest.approx(exact) and model.score(X, told) == 1.0
        if isinstance(y, np.ndarray) or classes == [0, 1, 2]:
            assert isinstance(told, np.ndarray) and (told == (found >= 0.5)).all()
        else:
            assert type(told[0]) is type(y[0])
            told_of = [[name in labels for name in names] for labels in told]
            assert told_of == (found >= 0.5).tolist()
        assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), found)
    with pytest.raises(UserError, match="y\\[1\\]: 'space' is none of the labels learnt"):
        model.fit(X, Y).score(X[:2], [["fun"], ["space"]])


def threshold_of(model: elman.SequenceClassifier) -> Tensor:
    return model.model_.get_buffer("threshold")


def test_the_threshold_is_chosen_on_the_share_held_back() -> None:
    X, Y = several()
    slow = SMALL | {"epochs": 2, "learning_rate": 1e-3, "bag": "none"}
    assert float(threshold_of(elman.SequenceClassifier(**slow).fit(X, Y))) == 0.5
    model = elman.SequenceClassifier(**slow | {"validation": 0.3}).fit(X, Y)
    threshold = float(threshold_of(model))
    assert threshold != 0.5
    told = [[model.classes_[k] for k in np.flatnonzero(p >= threshold)]
            for p in model.predict_proba(X)]  # fmt: skip
    assert model.predict(X) == told


@pytest.mark.parametrize(
    ("y", "told"),
    [
        ([1.0, float("nan")], "y\\[1\\] is nan: a class is missing"),
        (["a", None], "y\\[1\\] is None: a class is missing"),
        (np.array(["a", None], dtype=object), "y\\[1\\] is None"),
        (np.array([np.nan, 1.0]), "y\\[0\\] is .*nan.*: a class is missing"),
        ([["a"], None], "y\\[1\\] is None: needs a list of labels"),
        ([["a"], ["b", None]], "y\\[1\\] is None: a class is missing"),
        ([["a"], [["b"]]], "y\\[1\\] holds \\['b'\\], which is no label"),
        (np.array([[0, 1], [1, 2]]), "y\\[1\\] holds .*2.*: needs 0 and 1"),
        (np.array([[0, 1], [1, np.nan]]), "y\\[1\\] is .*nan.*: a class is missing"),
        (np.zeros((2, 3, 4)), "y of shape \\(2, 3, 4\\)"),
        ([["a"], ["a"]], 'the same labels everywhere, "a"'),
        ([[], []], "the same labels everywhere"),
    ],
)
def test_targets_that_are_missing_or_none_are_told(y: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        elman.SequenceClassifier(**SMALL).fit(["good", "bad"], y)


def test_columns_and_frames_of_pandas_and_polars_are_taken() -> None:
    X, Y = several(30)
    ones = {name: [int(name in labels) for labels in Y] for name in ("fun", "love", "war")}
    for library in ("pandas", "polars"):
        made = pytest.importorskip(library)
        frame = made.DataFrame({"text": X, "first": ["fun" in labels for labels in Y]})
        for texts in (frame["text"], frame[["text"]]):
            model = elman.SequenceClassifier(**SMALL).fit(texts, frame["first"])
            assert model.classes_.tolist() == [False, True]
        wide = elman.SequenceClassifier(**SMALL).fit(X, made.DataFrame(ones))
        assert wide.classes_.tolist() == ["fun", "love", "war"]
        assert wide.predict(X).shape == (30, 3)
        numbers = made.DataFrame({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 7.0]})
        assert elman.SequenceClassifier(**SMALL).fit(numbers, [0, 1, 1]).predict_proba(
            numbers
        ).shape == (3, 2)
        with pytest.raises(UserError, match="give the column of sequences, as X"):
            elman.SequenceClassifier(**SMALL).fit(frame, frame["first"])
        missing = made.DataFrame({"y": ["a", None, "b"]})["y"]
        with pytest.raises(UserError, match=r"y\[1\] is .*: a class is missing"):
            elman.SequenceClassifier(**SMALL).fit(X[:3], missing)


def test_a_share_can_be_held_back_to_find_the_best_weights() -> None:
    X, y = texts()
    model = elman.SequenceClassifier(**SMALL | {"validation": 0.2}).fit(X, y)
    assert model.score(X, y) > 0.9
    with pytest.raises(UserError, match='X\\[60\\]: the only sequence of the class "7"; give more'):
        elman.SequenceClassifier(validation=0.2, folds=0).fit([*X, "odd"], [*y, 7])


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
