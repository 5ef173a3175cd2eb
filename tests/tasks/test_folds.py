"""Folds: each sequence in one, equal ones together, whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from elman.tasks import folds


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
