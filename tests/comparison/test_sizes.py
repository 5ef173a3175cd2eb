"""Widths are those that bring the weights nearest."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman import cells, tasks
from elman.comparison.sizes import NEAR, nearest, sized, weights, widened
from elman.data.texts.vocabulary import Characters
from elman.options import make
from elman.tasks.text.options import TextOptions


@given(st.lists(st.integers(1, 50), min_size=40, max_size=40), st.integers(1, 2500))
def test_no_other_width_is_nearer(steps: list[int], target: int) -> None:
    counts = list(accumulate(steps))

    def tried(units: int) -> tuple[int, int]:
        # Beyond the list weights go on growing.
        return units, counts[units - 1] if units <= 40 else counts[-1] + 100 * (units - 40)

    _, found = nearest(tried, target)
    assert abs(found - target) == min(abs(tried(k)[1] - target) for k in range(1, 80))


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_gets_as_many_weights_as_an_lstm(name: str) -> None:
    task = tasks.get("text")
    kept = {"vocabulary": Characters(("<unk>", *"abcdefghijklmnopq .")).to_json()}
    own = make(TextOptions, {"cell": "lstm", "hidden_size": (48, 24), "embedding": 16,
                             "dropout": 0.0, "weight_drop": 0.0, "tie_weights": False,
                             "scored": 1, "counted": 1})  # fmt: skip
    target = weights(task, kept, own)
    found, count = sized(task, kept, make(TextOptions, {**vars(own), "cell": (name,)}), target)
    assert count == weights(task, kept, found) == pytest.approx(target, rel=NEAR)
    assert found.hidden_size[0] == pytest.approx(2 * found.hidden_size[1], abs=1)


def test_widths_keep_their_proportion_and_other_sizes_follow() -> None:
    options = make(tasks.options("translate"), {"hidden_size": 64, "decoder_hidden_size": 96})
    wider = widened(options, 128)
    assert (wider.hidden_size, wider.decoder_hidden_size) == ((128,), (192,))
    assert widened(options, 1).decoder_hidden_size == (2,)
