from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.errors import UserError
from elman.probe import patterns

texts = st.lists(st.text("ab(\n)", max_size=30), min_size=1, max_size=4).filter(any)


@settings(max_examples=60)
@given(texts, st.sampled_from(["a+", "^.", "b$", r"\((.*?)\)", "(a)|b", "x"]))
def test_a_letter_is_within_a_match_as_python_says(sequences: list[str], pattern: str) -> None:
    found = patterns.matched(sequences, pattern)
    group = 1 if "(a)" in pattern or ".*?" in pattern else 0
    for b, text in enumerate(sequences):
        expected = np.zeros(found.shape[0], bool)
        for match in re.finditer(pattern, text, re.MULTILINE):
            for place in range(*match.span(group)):
                expected[place] = True
        assert (found[:, b] == expected).all()


@settings(max_examples=30)
@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=9))
def test_a_step_of_several_letters_is_within_where_any_letter_is(words: list[str]) -> None:
    for between in ("", " "):
        text, letters = between.join(words), patterns.matched([between.join(words)], "ab?c")[:, 0]
        place, found = 0, patterns.matched([words], "ab?c", between)[:, 0]
        for t, word in enumerate(words):
            assert found[t] == letters[place : place + len(word)].any(), (text, t)
            place += len(word) + len(between)


@settings(max_examples=60)
@given(texts)
def test_quantities_are_what_counting_says(sequences: list[str]) -> None:
    place, line, depth = (
        patterns.quantity(name, sequences)
        for name in ("position", "line-position", "bracket-depth")
    )
    for b, text in enumerate(sequences):
        for t in range(place.shape[0]):
            if t >= len(text):
                assert np.isnan([place[t, b], line[t, b], depth[t, b]]).all()
                continue
            assert place[t, b] == t
            before = text[:t].rfind("\n")
            assert line[t, b] == t - before - 1 if before >= 0 else np.isnan(line[t, b])
            rest = text[: t + 1]
            while "()" in (kept := re.sub("[^()]", "", rest)) or rest != kept:
                rest = kept.replace("()", "")
            assert depth[t, b] == rest.count("(")


def test_labels_and_what_does_not_fit() -> None:
    found = patterns.labelled([["N", "V"], ["V"]], "V")
    assert found.tolist() == [[False, True], [True, False]]
    for wrong, told in (
        (lambda: patterns.labelled([["N"]], "M"), "unknown label"),
        (lambda: patterns.matched(["ab"], "(a"), "no regular expression"),
        (lambda: patterns.quantity("line", ["ab"]), "line-position"),
        (lambda: patterns.matched([""], "a"), "empty"),
        (lambda: patterns.matched([], "a"), "empty"),
    ):
        with pytest.raises(UserError, match=told):
            wrong()
