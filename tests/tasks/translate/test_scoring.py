"""What a translation is worth: the same as sacrebleu says, of all sentences and of some."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import sacrebleu
from hypothesis import example, given, settings
from hypothesis import strategies as st

from elman.metrics import Scores
from elman.tasks.bleu import tokenizer
from elman.tasks.translate.scores import INSTALL, scored, short, signatures

ENGLISH = ["The cat sat on the mat.", "The dog saw it, too.", "It isn't I who was there."]
GERMAN = ["Die Katze saß auf der Matte.", "Auch der Hund sah es.", "Ich war es nicht."]
CHINESE = ["猫坐在垫子上。", "狗也看见了它。", "在那里的不是我。"]
JAPANESE = ["猫はマットの上に座った。", "犬もそれを見た。", "そこにいたのは私ではない。"]


def scores_of(said: list[str], true: list[str], *, lowercase: bool) -> Scores:
    scores, tally = scored(said, true, lowercase=lowercase)
    assert float(tally.score(tally.sums.sum(0))) == pytest.approx(next(iter(scores.values())))
    assert (tally.unit, len(tally.sums)) == ("sentence", len(true))
    return scores


@pytest.mark.parametrize(
    ("true", "cut"), [(ENGLISH, "13a"), (GERMAN, "13a"), (CHINESE, "zh"), (JAPANESE, "char")]
)
def test_bleu_and_chrf_are_those_of_sacrebleu(true: list[str], cut: str) -> None:
    said = [true[0], true[1][:-3], true[2][2:]]
    scores = scores_of(said, true, lowercase=False)
    assert tokenizer(true) == cut
    assert scores["bleu"] == sacrebleu.corpus_bleu(said, [true], tokenize=cut).score
    assert scores["chrf"] == sacrebleu.corpus_chrf(said, [true]).score
    assert scores["exact"] == pytest.approx(1 / 3)
    counted = signatures(true, lowercase=False)
    assert f"tok:{cut}" in counted[0] and f"version:{sacrebleu.__version__}" in counted[0]
    perfect = scores_of(true, true, lowercase=False)
    assert list(perfect) == ["bleu", "chrf", "exact"]
    assert list(perfect.values()) == pytest.approx([100, 100, 1])


def test_case_counts_unless_texts_are_in_lower_case() -> None:
    said = [text.upper() for text in ENGLISH]
    assert scores_of(said, ENGLISH, lowercase=False)["exact"] == 0
    lower = scores_of(said, ENGLISH, lowercase=True)
    assert lower["exact"] == 1 and lower["bleu"] == pytest.approx(100)


def test_exact_is_the_same_text_however_it_is_composed_and_spaced() -> None:
    assert scores_of(["cafe\u0301  au lait "], ["caf\u00e9 au lait"], lowercase=False)["exact"] == 1
    assert scores_of(["café", "au"], ["cafe", "au"], lowercase=False)["exact"] == 0.5


def test_of_short_targets_exact_comes_first() -> None:
    for true, few in ((["1987-03-03", "4012"], True), (["四千零一"], False), (ENGLISH, False)):
        assert short(true) is few
        assert next(iter(scores_of(true, true, lowercase=False))) == ("exact" if few else "bleu")


def test_without_sacrebleu_exact_matches_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    assert scores_of(ENGLISH, ENGLISH, lowercase=False) == {"exact": 1}
    assert signatures(ENGLISH, lowercase=False) == [] and "elman[metrics]" in INSTALL


words = st.lists(st.sampled_from(["The", "the", "cat", "sat", "on", "a", "mat", "."]), max_size=9)


@given(
    pairs=st.lists(st.tuples(words, words), min_size=1, max_size=5), lowercase=st.booleans(),
    longer=st.booleans(),
)  # fmt: skip
@example(pairs=[(["mat"] * 5, [])], lowercase=False, longer=False)  # nothing is right
@settings(max_examples=60)
def test_counts_of_sentences_add_up_to_the_bleu_of_any_of_them(
    pairs: list[tuple[list[str], list[str]]], lowercase: bool, longer: bool
) -> None:
    said, true = ([" ".join(side) for side in sides] for sides in zip(*pairs, strict=True))
    true = [f"{text} and so it was said to us" for text in true]  # long enough for BLEU to decide
    if longer:
        said = [f"{text} and so it was said to us by all of those who sat on it" for text in said]
    _, tally = scored(said, true, lowercase=lowercase)
    for some in (range(len(said)), range(0, len(said), 2)):
        expected = sacrebleu.corpus_bleu(
            [said[k] for k in some], [[true[k] for k in some]], lowercase=lowercase, force=True
        ).score
        assert float(tally.score(tally.sums[list(some)].sum(0))) == pytest.approx(expected)
    both = np.stack([tally.sums.sum(0), tally.sums[0]])  # many sums at once, as a bootstrap asks
    assert tally.score(both)[1] == tally.score(tally.sums[0])
