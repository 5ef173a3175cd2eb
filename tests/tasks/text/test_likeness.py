"""BLEU and self-BLEU of what a language model writes, beside those of held-out text."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from in_memory import Text

from elman.data.texts.vocabulary import Vocabulary, build
from elman.tasks.text.writing import likeness
from elman.tasks.text.writing.likeness import Likeness, bleu, self_bleu

WORDS = ["the", "old", "king", "went", "home", "and", "saw", "a", "small", "dog", "there", "once"]


@pytest.fixture
def text() -> tuple[Vocabulary, Text, int]:
    draw = np.random.default_rng(1)
    sentences = [" ".join(draw.choice(WORDS, 8)) for _ in range(400)]
    vocabulary = build("words", sentences)
    ids = np.concatenate([vocabulary.encode(s) for s in sentences]).astype(np.int64)
    return vocabulary, Text(ids), len(ids)


def test_held_out_text_that_is_copied_is_as_like_as_can_be(
    text: tuple[Vocabulary, Text, int],
) -> None:
    vocabulary, ids, stop = text
    length = likeness.LENGTH["words"]

    def copy(k: int) -> str:
        return vocabulary.decode(ids.read((4 * k + 1) * length, length).tolist())

    found = likeness.likeness(copy, vocabulary, ids, 0, stop)
    assert isinstance(found, Likeness)
    assert found.samples == likeness.SAMPLES
    assert found.written[0] > 60 > found.held_out[0] > 0
    assert "BLEU against held-out text" in str(found)


def test_a_writer_that_repeats_itself_is_found_by_self_bleu(
    text: tuple[Vocabulary, Text, int],
) -> None:
    vocabulary, ids, stop = text
    found = likeness.likeness(lambda k: "the old king " * 20, vocabulary, ids, 0, stop)
    assert isinstance(found, Likeness)
    assert found.written[1] == pytest.approx(100)
    assert found.held_out[1] < 60


def test_self_bleu_leaves_each_text_out_of_its_references() -> None:
    texts = ["a b c d e f", "a b c d e g", "h i j k l m"]
    alone = [bleu([t], [o for o in texts if o != t], "13a") for t in texts]
    assert self_bleu(texts, "13a") == pytest.approx(np.mean(alone))
    assert self_bleu(["a b c d e f"] * 3, "13a") == pytest.approx(100)
    assert bleu(texts, texts, "13a") == pytest.approx(100)
    # More references make it no less likely that a run of words is among them.
    assert bleu(texts[:1], texts[1:2], "13a") <= bleu(texts[:1], texts[1:], "13a")


def test_what_is_not_counted_is_told(
    text: tuple[Vocabulary, Text, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    vocabulary, ids, stop = text
    written = list[int]()

    def write(k: int) -> str:
        written.append(k)
        return "the old king"

    few = 2 * likeness.SAMPLES * likeness.LENGTH["words"] - 1
    assert "is fewer than 16" in str(likeness.likeness(write, vocabulary, ids, stop - few, stop))
    monkeypatch.setattr(likeness, "SECONDS", 0.0)
    assert "too slowly" in str(likeness.likeness(write, vocabulary, ids, 0, stop))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "elman[metrics]" in str(likeness.likeness(write, vocabulary, ids, 0, stop))
    assert not written
