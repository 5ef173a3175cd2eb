"""Long lines in a terminal: broken between words, nothing lost, no line too wide."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from elman.apps.wrapping import wrapped

words = st.text("ab狐狸，。é́", min_size=1, max_size=8)


@given(st.lists(words, max_size=40), st.integers(20, 60))
def test_no_line_is_too_wide_and_nothing_is_lost(given_words: list[str], width: int) -> None:
    line = " ".join(given_words)
    lines = wrapped(line, width)
    assert "".join(lines).replace(" ", "") == line.replace(" ", "")
    assert all(cell_len(one) <= width for one in lines)
    # A mark of punctuation stays by its character, unless somebody put a space between them.
    for before, after in itertools.pairwise(lines):
        if before[-1:] in tuple("狐狸") and after[:1] in tuple("，。"):
            assert f"{before[-1]} {after[0]}" in line


@given(st.lists(st.text("abc", min_size=1, max_size=9)), st.integers(20, 60))
def test_words_stay_whole_and_lines_are_full(given_words: list[str], width: int) -> None:
    line = " ".join(given_words)
    lines = wrapped(line, width)
    assert " ".join(lines).split() == given_words
    for first, second in itertools.pairwise(lines):
        assert len(first) + 1 + len(second.split()[0]) > width


def test_wide_characters_count_twice_and_paths_stay_whole() -> None:
    assert [cell_len(line) for line in wrapped("狐" * 25, 20)] == [20, 20, 10]
    path = "/a/" + "x" * 70
    assert wrapped(f"run folder {path} is there", 40) == ["run folder", path, "is there"]
    assert wrapped("    def f():  # " + "word " * 9, 30)[0] == "    def f():  # word word word"
    assert wrapped("a b" * random.Random(0).randrange(50, 90), 5)  # too narrow: left alone
