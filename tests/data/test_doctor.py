"""The data doctor tells what is there, and warns of what would spoil a score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.data import doctor
from elman.data.examples import Examples, Reading


def page(
    train: Sequence[tuple[str, str]], check: Sequence[tuple[str, str]] = (), longest: int = 100
) -> doctor.Page:
    one, other = (
        Examples(texts=[text for text, _ in rows], labels=[label for _, label in rows])
        for rows in (train, check)
    )
    lengths = [len(text) for text in (*one.texts, *other.texts)]
    return doctor.labelled("it", one, other, lengths, longest)


GOOD = [(f"text {k:03}", "ab"[k % 2]) for k in range(40)]
OTHER = [(f"more {k:03}", "ab"[k % 2]) for k in range(10)]


def test_of_good_data_it_tells_and_does_not_warn() -> None:
    found = page(GOOD, OTHER)
    assert found.warnings == ()
    assert found.headline == "it: 40 sequences for training, 10 for validation, 2 classes"
    assert "classes: a 50.0%, b 50.0%" in found.facts
    assert "every sequence has 8 steps" in found.facts
    assert (
        "lengths in steps: 8 to 20, half below 9, 95 % up to 8"
        in page([*GOOD, ("t" * 20, "a")]).facts
    )
    assert found.lines() == [found.headline, *found.facts]


def test_each_thing_that_spoils_a_score_is_a_warning() -> None:
    assert "2 of 12 sequences for validation stand in the" in str(page(GOOD, OTHER + GOOD[:2]))
    assert "1 sequences come with different labels" in str(
        page([*GOOD, (GOOD[0][0], "b")]).warnings
    )
    assert "4 of 44 sequences for training are repeats" in str(page(GOOD + GOOD[:4]).warnings)
    assert "1 of 41 sequences for training are repeats" in str(page(GOOD + GOOD[:1]).facts)
    assert "fewer than 10 sequences: c (2)" in str(page([*GOOD, ("x", "c"), ("y", "c")]).warnings)
    many = [(f"more {k}", "a") for k in range(100)]
    assert "a is 6 times as frequent as b" in str(page(GOOD + many).warnings)
    assert "1 sequences are longer than 9 steps and are cut" in str(
        page([*GOOD, ("t" * 10, "a")], longest=9).warnings
    )


def test_inputs_that_never_change_and_rows_left_out_are_told() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 5, 3)).astype(np.float32)
    rows[..., 1] = 7
    train = Examples(
        vectors=list(rows), labels=["a", "b"] * 15, reading=Reading(encoding="gb18030")
    )
    found = doctor.labelled("it", train, Examples(), [5] * 30, 9, ["it, line 3: empty"], 1)
    assert "1 of 3 inputs never change" in found.facts
    assert "read as gb18030" in found.facts
    assert found.warnings == ("1 rows left out, such as it, line 3: empty",)
