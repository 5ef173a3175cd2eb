"""Profiles: what they say of a column is what its cells, taken one by one, say."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.tables.profile import LONG, LONG_SHAPE, MISSING, Profile, is_missing

CELLS = st.one_of(
    st.sampled_from(
        ["", "NA", " nan ", "-", "\x1f", "31/12/2010", "1,5", "٣٤", "１２/３", "x" * 50]
    ),
    st.from_regex(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2,4}", fullmatch=True),
    st.text(max_size=6),
)


@settings(max_examples=200)
@given(cells=st.lists(CELLS, min_size=1, max_size=40), cut=st.integers(0, 40))
def test_a_profile_is_its_cells_however_they_come_in_blocks(cells: list[str], cut: int) -> None:
    profile = Profile("x")
    numbers = [7 + 2 * k for k in range(len(cells))]
    for part in (slice(0, cut), slice(cut, None)):
        if cells[part]:
            profile.add(cells[part], numbers[part])
    missing = [k for k, cell in enumerate(cells) if cell.strip().lower() in MISSING]
    assert (profile.count, profile.missing) == (len(cells), len(missing))
    assert profile.first_missing == (numbers[missing[0]] if missing else None)
    assert profile.distinct == set(cells)
    shapes = [LONG_SHAPE if len(c) > LONG else re.sub(r"[0-9０-９٠-٩۰-۹]", "9", c) for c in cells]
    present = [s for k, s in enumerate(shapes) if k not in missing]
    assert profile.shapes == Counter(present)
    for shape, (number, cell) in profile.first.items():
        k = next(k for k, own in enumerate(shapes) if own == shape and k not in missing)
        assert (number, cell) == (numbers[k], cells[k])
    for shape, spans in profile.extremes.items():
        values = np.array(
            [[int(g) for g in re.findall(r"\d+", c)] for c, s in zip(cells, shapes, strict=True)
             if s == shape]
        )  # fmt: skip
        assert spans == [(int(v.min()), int(v.max())) for v in values.T]


@settings(max_examples=50)
@given(first=st.integers(0, 3), count=st.integers(1, 30), cut=st.integers(0, 30), odd=st.booleans())
def test_a_column_counts_up_from_nought_or_one(first: int, count: int, cut: int, odd: bool) -> None:
    cells = [str(first + k) for k in range(count)]
    if odd:
        cells[-1] += "0"
    profile = Profile("x")
    for part in (cells[:cut], cells[cut:]):
        profile.add(part, range(len(part)))
    single = odd and count == 1 and cells == ["0"]  # nothing but 00
    assert profile.counts_up == (first < 2 and (not odd or single))


def test_what_holds_no_value_is_missing() -> None:
    assert all(map(is_missing, [None, float("nan"), "", " N/A ", "null", "—"]))
    assert not any(map(is_missing, [0, False, "0", "no", "x"]))


def test_cells_that_are_no_texts_are_counted_by_their_type() -> None:
    profile = Profile("x")
    profile.add([1, 2.5, True, None, [1, 2], "a"], range(6))
    assert profile.typed == {"int": 1, "float": 1, "bool": 1, "list": 1}
    assert profile.missing == 1 and profile.shapes["[…]"] == 1 and profile.shapes["9"] == 1
