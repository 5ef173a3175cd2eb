"""N-grams of texts and the linear model on them, beside scikit-learn's and beside loops."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion
from sklearn.svm import LinearSVC

from elman.data.built_in.built_in import unicode
from elman.tasks.classify import linear
from elman.tasks.classify.linear import DenseRows, Sparse, SparseRows
from elman.tasks.classify.words import grams_bag, ngrams
from elman.tasks.classify.words.bag import Bag

TEXTS = st.lists(st.text("ab1 _'.\n愛é́", max_size=20), min_size=1, max_size=8)


def words_of(text: str) -> list[str]:
    """Runs of letters, and every other sign, as a reader would part them."""
    found, run = [], ""
    for sign in text.lower():
        if sign != "愛" and (sign.isalnum() or sign in "_́"):
            run += sign
            continue
        found += [run, sign]
        run = ""
    return [word for word in [*found, run] if word.strip()]


def grams(text: str) -> tuple[Counter[str], Counter[str]]:
    """Of words and of letters, each by its content."""
    words = words_of(text)
    of_words = Counter([*words, *("\0".join(two) for two in itertools.pairwise(words))])
    letters: Counter[str] = Counter()
    for word in text.lower().split():
        spaced = f" {word} "
        for n in range(1, ngrams.LETTERS + 1):
            found = [spaced[k : k + n] for k in range(len(spaced) - n + 1)]
            letters.update(gram for gram in found if gram.strip())
    return of_words, letters


@given(TEXTS, st.integers(1, 60))
def test_counts_are_those_by_hand_however_many_are_counted_at_once(
    texts: list[str], together: int
) -> None:
    whole = ngrams.TOGETHER
    try:
        ngrams.TOGETHER = together  # type: ignore[misc]
        counts = ngrams.counted(texts)
    finally:
        ngrams.TOGETHER = whole  # type: ignore[misc]
    for k, text in enumerate(texts):
        own = counts.texts == k
        found = dict(zip(counts.keys[own].tolist(), counts.counts[own].tolist(), strict=True))
        for kind, wanted in enumerate(grams(text)):
            there = {key: n for key, n in found.items() if key // ngrams.BUCKETS == kind}
            assert sorted(there.values()) == sorted(wanted.values())
        one = ngrams.counted([text])  # the same keys, whatever stands beside
        assert one.keys.tolist() == counts.keys[own].tolist()


def test_other_words_have_other_keys_and_equal_ones_equal_keys() -> None:
    texts = [f"w{k}" for k in range(300)]
    counts = ngrams.counted([*texts, *(f"x {text}" for text in texts)])
    alone = [counts.keys[(counts.texts == k) & (counts.keys < ngrams.BUCKETS)] for k in range(600)]
    assert all(len(keys) == 1 for keys in alone[:300])
    assert len({int(keys[0]) for keys in alone[:300]}) > 298  # of 4 million buckets
    assert all(np.isin(own, both).all() for own, both in zip(alone, alone[300:], strict=False))


@settings(max_examples=30)
@given(st.lists(st.text("abc 愛", max_size=12), min_size=2, max_size=8))
def test_weights_of_ngrams_are_scikit_learns(texts: list[str]) -> None:
    counts = ngrams.counted(texts)
    own = ngrams.weighed(ngrams.weighing(counts), counts)
    dense = np.zeros((len(own), max(own.width, 1)))
    dense[np.repeat(np.arange(len(own)), np.diff(own.starts)), own.columns] = own.values
    theirs = np.zeros((len(texts), len(texts)))
    for kind in range(2):
        try:
            table = TfidfVectorizer(
                analyzer=lambda text, kind=kind: list(grams(text)[kind].elements()),
                sublinear_tf=True, min_df=2,
            ).fit_transform(texts)  # fmt: skip
        except ValueError:  # nothing comes twice
            continue
        theirs += (table @ table.T).toarray()
    # float32, and at most two sums of squares of 1
    assert np.abs(dense @ dense.T - theirs).max() < 1e-5


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_sparse_rows_are_multiplied_like_dense_ones(n: int, f: int, c: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    dense = (draw.random((n, f)) * (draw.random((n, f)) < 0.5)).astype(np.float32)
    rows, columns = np.nonzero(dense)
    starts = np.searchsorted(rows, np.arange(n + 1))
    sparse = SparseRows(Sparse(starts, columns, dense[rows, columns], f))
    whole = DenseRows(torch.from_numpy(dense))
    weights, errors = torch.randn(f, c), torch.randn(n, c)
    assert (sparse.times(weights) - whole.times(weights)).abs().max() < 1e-5
    assert (sparse.turned_times(errors) - whole.turned_times(errors)).abs().max() < 1e-5


@pytest.mark.parametrize("strength", [0.3, 5.0])
def test_the_regression_is_scikit_learns(strength: float) -> None:
    draw = np.random.default_rng(1)
    x = draw.normal(size=(80, 6)).astype(np.float32)
    y = (x[:, :3] + draw.normal(size=(80, 3))).argmax(1)
    rows = DenseRows(torch.from_numpy(x))
    own = np.exp(linear.log_shares(linear.fit(rows, y, 6, 3, strength)(rows)))
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=1000).fit(x, y).predict_proba(x)
    assert np.abs(own - theirs).max() < 5e-3  # where each stops
    sets = (x[:, :2] + draw.normal(size=(80, 2)) > 0).astype(np.int64)
    chances = linear.logistic(linear.fit(rows, sets, 6, 2, strength)(rows))
    for label in range(2):
        theirs = LogisticRegression(C=strength, tol=1e-8).fit(x, sets[:, label]).predict_proba(x)
        assert np.abs(chances[:, label] - theirs[:, 1]).max() < 5e-3


def names() -> tuple[list[str], NDArray[np.int64]]:
    """Names of characters and what kind each is: real data, one in 25."""
    rows = [line.rsplit(",", 1) for line in unicode().decode().splitlines()[1::25]]
    kinds = sorted({kind for _, kind in rows})
    return [name for name, _ in rows], np.array([kinds.index(kind) for _, kind in rows])


def test_the_model_is_as_good_as_scikit_learns_on_real_names() -> None:
    texts, y = names()
    held = np.arange(len(y)) % 4 == 0
    train = [text for text, out in zip(texts, held, strict=True) if not out]
    check = [text for text, out in zip(texts, held, strict=True) if out]
    made = grams_bag.learn(train, y[~held], int(y.max()) + 1)
    assert made is not None
    chances = made.chances(check)
    own = float((chances.argmax(1) == y[held]).mean())
    tables = FeatureUnion([
        ("words", TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)),
        ("letters", TfidfVectorizer(
            analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True, min_df=2
        )),
    ])  # fmt: skip
    x = tables.fit_transform(train)
    model = LinearSVC(C=0.5).fit(x, y[~held])
    theirs = model.score(tables.transform(check), y[held])
    assert own > theirs - 0.01, (own, theirs)
    # What was right of names left out tells what will be.
    assert abs(made.right - own) < 0.03
    assert np.abs(chances.sum(1) - 1).max() < 1e-9
    loss = -np.log(chances[np.arange(len(check)), y[held]])
    for turn in (0.8, 1.25):  # the scores are as sure as they may be
        turned = linear.log_shares(turn * np.log(chances))
        assert loss.mean() < -turned[np.arange(len(check)), y[held]].mean() + 0.002


@pytest.mark.parametrize("many", [False, True])
def test_naive_bayes_of_words_is_that_of_a_bag(many: bool) -> None:
    texts, y = names()
    texts, y = texts[:200], np.minimum(y[:200], 1)
    targets = np.stack([y, 1 - y, y | (np.arange(200) % 3 == 0)], 1) if many else y
    counts = ngrams.counted(texts)
    weighing = ngrams.weighing(counts)
    words = grams_bag._words(ngrams.weighed(weighing, counts), weighing)
    assert (weighing.keys[: words.width] < ngrams.BUCKETS).all() and (words.values == 1).all()
    own = grams_bag._naive(words, targets, 3 if many else 2)
    holders = [set(words.columns[words.starts[n] : words.starts[n + 1]]) for n in range(200)]
    each = targets if many else np.eye(2, dtype=np.int64)[targets]
    columns = np.concatenate([each, np.ones((200, 1), np.int64)], 1) if many else each
    table = np.array([
        sum(row for row, held in zip(columns, holders, strict=True) if f in held)
        for f in range(words.width)
    ])  # fmt: skip
    keys = np.arange(1, words.width + 1)
    ratios, _ = Bag("tokens", 10**6, keys, table, columns.sum(0), 1.0, many).ratios()
    assert np.abs(own.weights - ratios).max() < 1e-5


def several() -> tuple[list[str], NDArray[np.int64]]:
    draw = np.random.default_rng(3)
    sets = (draw.random((120, 3)) < [0.5, 0.3, 0.2]).astype(np.int64)
    return [" ".join(w for w, there in zip(("red", "warm", "new"), own, strict=True) if there)
            + f" thing {draw.integers(9)}" for own in sets], sets  # fmt: skip


def test_several_labels_at_once_are_told_by_a_threshold_from_texts_left_out() -> None:
    texts, sets = several()
    made = grams_bag.learn(texts[:90], sets[:90], 3)
    assert made is not None and made.several and made.right > 0.95
    said = made.chances(texts[90:]) >= made.threshold
    assert (said == (sets[90:] > 0)).mean() > 0.97


@pytest.mark.parametrize("labels", ["one", "several"])
def test_what_is_kept_answers_alike(labels: str) -> None:
    texts, y = names() if labels == "one" else several()
    texts, y = texts[::4], y[::4]
    classes = y.shape[1] if y.ndim == 2 else int(y.max()) + 1
    made = grams_bag.learn(texts, y, classes)
    assert made is not None
    kept = json.loads(json.dumps(made.to_json()))
    again = grams_bag.from_json(kept, classes, several=y.ndim == 2)
    assert again.to_json() == made.to_json()
    asked = [*texts, "", "quite new", "\ud800"]
    assert np.array_equal(again.scores(asked), made.scores(asked))
    assert np.isfinite(made.scores(asked)).all()


@pytest.mark.parametrize(
    "change",
    [
        {"keys": []}, {"keys": [3, 2]}, {"keys": [1.5]}, {"keys": [-1]}, {"keys": [1 << 40]},
        {"keys": None}, {"rarity": [1.0]}, {"weights": [[1.0]]}, {"weights": "a"},
        {"bias": [1.0]}, {"bias": [float("nan")] * 3}, {"several": False}, {"right": 2},
        {"threshold": "much"}, {"learnt": None}, {"naive": [[1.0]], "naive_bias": [0.0] * 3},
    ],
)  # fmt: skip
def test_damage_is_told(change: Mapping[str, Any]) -> None:
    texts, sets = several()
    made = grams_bag.learn(texts, sets, 3)
    assert made is not None
    with pytest.raises((ValueError, TypeError, KeyError)):
        grams_bag.from_json({**made.to_json(), **change}, 3, several=True)


def test_nothing_is_learnt_where_nothing_comes_twice() -> None:
    assert grams_bag.learn(["", " ", ""], np.array([0, 1, 0]), 2) is None
    alone = grams_bag.learn(["a"], np.array([0]), 2)
    assert alone is None or np.isfinite(alone.scores(["a", "b"])).all()


def test_samples_of_long_data_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, y = names()
    monkeypatch.setattr(grams_bag, "LETTERS", 10_000)
    made = grams_bag.learn(texts, y, int(y.max()) + 1)
    assert made is not None and made.of == len(texts)
    assert 0.5 < sum(map(len, texts)) * made.learnt / made.of / 10_000 < 2
