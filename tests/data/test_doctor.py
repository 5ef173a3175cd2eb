"""The data doctor tells what is there, and warns of what would spoil a score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from elman.data import doctor
from elman.data.labelled.examples import Examples
from elman.data.tables.content import BadRows


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
    assert "1 sequence comes with different labels" in str(
        page([*GOOD, (GOOD[0][0], "b")]).warnings
    )
    assert "4 of 44 sequences for training are repeats" in str(page(GOOD + GOOD[:4]).warnings)
    assert "1 of 41 sequences for training are repeats" in str(page(GOOD + GOOD[:1]).facts)
    assert "fewer than 10 sequences: c (2)" in str(page([*GOOD, ("x", "c"), ("y", "c")]).warnings)
    many = [(f"more {k}", "a") for k in range(100)]
    assert "a is 6 times as frequent as b" in str(page(GOOD + many).warnings)
    assert "1 sequence is longer than 9 steps, cut there" in str(
        page([*GOOD, ("t" * 10, "a")], longest=9).warnings
    )


def test_inputs_that_never_change_and_rows_left_out_are_told() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 5, 3)).astype(np.float32)
    rows[..., 1] = 7
    train = Examples(vectors=list(rows), labels=["a", "b"] * 15)
    bad = BadRows(skip=True)
    bad.add("it, line 3", "empty")
    found = doctor.labelled("it", train, Examples(), [5] * 30, 9, left_out=bad.told("row"))
    assert "1 of 3 inputs never change" in found.facts
    assert found.warnings == ("1 row left out, such as it, line 3: empty",)


def test_a_warning_shows_the_first_of_what_was_left_out_and_counts_all() -> None:
    bad = BadRows(skip=True)
    assert bad.told("row or series", "rows or series") == []
    for k in range(9):
        bad.add(f"it, line {k + 1}", "empty")
    first = "it, line 1: empty; it, line 2: empty; it, line 3: empty"
    told = bad.told("row or series", "rows or series")
    assert told == [f"9 rows or series left out, such as {first}"]


LINE = "a line of some length, number {}"


def told(text: str, validation: float = 0.1) -> doctor.Page:
    return doctor.prose("it", [text[k : k + 99] for k in range(0, len(text), 99)], validation)


def lines(*numbers: int, end: str = "\n") -> str:
    return "".join(LINE.format(f"{k:04} of many in all") + end for k in numbers)


def test_of_a_good_text_its_lines_are_told_and_nothing_is_warned() -> None:
    found = told(lines(*range(100)) + "the last and by far the longest of all the lines in it\n")
    assert found.warnings == ()
    assert found.facts == ("101 lines, the longest of 54 characters",)


def test_what_would_spoil_a_text_is_a_warning() -> None:
    whole = lines(*range(100))
    assert told(whole + "\ufffd" * 3).warnings[0].startswith("3 replacement characters")
    garbled = "\u00e9t\u00e9 \u4e2d".encode().decode("latin-1")
    assert "garbled letters" in str(told(whole + garbled).warnings)
    assert not told(whole + "\u00e9t\u00e9 \u4e2d").warnings
    half = told(lines(*range(50), *range(50)), 0.0)
    assert half.warnings == (
        "50% of its long lines are repeats of others: the network will learn them by heart",
    )
    assert "repeats of others" in str(told(lines(*range(100), 1, 2, 3), 0.0).facts)
    assert "repeats" not in str(told(lines(*range(300), 1), 0.0).facts)
    assert "carriage return" in str(told(lines(*range(100), end="\r\n")).facts)


def test_lines_that_validation_shares_with_training_are_warned_of_where_it_is_known() -> None:
    shared = lines(*range(90), *range(10))
    assert "10 of the long lines for validation stand in the training part" in str(
        told(shared).warnings
    )
    assert "validation" not in str(told(shared, 0.0).warnings)  # nothing is kept for it
    # Of a text that is read in part alone, nobody knows where validation begins.
    long = shared * (doctor.READ // len(shared) + 1)
    found = told(long)
    assert "validation" not in str(found.warnings)
    assert "in its first" in str(found.facts)
