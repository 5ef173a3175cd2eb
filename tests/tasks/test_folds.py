"""Folds: each sequence in one, equal ones together, whatever the order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.tasks import folds
from elman.tasks.folds import NEVER, dealt


@given(st.lists(st.binary(max_size=2), min_size=1, max_size=40), st.integers(2, 7), st.randoms())
def test_folds_depend_on_contents_alone_and_hold_equal_sequences_together(
    digests: list[bytes], count: int, random: object
) -> None:
    found = folds.drawn(digests, count)
    of = dict(zip(digests, found.tolist(), strict=True))
    assert [of[d] for d in digests] == found.tolist()
    turned = digests[::-1]
    assert folds.drawn(turned, count).tolist() == found.tolist()[::-1]
    sizes = [sum(fold == k for fold in of.values()) for k in range(count)]
    assert max(sizes) - min(sizes) <= 1  # of different sequences


@given(st.integers(2, 6), st.lists(st.integers(3, 20), min_size=2, max_size=5))
def test_each_fold_has_about_as_many_of_each_group(count: int, sizes: list[int]) -> None:
    groups = [g for g, size in enumerate(sizes) for _ in range(size)]
    digests = [k.to_bytes(2, "big") for k in range(len(groups))]
    found = folds.drawn(digests, count, groups).tolist()
    for g in range(len(sizes)):
        each = [sum(f == k and own == g for f, own in zip(found, groups, strict=True))
                for k in range(count)]  # fmt: skip
        assert max(each) - min(each) <= 1


Labelled = Sequence[tuple[str, tuple[str, ...]]]  # texts, each with one label or several at once
LABELS = st.lists(st.sampled_from("wxyz"), max_size=3, unique=True).map(tuple)
LABELLED = st.lists(st.tuples(st.sampled_from("abcdefghijkl"), LABELS), min_size=1)


def deal(rows: Labelled, count: int) -> NDArray[np.int64]:
    return dealt([labels for _, labels in rows], [text.encode() for text, _ in rows], count)


@settings(max_examples=100)
@example(  # z comes with x and with y, which are dealt alike: one fold would hold all of it
    rows=[("a", ("x", "z")), ("b", ("x",)), ("c", ("y", "z")), ("d", ("y",))], count=2, seed=0
)
@given(rows=LABELLED, count=st.integers(2, 6), seed=st.integers(0, 9))
def test_what_is_scored_can_be_learnt_from_the_other_folds(
    rows: Labelled, count: int, seed: int
) -> None:
    fold = deal(rows, count)
    used = sorted(set(fold.tolist()) - {NEVER})
    assert used == list(range(len(used))) and len(used) != 1 and len(used) <= count
    for k in used:
        learnt = {
            x for (_, labels), own in zip(rows, fold, strict=True) if own != k for x in labels
        }
        assert {x for _, labels in rows for x in labels} == learnt
    where: dict[str, set[int]] = {}
    for (text, _), own in zip(rows, fold.tolist(), strict=True):
        where.setdefault(text, set()).add(own)
    assert all(len(found - {NEVER}) <= 1 for found in where.values()), "equal ones are in one fold"
    order = random.Random(seed).sample(range(len(rows)), len(rows))
    again = deal([rows[k] for k in order], count)
    assert Counter(zip(rows, fold.tolist(), strict=True)) == Counter(
        zip([rows[k] for k in order], again.tolist(), strict=True)
    ), "however the rows are sorted"


@settings(max_examples=50)
@given(sizes=st.lists(st.integers(2, 12), min_size=2, max_size=4), count=st.integers(2, 6))
def test_labels_are_spread_evenly(sizes: list[int], count: int) -> None:
    rows = [(f"{c} {k}", (str(c),)) for c, size in enumerate(sizes) for k in range(size)]
    fold = deal(rows, count)
    assert NEVER not in fold
    for c in range(len(sizes)):
        own = [int(f) for (_, labels), f in zip(rows, fold, strict=True) if labels == (str(c),)]
        each = Counter(own)
        assert max(each.values()) - min(each[f] for f in range(max(fold) + 1)) <= 1
    everything = Counter(fold.tolist())
    assert max(everything.values()) - min(everything.values()) <= len(sizes)


def test_folds_are_for_few_and_can_be_asked_for_or_switched_off() -> None:
    assert [folds.wanted(n, 0.1, None) for n in (10, 299, 300)] == [5, 5, 0]
    assert folds.wanted(1000, 0.1, 3) == 3 and folds.wanted(10, 0.1, 0) == 0
    assert folds.wanted(10, 0.0, None) == folds.wanted(10, 0.0, 4) == 0, "nothing is validated"
