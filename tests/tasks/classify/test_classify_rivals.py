"""The rivals of a classifier: distances by hand, and no look at what is scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.tasks.classify.curves import neighbours
from elman.tasks.classify.curves import rivals as curve_rivals
from elman.tasks.classify.curves.rivals import candidates, trusted
from elman.tasks.classify.rivals import GUESS, Cut, Items, first_score, learnt

Ints = NDArray[np.int64]
SIZES = st.tuples(
    st.integers(1, 4), st.integers(1, 5), st.integers(1, 7), st.integers(1, 3), st.integers(0, 99)
)


def warped_by_hand(a: NDArray[Any], b: NDArray[Any], width: int) -> float:
    far = np.full((len(a) + 1, len(b) + 1), np.inf)
    far[0, 0] = 0
    for t in range(1, len(a) + 1):
        for u in range(1, len(b) + 1):
            if abs(t - u) <= width:
                least = min(far[t - 1, u], far[t, u - 1], far[t - 1, u - 1])
                far[t, u] = ((a[t - 1] - b[u - 1]) ** 2).sum() + least
    return float(far[-1, -1])


@settings(max_examples=60)
@given(SIZES, st.integers(0, 4))
def test_warped_distances_are_those_by_hand(sizes: tuple[int, ...], width: int) -> None:
    n, m, steps, channels, seed = sizes
    draw = np.random.default_rng(seed)
    a = draw.normal(size=(n, steps, channels)).astype(np.float32)
    b = draw.normal(size=(m, steps, channels)).astype(np.float32)
    found = neighbours.warped_distances(a, b, width)
    wanted = [[warped_by_hand(x, y, width) for y in b] for x in a]
    assert np.abs(found - wanted).max() < 1e-3  # float32, differences of squares
    assert np.array_equal(neighbours.warped(a, b, width), found.argmin(1))
    straight = ((a[:, None] - b[None]) ** 2).sum((2, 3))
    near = neighbours.straight(a, b)
    assert straight[np.arange(n), near] == pytest.approx(straight.min(1), abs=1e-3)
    if width == 0:
        assert np.abs(found - straight).max() < 1e-3


@settings(max_examples=30)
@given(SIZES, st.integers(1, 500))
def test_alone_means_the_nearest_of_the_others_however_many_at_once(
    sizes: tuple[int, ...], together: int
) -> None:
    n, _, steps, channels, seed = sizes
    rows = np.random.default_rng(seed).normal(size=(n + 1, steps, channels)).astype(np.float32)
    rows = np.concatenate([rows, rows + 0.01]).astype(np.float32)  # each has one beside it
    whole = neighbours.TOGETHER
    try:
        neighbours.TOGETHER = together  # type: ignore[misc]
        for found in (
            neighbours.straight(rows, rows, alone=True),
            neighbours.warped(rows, rows, 1, alone=True),
        ):  # fmt: skip
            assert (found != np.arange(len(rows))).all()
    finally:
        neighbours.TOGETHER = whole  # type: ignore[misc]


@given(st.integers(2, 4), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_trust_in_neighbours_is_how_often_they_were_right(
    classes: int, drawn: list[tuple[int, int]]
) -> None:
    said, truth = (np.array([pair[k] % classes for pair in drawn]) for k in (0, 1))
    each = trusted(said, truth, classes)(np.arange(classes)).chances
    assert each.sum(1) == pytest.approx(np.ones(classes)) and (each > 0).all()
    for c in range(classes):
        own = truth[said == c]
        for k in range(classes):
            share = ((truth == k).sum() + 1 / classes) / (len(truth) + 1)
            assert each[c, k] == pytest.approx(((own == k).sum() + share) / (len(own) + 1))
    sets = np.eye(classes, dtype=np.int64)
    several = trusted(sets[said], sets[truth], classes)
    found = several(sets).chances
    assert (found > 0).all() and (found < 1).all()
    told = sets[said][:, 0] > 0
    share = (sets[truth][:, 0].sum() + 0.5) / (len(truth) + 1)
    assert found[0, 0] == pytest.approx((sets[truth][told, 0].sum() + share) / (told.sum() + 1))


@given(st.integers(1, 9), st.integers(1, 30))
def test_stretching_keeps_straight_lines(length: int, steps: int) -> None:
    line = np.stack([np.linspace(1, 3, length), np.linspace(0, -1, length)], 1)
    (found,) = neighbours.stretched([line], steps)
    if length > 1:
        wanted = np.stack([np.linspace(1, 3, steps), np.linspace(0, -1, steps)], 1)
        assert np.abs(found - wanted).max() < 1e-6
    assert neighbours.by_itself(found[None]).std() <= 1.001


def waves(count: int, seed: int, labels: int = 2) -> tuple[list[NDArray[Any]], Ints]:
    """A bump somewhere in each, its class being how often it goes up and down; of any length."""
    draw = np.random.default_rng(seed)
    y = np.arange(count) % labels
    curves = []
    for k in y:
        steps = int(draw.integers(20, 40))
        phase = draw.normal(0, 0.4)
        wave = np.sin((k + 1) * 2 * np.pi * np.linspace(0, 1, steps) + phase)
        noisy = wave[:, None] + draw.normal(0, 0.2, (steps, 1))
        curves.append(noisy.astype(np.float32))
    return curves, y


def whole(training: Items, scored: Items) -> list[Cut]:
    return [Cut(np.arange(len(training.targets)), np.arange(len(scored.targets)))]


def test_curves_are_told_by_their_neighbours_and_by_a_linear_model() -> None:
    training, scored = Items(*waves(60, 0)), Items(*waves(30, 1))
    found = learnt(training, scored, whole(training, scored), ("a", "b"))
    kinds = [rival.name.split(",")[0] for rival in found]
    assert {*kinds} == {
        "the nearest sequence", "a linear model on the steps", 'always "a"', GUESS
    }  # fmt: skip
    assert found[0].scores["accuracy"] > 0.9 and not kinds[0].startswith("always")
    assert found[-1].guess and not any(rival.guess for rival in found[:-1])
    for rival in found:
        assert rival.tally is not None and rival.tally.unit == "sequence"
        assert rival.guess or list(rival.scores) == [
            "accuracy", "macro_f1", "nats", "calibration_error"
        ]  # fmt: skip
        first = rival.tally.score(rival.tally.sums.sum(0))
        assert first == pytest.approx(next(iter(rival.scores.values())))


def texts(count: int, seed: int) -> Items:
    draw = np.random.default_rng(seed)
    y = np.arange(count) % 3
    words = [("fine", "day"), ("dull", "night"), ("no", "thing")]
    return Items([" ".join(draw.permutation([*words[k], str(draw.integers(5))])) for k in y], y)


@pytest.mark.parametrize("kind", ["texts", "curves"])
def test_what_is_scored_does_not_choose_the_first(kind: str) -> None:
    make = texts if kind == "texts" else (lambda n, seed: Items(*waves(n, seed, 3)))
    training, scored = make(60, 0), make(30, 1)
    names = ("a", "b", "c")
    found = learnt(training, scored, whole(training, scored), names)
    turned = Items(scored.sequences, (scored.targets + 1) % 3)
    other = learnt(training, turned, whole(training, turned), names)
    assert [r.name for r in other] == [r.name for r in found]
    assert found[0].scores["accuracy"] > 0.9 > 0.1 > other[0].scores["accuracy"]


def kind_of(name: str) -> str:
    return "warped" if "warped" in name else name.split(",")[0]


@pytest.mark.parametrize("kind", ["texts", "curves"])
def test_each_fold_is_answered_by_what_learnt_from_the_others(kind: str) -> None:
    items = texts(30, 0) if kind == "texts" else Items(*waves(30, 0, 3))
    fold = np.arange(30) // 10
    # The labels of a fold are turned: only what has not learnt from it is wrong about all of it.
    items = Items(items.sequences, (items.targets + (fold == 1)) % 3)
    cuts = [Cut(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]
    names = ("a", "b", "c")
    by_folds = {kind_of(r.name): r for r in learnt(items, items, cuts, names) if not r.guess}
    first = "a linear model on words and letters" if kind == "texts" else "the nearest sequence"
    tally = by_folds[first].tally
    assert tally is not None and tally.sums[10:20, 0].sum() <= 2
    for cut in cuts:
        part = items.pick(cut.scored)
        alone = learnt(items, part, [Cut(cut.learnt, np.arange(10))], names)
        for rival in alone[:-1]:
            own = by_folds.get(kind_of(rival.name))
            if own is not None and own.tally is not None and rival.tally is not None:
                assert np.array_equal(own.tally.sums[cut.scored], rival.tally.sums)


def test_several_labels_at_once_have_rivals_of_their_own() -> None:
    items = texts(60, 0)
    sets = np.stack([items.targets == 0, items.targets <= 1, items.targets >= 0], 1).astype(int)
    found = learnt(
        Items(items.sequences[:40], sets[:40]), Items(items.sequences[40:], sets[40:]),
        [Cut(np.arange(40), np.arange(20))], ("a", "b", "c"),
    )  # fmt: skip
    assert found[0].name == "a linear model on words and letters"
    assert found[1].name == 'always "b", "c", of all sets the best'
    assert next(iter(found[0].scores)) == "micro_f1" and found[0].scores["micro_f1"] > 0.95
    curves, y = waves(60, 0, 3)
    sets = np.stack([y == 0, y <= 1], 1).astype(int)
    of_curves = learnt(Items(curves[:40], sets[:40]), Items(curves[40:], sets[40:]),
                       [Cut(np.arange(40), np.arange(20))], ("a", "b"))  # fmt: skip
    assert of_curves[0].scores["micro_f1"] > 0.8
    for rival in [*found, *of_curves]:
        assert rival.tally is not None
        first = rival.tally.score(rival.tally.sums.sum(0))
        assert first == pytest.approx(rival.scores["micro_f1"])


@pytest.mark.parametrize(
    "curves",
    [
        [np.zeros((5, 1), np.float32)] * 8,  # constant, all alike
        [np.full((1, 2), k, np.float32) for k in range(8)],  # one step
        [np.full((3 + k, 1), 1e6, np.float32) for k in range(8)],
    ],
)
def test_curves_without_shape_have_rivals_too(curves: Sequence[NDArray[Any]]) -> None:
    items = Items(curves, np.arange(8) % 2)
    found = learnt(items, items, whole(items, items), ("a", "b"))
    assert len(found) >= 3
    assert all(np.isfinite(score) for rival in found for score in rival.scores.values())


def test_large_data_is_sampled_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    curves, y = waves(200, 0)
    monkeypatch.setattr(curve_rivals, "PRODUCTS", 500_000)
    monkeypatch.setattr(curve_rivals, "LINEAR_WORK", 5_000)
    monkeypatch.setattr(curve_rivals, "CELLS", 10)
    found = candidates(curves, y, 2, 50, first_score)
    assert [c.kind for c in found] == ["nearest", "linear"]  # too much to warp
    assert all(" of 200" in c.name for c in found)
