"""Laws of grammars: what they permit is what their words can spell."""

import itertools
import random
from typing import Any

import pytest

from elman.search.ctc import Grammar, Lexicon, Phrases

Symbols = tuple[int, ...]


def said(grammar: Grammar[Any], longest: int, V: int) -> set[Symbols]:
    """All that a grammar permits, by asking it for everything."""
    found = set()
    for n in range(longest + 1):
        for symbols in itertools.product(range(1, V), repeat=n):
            state: Any = grammar.start()
            for symbol in symbols:
                state = None if state is None else grammar.step(state, symbol)
            if state is not None and grammar.complete(state):
                found.add(symbols)
    return found


def some_words(draw: random.Random, letters: list[int]) -> list[Symbols]:
    return [tuple(draw.choices(letters, k=draw.randint(1, 3))) for _ in range(draw.randint(1, 4))]


@pytest.mark.parametrize("seed", range(8))
def test_phrases_permit_themselves(seed: int) -> None:
    words = some_words(random.Random(seed), [1, 2, 3])
    assert said(Phrases(words), 4, 4) == set(words)
    assert said(Phrases([*words, ()]), 4, 4) == {(), *words}


@pytest.mark.parametrize("separator", [3, None])
@pytest.mark.parametrize("seed", range(8))
def test_a_lexicon_permits_its_words_one_after_another(seed: int, separator: int | None) -> None:
    words = some_words(random.Random(seed), [1, 2])
    seam = () if separator is None else (separator,)
    expected: set[Symbols] = {()}
    longest = 6
    ends: set[Symbols] = set(words)
    while ends:
        expected |= ends
        ends = {(*a, *seam, *b) for a in ends for b in words}
        ends = {one for one in ends if len(one) <= longest} - expected
    assert said(Lexicon(words, separator), longest, 4) == expected


@pytest.mark.parametrize("seed", range(8))
def test_words_may_be_written_otherwise_where_they_begin_all(seed: int) -> None:
    draw = random.Random(seed)
    words, first = some_words(draw, [1, 2]), some_words(draw, [2, 3])
    expected: set[Symbols] = {()}
    longest = 5
    ends: set[Symbols] = set(first)
    while ends:
        expected |= ends
        ends = {(*a, *b) for a in ends for b in words}
        ends = {one for one in ends if len(one) <= longest} - expected
    assert said(Lexicon(words, first=first), longest, 4) == expected


def test_words_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one symbol"):
        Lexicon([(1,), ()])
    with pytest.raises(ValueError, match="separator"):
        Lexicon([(1, 2)], separator=2)
    with pytest.raises(ValueError, match="blank"):
        Phrases([(1, 0)])
