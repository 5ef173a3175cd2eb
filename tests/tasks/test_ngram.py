import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.tasks.text.ngram import KneserNey, baseline

few = settings(max_examples=40, deadline=None)


class Text:
    """Ids in memory, read as a token file is."""

    def __init__(self, ids: NDArray[np.int64]) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        return self.ids[start : start + count]


def by_hand(train: list[int], symbols: int, order: int, context: list[int], token: int) -> float:
    """The formula in the docstring, with dictionaries, for one token."""
    p = 1 / symbols
    for k in range(1, order + 1):
        counts = Counter(tuple(train[i : i + k]) for i in range(len(train) - k + 1))
        if k < order:
            longer = {tuple(train[i : i + k + 1]) for i in range(len(train) - k)}
            counts = Counter(gram[1:] for gram in longer)
        once = sum(count == 1 for count in counts.values())
        twice = sum(count == 2 for count in counts.values())
        discount = (once + 0.5) / (once + 2 * twice + 1)
        if len(context) < k - 1:
            break
        u = tuple(context[len(context) - k + 1 :])
        after = {gram: count for gram, count in counts.items() if gram[:-1] == u}
        if after:
            total = sum(after.values())
            freed = discount * len(after) / total
            p = max(after.get((*u, token), 0) - discount, 0) / total + freed * p
    return p


texts = st.integers(1, 5).flatmap(
    lambda symbols: st.tuples(
        st.just(symbols), st.lists(st.integers(0, symbols - 1), min_size=1, max_size=40)
    )
)


@few
@given(texts, st.integers(1, 4), st.data())
def test_it_equals_the_formula_worked_with_dictionaries(
    text: tuple[int, list[int]], order: int, data: st.DataObject
) -> None:
    seen, train = text
    symbols = seen + 2  # two that never occur in training
    token = st.integers(0, symbols - 1)
    history = data.draw(st.lists(token, max_size=6))
    ids = data.draw(st.lists(token, max_size=12))
    model = KneserNey(np.array(train), symbols, order)
    loss = model.score(np.array(ids, dtype=np.int64), np.array(history, dtype=np.int64))
    whole, at = history + ids, len(history)
    expected = [
        by_hand(train, symbols, model.order, whole[: at + i], ids[i]) for i in range(len(ids))
    ]
    assert loss.count == len(ids)
    assert loss.total == pytest.approx(-sum(math.log(p) for p in expected), abs=1e-9)


@few
@given(texts, st.integers(1, 5), st.data())
def test_the_probabilities_of_all_tokens_sum_to_one_after_any_history(
    text: tuple[int, list[int]], order: int, data: st.DataObject
) -> None:
    seen, train = text
    symbols = seen + 3
    history = np.array(data.draw(st.lists(st.integers(0, symbols - 1), max_size=7)), np.int64)
    model = KneserNey(np.array(train), symbols, order)
    each = [list(model.probabilities(np.array([w]), history)) for w in range(symbols)]
    p = np.array(each)[:, :, 0]  # [V, orders]
    assert p.shape[1] == min(order, len(train))
    assert (p > 0).all()
    assert p.sum(0) == pytest.approx(np.ones(p.shape[1]), abs=1e-12)


@few
@given(texts)
def test_order_one_is_the_smoothed_unigram(text: tuple[int, list[int]]) -> None:
    symbols, train = text
    counts = np.bincount(train, minlength=symbols)
    once, twice = (counts == 1).sum(), (counts == 2).sum()
    discount = (once + 0.5) / (once + 2 * twice + 1)
    freed = discount * (counts > 0).sum() / symbols
    expected = (np.maximum(counts - discount, 0) + freed) / len(train)
    model = KneserNey(np.array(train), symbols, 1)
    (p,) = model.probabilities(np.arange(symbols), np.array([0, 0]))
    assert p == pytest.approx(expected, abs=1e-12)


@few
@given(texts, st.integers(2, 5), st.data())
def test_an_unseen_context_changes_nothing(
    text: tuple[int, list[int]], order: int, data: st.DataObject
) -> None:
    symbols, train = text
    known = data.draw(st.lists(st.integers(0, symbols - 1), max_size=order - 2))
    token = np.array([data.draw(st.integers(0, symbols))])
    model = KneserNey(np.array(train), symbols + 1, order)
    unseen = np.array([symbols, *known])  # no gram has this symbol, so only `known` is context
    assert model.score(token, unseen) == model.score(token, np.array(known, dtype=np.int64))


@few
@given(texts, st.integers(1, 4), st.integers(1, 2**32 - 6))
def test_large_ids_are_only_names(text: tuple[int, list[int]], order: int, offset: int) -> None:
    _, train = text
    ids = np.array(train)
    small = KneserNey(ids, 2**32, order).score(ids, ids)
    large = KneserNey((ids + offset).astype(np.uint32), 2**32, order)
    assert large.score(ids + offset, ids + offset) == small


def periodic(period: int, length: int) -> NDArray[np.int64]:
    """A text that two tokens of context predict, and one does not: 0 1 0 2 0 3 0 1 …"""
    place = np.arange(length)
    return np.where(place % 2 == 0, 0, 1 + place // 2 % period)


def test_the_baseline_chooses_the_order_that_held_out_text_favours() -> None:
    ids = periodic(3, 4000)
    found = baseline(Text(ids), 3600, Text(ids), 3600, 4000, 4, highest_order=6)
    assert found.order >= 3
    assert found.loss.count == 400
    assert found.loss.mean < 0.05
    noise = np.random.default_rng(1).integers(0, 50, 4000)
    found = baseline(Text(noise), 3600, Text(noise), 3600, 4000, 50, highest_order=6)
    assert found.order == 1
    assert str(found) == "Kneser-Ney 1-gram, trained on 3,600, scored on 400 tokens"


@few
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 5))
def test_the_baseline_uses_the_nearest_text_within_its_limits_and_says_so(
    train_limit: int, limit: int, start: int
) -> None:
    # Mostly 0 1 2 0 1 2 …, so that context counts.
    noise = np.random.default_rng(limit).integers(0, 8, (2, 60)) == 0
    train, text = (np.arange(60) + noise.cumsum(1)) % 3
    found = baseline(
        Text(train), 50, Text(text), start, 55, 3, highest_order=3, train_limit=train_limit,
        limit=limit,
    )  # fmt: skip
    model = KneserNey(train[max(50 - train_limit, 0) : 50], 3, found.order)
    scored = text[start : min(start + limit, 55)]
    assert found.loss == model.score(scored, text[:start])
    assert (f"last {train_limit:,} of 50" in str(found)) == (train_limit < 50)
    assert (f"first {limit:,} of {55 - start}" in str(found)) == (limit < 55 - start)
