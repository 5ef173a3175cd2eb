import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_memory import Text
from numpy.typing import NDArray

from elman.tasks import kneser_ney
from elman.tasks.kneser_ney import Discounts, KneserNey
from elman.tasks.text.ngrams import ngram
from elman.tasks.text.passages import Passages

few = settings(max_examples=40)


def discounts_of(counts: Counter[tuple[int, ...]], kind: int) -> list[float]:
    """Those of grams counted 1, 2, and 3 or more times."""
    n = [0.0] + [sum(c == j for c in counts.values()) + 0.5**j for j in (1, 2, 3, 4)]
    y = n[1] / (n[1] + 2 * n[2])
    if kind == 1:
        return [y, y, y]
    two, three = 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]
    return [y, min(max(two, y), 2), min(max(three, y), 3)]


def by_hand(
    train: list[int], symbols: int, order: int, kind: int, context: list[int], token: int
) -> float:
    """The formula in the docstring, with dictionaries, for one token."""
    p = 1 / symbols
    for k in range(1, order + 1):
        counts = Counter(tuple(train[i : i + k]) for i in range(len(train) - k + 1))
        if k < order:
            longer = {tuple(train[i : i + k + 1]) for i in range(len(train) - k)}
            counts = Counter(gram[1:] for gram in longer)
        taken = discounts_of(counts, kind)
        if len(context) < k - 1:
            break
        u = tuple(context[len(context) - k + 1 :])
        after = {gram: count for gram, count in counts.items() if gram[:-1] == u}
        if after:
            total = sum(after.values())
            own = after.get((*u, token), 0)
            freed = sum(min(c, taken[min(c, 3) - 1]) for c in after.values()) / total
            p = (max(own - taken[min(own, 3) - 1], 0) if own else 0) / total + freed * p
    return p


texts = st.integers(1, 5).flatmap(
    lambda symbols: st.tuples(
        st.just(symbols), st.lists(st.integers(0, symbols - 1), min_size=1, max_size=40)
    )
)


kinds: st.SearchStrategy[Discounts] = st.sampled_from([1, 3])


def array(ids: list[int]) -> NDArray[np.int64]:
    return np.array(ids, dtype=np.int64)


@few
@given(texts, st.integers(1, 4), kinds, st.data())
def test_it_equals_the_formula_worked_with_dictionaries(
    text: tuple[int, list[int]], order: int, kind: Discounts, data: st.DataObject
) -> None:
    seen, train = text
    symbols = seen + 2  # two that never occur in training
    token = st.integers(0, symbols - 1)
    history = data.draw(st.lists(token, max_size=6))
    ids = data.draw(st.lists(token, max_size=12))
    model = KneserNey(array(train), symbols, order, discounts=kind)
    found = model.probabilities(array(ids), array(history))
    whole, at = history + ids, len(history)
    expected = [
        by_hand(train, symbols, model.order, kind, whole[: at + i], ids[i]) for i in range(len(ids))
    ]
    assert found == pytest.approx(expected, abs=1e-12)
    *_, highest = model.by_order(array(ids), array(history))
    assert highest == pytest.approx(expected, abs=1e-12)


@few
@given(texts, st.integers(1, 5), kinds, st.data())
def test_the_probabilities_of_all_tokens_sum_to_one_after_any_history(
    text: tuple[int, list[int]], order: int, kind: Discounts, data: st.DataObject
) -> None:
    seen, train = text
    symbols = seen + 3
    history = array(data.draw(st.lists(st.integers(0, symbols - 1), max_size=7)))
    model = KneserNey(array(train), symbols, order, discounts=kind)
    each = [list(model.by_order(np.array([w]), history)) for w in range(symbols)]
    p = np.array(each)[:, :, 0]  # [V, orders]
    assert p.shape[1] == min(order, len(train))
    assert (p > 0).all()
    assert p.sum(0) == pytest.approx(np.ones(p.shape[1]), abs=1e-12)


@few
@given(texts, st.integers(1, 5), kinds, st.data())
def test_token_by_token_it_says_what_it_says_of_a_whole_text(
    text: tuple[int, list[int]], order: int, kind: Discounts, data: st.DataObject
) -> None:
    seen, train = text
    symbols = seen + 2
    token = st.integers(0, symbols - 1)
    history = array(data.draw(st.lists(token, max_size=7)))
    ids = data.draw(st.lists(token, max_size=9))
    model = KneserNey(array(train), symbols, order, discounts=kind)
    copy = KneserNey.from_arrays(model.arrays())
    place, found, matched = copy.start(history), [], []
    for t, read in enumerate(ids):
        p = copy.distribution(place)
        every = np.arange(symbols)
        before = np.concatenate([history, array(ids[:t])])
        apart = [model.probabilities(every[w : w + 1], before)[0] for w in every]
        assert p == pytest.approx(apart, abs=1e-12)
        found.append(p[read])
        matched.append(copy.matched(place))
        place = copy.advance(place, read)
    assert found == pytest.approx(model.probabilities(array(ids), history), abs=1e-12)
    assert matched == model.matches(array(ids), history).tolist()


def test_a_long_text_is_read_in_pieces_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(3)
    train, ids = draw.integers(0, 4, (2, 300))
    model = KneserNey(train, 4, 5)
    whole, matches = model.probabilities(ids, train), model.matches(ids, train)
    monkeypatch.setattr(kneser_ney, "CHUNK", 7)
    assert (model.probabilities(ids, train) == whole).all()
    assert (model.matches(ids, train) == matches).all()
    assert matches.max() == 4


@few
@given(texts, st.integers(2, 4), st.data())
def test_damaged_counts_are_refused(
    text: tuple[int, list[int]], order: int, data: st.DataObject
) -> None:
    symbols, train = text
    arrays = KneserNey(array(train), symbols, order).arrays()
    name = data.draw(st.sampled_from(sorted(arrays)))
    damage = data.draw(st.sampled_from(["missing", "negative", "kind", "size"]))
    broken = arrays[name].copy()
    if damage == "negative":
        broken[:1] = -1
    elif damage == "kind":
        broken = broken.astype(np.float32)
    elif damage == "size":
        broken = np.concatenate([broken, broken[-1:], np.ones(1, broken.dtype)])
    arrays[name] = broken
    if damage == "missing":
        del arrays[name]
    if (len(broken) == 0 and damage == "negative") or (name == "sizes" and damage == "kind"):
        return  # nothing has changed
    with pytest.raises(ValueError, match=r"it|missing"):
        KneserNey.from_arrays(arrays)


@few
@given(texts)
def test_order_one_is_the_smoothed_unigram(text: tuple[int, list[int]]) -> None:
    symbols, train = text
    counts = np.bincount(train, minlength=symbols)
    taken = np.array([0.0, *discounts_of(Counter({(t,): train.count(t) for t in train}), 3)])
    taken = np.minimum(counts, taken[np.minimum(counts, 3)])
    expected = (counts - taken + taken.sum() / symbols) / len(train)
    for model in (KneserNey(array(train), symbols, 1),
                  KneserNey(array(train), symbols, 4).of_first_order()):  # fmt: skip
        p = model.probabilities(np.arange(symbols), array([0, 0]))
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
    assert model.probabilities(token, unseen) == model.probabilities(token, array(known))


@few
@given(texts, st.integers(1, 4), st.integers(1, 2**32 - 6))
def test_large_ids_are_only_names(text: tuple[int, list[int]], order: int, offset: int) -> None:
    _, train = text
    ids = np.array(train)
    small = KneserNey(ids, 2**32, order).probabilities(ids, ids)
    large = KneserNey((ids + offset).astype(np.uint32), 2**32, order)
    assert (large.probabilities(ids + offset, ids + offset) == small).all()


def periodic(period: int, length: int) -> NDArray[np.int64]:
    """A text that two tokens of context predict, and one does not: 0 1 0 2 0 3 0 1 …"""
    place = np.arange(length)
    return np.where(place % 2 == 0, 0, 1 + place // 2 % period)


def test_the_order_is_the_one_that_held_out_text_favours() -> None:
    ids = periodic(3, 4000)
    found = ngram.learn(Text(ids), 3600, 4, highest_order=6)
    assert found.model.order >= 3
    loss = ngram.score(found.model, Text(ids), 3600, 4000).loss
    assert loss.count == 400
    assert loss.mean < 0.05
    noise = np.random.default_rng(1).integers(0, 50, 4000)
    found = ngram.learn(Text(noise), 3600, 50, highest_order=6)
    assert found.model.order == 1
    assert str(found) == "a Kneser-Ney 1-gram"


def test_the_number_of_discounts_is_the_one_that_held_out_text_favours() -> None:
    chosen = set()
    for seed in range(6):
        draw = np.random.default_rng(seed)
        ids = draw.integers(0, 9, 600) if seed % 2 else (draw.pareto(0.7, 600) % 30).astype(int)
        order, kind = kneser_ney.best_kind(ids, 30, 3)
        losses = {}
        for k in (1, 3):
            model = KneserNey(ids[:540], 30, order, discounts=k)
            losses[k] = -np.log(model.probabilities(ids[540:], ids[:540])).sum()
        assert losses[kind] == min(losses.values())
        chosen.add(kind)
    assert chosen == {1, 3}


@few
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 50))
def test_it_learns_from_the_nearest_text_within_its_limits_and_says_so(
    limit: int, chosen_by: int, start: int
) -> None:
    # Mostly 0 1 2 0 1 2 …, so that context counts.
    noise = np.random.default_rng(limit).integers(0, 8, (2, 60)) == 0
    train, text = (np.arange(60) + noise.cumsum(1)) % 3
    found = ngram.learn(
        Text(train), 50, 3, highest_order=3, limit=limit, chosen_by=chosen_by
    )  # fmt: skip
    ids = train[max(50 - limit, 0) : 50]
    order, kind = kneser_ney.best_kind(ids[-chosen_by:], 3, 3)
    expected = KneserNey(ids, 3, order, discounts=kind).probabilities(text[start:55], text[:start])
    scored = ngram.score(found.model, Text(text), start, 55)
    assert scored.loss.total == pytest.approx(-np.log(expected).sum(), rel=1e-12)
    assert scored.loss.count == 55 - start
    assert (f"the last {limit:,} of 50" in str(found)) == (limit < 50)


@given(first=st.integers(0, 99), count=st.integers(1, 700), parts=st.integers(1, 5))
def test_passages_hold_every_token_once_in_whatever_order_they_come(
    first: int, count: int, parts: int
) -> None:
    draw = np.random.default_rng(count)
    nats, order = draw.random(count), draw.permutation(count)
    made = Passages(first, first + count, size=64)
    for part in np.array_split(order, parts):
        made.add(first + part, nats[part])
    edges = range(0, count, 64)
    assert made.sums[:, 0] == pytest.approx([nats[k : k + 64].sum() for k in edges])
    assert made.sums[:, 1].tolist() == [min(64, count - k) for k in edges]
    assert made.tally.score(made.tally.sums.sum(0)) == pytest.approx(nats.mean())
    assert made.loss.mean == pytest.approx(nats.mean())


def test_a_guess_costs_the_logarithm_of_the_symbols_everywhere() -> None:
    made = ngram.guess(7, 5, 5 + 600)
    assert made.loss.count == 600
    assert made.loss.mean == pytest.approx(math.log(7))
