"""How much pieces repeat themselves, beside what slow twins find."""

from __future__ import annotations

import random

import numpy as np
import pytest

from elman.data.symbolic.piece import Note, Piece, Track
from elman.tasks.music.repetition import longest_loop, repeated, repetition, told


def _loop(ids: list[int]) -> int:
    """The longest stretch that is a beginning of the repetition of its own first ids, at least
    twice: by looking at every stretch and every period."""
    best = 0
    for start in range(len(ids)):
        for stop in range(start + 2, len(ids) + 1):
            size = stop - start
            for period in range(1, size // 2 + 1):
                if all(ids[k] == ids[k + period] for k in range(start, stop - period)):
                    best = max(best, size)
    return best


@pytest.mark.parametrize("seed", range(30))
def test_the_longest_loop_is_that_of_a_slow_twin(seed: int) -> None:
    draw = random.Random(seed)
    ids = draw.choices(range(draw.randint(1, 3)), k=draw.randint(0, 14))
    start, stop, period = longest_loop(np.array(ids, np.int64))
    assert stop - start == _loop(ids)
    assert all(ids[k] == ids[k + period] for k in range(start, stop - period))


@pytest.mark.parametrize("seed", range(10))
def test_runs_that_stood_before_are_counted(seed: int) -> None:
    draw = random.Random(seed)
    ids = draw.choices(range(2), k=draw.randint(0, 40))
    runs = [ids[k : k + 3] for k in range(len(ids) - 2)]
    before = sum(run in runs[:k] for k, run in enumerate(runs))
    share = before / len(runs) if runs else 0.0
    assert repeated(np.array(ids, np.int64), 3) == pytest.approx(share)


def test_one_note_for_ever_is_a_loop_of_all_the_piece() -> None:
    for quarters, period in ((1, 1), (2, 1)):
        notes = tuple(Note(k * 12 * quarters, 6, 60) for k in range(20))
        one = Piece("x", 12, (Track(notes),), 20 * 12 * quarters)
        found = repetition(one)
        assert found.looped == 1
        assert found.period_quarters == period * quarters
        assert found.share == pytest.approx(12 / 13)


def test_what_does_not_come_again_is_no_loop() -> None:
    one = Piece("x", 4, (Track(tuple(Note(k * k, 1, 40 + k) for k in range(12))),), 200)
    found = repetition(one)
    assert (found.share, found.loop_quarters, found.period_quarters) == (0, 0, 0)
    assert repetition(Piece("e", 4, (), 0)).looped == 0
    assert "0% of runs" in told([one], [one])
