"""The table of labels: what it counts, in which order; and what a damaged model has lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.errors import UserError
from elman.options import given as or_else
from elman.tasks.labelling import SHOWN, Counted, kept, table

pairs = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(pairs)
def test_the_table_holds_what_counting_the_pairs_gives(pairs: list[tuple[int, int]]) -> None:
    true, said = np.array(pairs).T
    counted = [
        Counted(str(k), (true == k).sum(), (said == k).sum(), ((true == k) & (said == k)).sum())
        for k in range(5)
    ]
    rows = [line.strip("| ").split(" | ") for line in table(counted, "class", "texts")[2:]]
    assert [int(row[1]) for row in rows] == sorted((c.there for c in counted), reverse=True)
    for label, there, precision, recall, f1 in rows:
        k = int(label)
        found, asked = true[said == k], said[true == k]
        p = (found == k).mean() if len(found) else 0.0
        r = (asked == k).mean() if len(asked) else 0.0
        assert int(there) == len(asked)
        assert float(precision) == pytest.approx(p, abs=5e-4)
        assert float(recall) == pytest.approx(r, abs=5e-4)
        assert float(f1) == pytest.approx(2 * p * r / (p + r) if p + r else 0.0, abs=5e-4)


def test_the_most_frequent_come_first_and_the_others_are_left_out() -> None:
    counted = [Counted(f"{k:02}", k // 2, 1, 0) for k in range(2 * SHOWN)]
    labels = [line.split("|")[1].strip() for line in table(counted, "class", "texts")[2:]]
    assert labels == [f"{k + j:02}" for k in range(2 * SHOWN - 2, SHOWN - 1, -2) for j in (0, 1)]


def test_a_bar_in_a_label_parts_no_cells() -> None:
    assert table([Counted("a|b", 1, 1, 1)], "class", "texts")[2].startswith("| a\\|b | 1 |")


WHOLE: dict[str, Any] = {"classes": ["a", "b"], "encoder": {"k": 1}, "reading": {"scan": "rows"}}


@pytest.mark.parametrize(
    "lost",
    [{"classes": None}, {"classes": [1, 2]}, {"encoder": []}, {"reading": "rows"}],
    ids=lambda lost: str(next(iter(lost))),
)
def test_a_model_that_lost_a_part_is_told_as_damaged(lost: Mapping[str, Any]) -> None:
    assert kept(WHOLE, "classes") == (("a", "b"), {"k": 1}, {"scan": "rows"})
    with pytest.raises(UserError, match="damaged"):
        kept({**WHOLE, **lost}, "classes")


def test_a_value_that_is_given_stands_though_it_be_nothing() -> None:
    assert or_else(0.0, 0.5) == 0.0 and or_else(None, 0.5) == 0.5
