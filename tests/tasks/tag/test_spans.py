"""Spans: hand-worked ones as conlleval finds them, and what is written in a scheme comes back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.tasks.tag.spans import Span, count, prefixed, spans

WORKED = {
    "": [],
    "O O": [],
    "B-PER I-PER O B-LOC": [(0, 2, "PER"), (3, 4, "LOC")],
    "B-PER B-PER": [(0, 1, "PER"), (1, 2, "PER")],
    # A kind that changes ends a span, whatever the prefix says.
    "B-PER I-LOC I-LOC": [(0, 1, "PER"), (1, 3, "LOC")],
    # IOB: a span begins without B where nothing of its kind stands before.
    "I-PER I-PER O I-PER B-PER": [(0, 2, "PER"), (3, 4, "PER"), (4, 5, "PER")],
    # BIOES, BILOU, BMES.
    "B-PER I-PER E-PER S-LOC": [(0, 3, "PER"), (3, 4, "LOC")],
    "B-PER L-PER U-PER U-PER": [(0, 2, "PER"), (2, 3, "PER"), (3, 4, "PER")],
    "B M E S B E": [(0, 3, ""), (3, 4, ""), (4, 6, "")],
    "B_NAME M_NAME E_NAME": [(0, 3, "NAME")],
    # After an end nothing goes on; an end by itself is a span.
    "B-PER E-PER I-PER E-PER": [(0, 2, "PER"), (2, 4, "PER")],
    "E-PER E-PER": [(0, 1, "PER"), (1, 2, "PER")],
    "S-PER I-PER": [(0, 1, "PER"), (1, 2, "PER")],
    # Names of kinds may hold the separator.
    "B-A-1 I-A-1 I-A-2": [(0, 2, "A-1"), (2, 3, "A-2")],
}


@pytest.mark.parametrize("labels", WORKED)
def test_spans_by_prefix(labels: str) -> None:
    assert spans(labels.split(), by_prefix=True) == [Span(*s) for s in WORKED[labels]]


def test_spans_without_prefixes_are_runs() -> None:
    found = spans(["name", "name", "O", "name", "call", "call"], by_prefix=False)
    assert found == [Span(0, 2, "name"), Span(3, 4, "name"), Span(4, 6, "call")]


@pytest.mark.parametrize(
    ("labels", "answer"),
    [
        ("O B-PER I-PER", True), ("I-PER I-LOC O", True), ("B M E S", True), ("B_A E_A", True),
        ("O", False), ("O name call", False), ("NN VB IN", False), ("B-PER name", False),
        ("S-PER E-PER", False), ("B-", False),
    ],
)  # fmt: skip
def test_prefixes_are_told_from_plain_labels(labels: str, answer: bool) -> None:
    assert prefixed(labels.split()) is answer


drawn = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(["PER", "LOC", "A-B"])),
    max_size=6,
)


@settings(max_examples=100)
@given(drawn=drawn)
def test_what_is_written_in_a_scheme_comes_back(drawn: list[tuple[int, int, str]]) -> None:
    """`drawn`: tokens outside, then tokens of a span and its kind, again and again."""
    written: dict[str, list[str]] = {"BIO": [], "BIOES": [], "BILOU": [], "IOB": []}
    true: list[Span] = []
    place = 0
    for gap, length, kind in drawn:
        start = place + gap
        touches = bool(true) and gap == 0 and true[-1].kind == kind
        place = start + length
        true.append(Span(start, place, kind))
        inner = "I" * (length - 2)
        for name, prefixes in (
            ("BIO", "B" + "I" * (length - 1)),
            ("BIOES", "S" if length == 1 else f"B{inner}E"),
            ("BILOU", "U" if length == 1 else f"B{inner}L"),
            ("IOB", ("B" if touches else "I") + "I" * (length - 1)),
        ):
            written[name] += ["O"] * gap + [f"{p}-{kind}" for p in prefixes]
    for labels in written.values():
        assert spans(labels, by_prefix=True) == true


def test_f1_counts_exact_spans_of_all_sentences() -> None:
    true = [["B-PER", "I-PER", "O", "B-LOC"], ["B-PER", "O"]]
    said = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "B-PER"]]
    found = count(true, said, by_prefix=True)
    # Of three spans one is found, a LOC; four are said.
    assert (found.there.total(), found.said.total(), found.hit) == (3, 4, {"LOC": 1})
    assert found.f1() == pytest.approx(2 * 1 / (3 + 4))
    assert count(true, true, by_prefix=True).f1() == 1
    assert count([["O"]], [["O"]], by_prefix=True).f1() == 1
