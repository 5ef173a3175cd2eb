"""What a translator writes: the same alone and in a batch, with and without words that are asked
for, its unknown words copied from where attention looks."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from elman.errors import UserError
from elman.tasks.translate.data import Encoder, make_encoder
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.predict import answered
from elman.tasks.translate.writing import Translating, Translation

SOURCES = [
    "the cat sat on the mat", "a dog saw the cat", "on a mat", "dog", "cat saw dog on the mat",
    "the the the", "mat", "a cat", "sat",
]  # fmt: skip
TARGETS = ["die Katze saß auf der Matte", "ein Hund sah die Katze", "auf der Matte", "Hund saß ein"]
NEW = ["the Zeppelin sat", "Abba Zeppelin Abba"]  # with words that no vocabulary holds


def encoder(level: Any = "words") -> Encoder:
    return make_encoder(
        SOURCES * 2, TARGETS * 2, ("words", level), limit=None, shared=False, lowercase=False,
        longest=20, cut=False,
    )  # fmt: skip


def translating(
    context: Any = "attention", level: Any = "words", unknown_bias: float = 0.0, longest: int = 8,
    favoured: str = "", **decoding: Any,
) -> Translating:  # fmt: skip
    made = encoder(level)
    options = TranslateOptions(
        context=context, hidden_size=(7,), embedding=6, dropout=0.0, weight_drop=0.0,
        token_dropout=0.0,
    )  # fmt: skip
    torch.manual_seed(4)
    model = Translator(options, (made.source.size, made.target.size), (0, made.target.unknown))
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():  # so that sources differ in what is made of them
            torch.nn.init.normal_(parameter, std=0.9)
        model.output.bias[0] += unknown_bias
        for text in (favoured, f" {favoured}"):
            model.output.bias[made.target.encode(text).tolist()] += 20
    return Translating(model, made, longest, Decoding(**decoding), "cpu")


def translated(translate: Translating, texts: list[str]) -> list[list[Translation]]:
    found = answered(translate, texts)
    for one in found:
        assert not isinstance(one, str)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("context", ["first", "each", "attention"])
@pytest.mark.parametrize(
    "decoding",
    [{"beam": 1}, {"beam": 4, "n_best": 3}, {"temperature": 1.0, "seed": 1, "n_best": 2}],
    ids=str,
)
def test_a_sentence_is_translated_alike_alone_and_among_others(
    context: str, decoding: dict[str, Any]
) -> None:
    translate = translating(context, **decoding)
    together = translated(translate, SOURCES)
    assert len({found[0].text for found in together}) > 1
    drawn = "temperature" in decoding
    for k, found in enumerate(together):
        assert len(found) == decoding.get("n_best", 1)
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)
        if drawn:  # by a sentence's number in the data
            continue
        (alone,) = translated(translate, [SOURCES[k]])
        assert [one.text for one in alone] == [one.text for one in found]
        for a, b in zip(alone, found, strict=True):
            assert a.score == pytest.approx(b.score, abs=1e-9)
    if drawn:
        again = translated(translate, SOURCES)
        assert [[o.text for o in f] for f in again] == [[o.text for o in f] for f in together]
        twice = translated(translate, SOURCES[:3] * 2)
        assert twice[0][0].text != twice[3][0].text or twice[1][0].text != twice[4][0].text


def test_attention_comes_for_each_token_over_the_sentences_own_tokens() -> None:
    translate = translating(beam=3, n_best=2)
    ids = [translate.encoder.source_ids(text) for text in SOURCES]
    sources = [one for one in ids if not isinstance(one, str)]
    for found, source in zip(
        translate(SOURCES, sources, keep_attention=True), sources, strict=True
    ):
        x = torch.from_numpy(source)[None]
        read = translate.model.encode(x, torch.tensor([len(source)]))
        for one in found:
            before = torch.tensor([[translate.encoder.target.size, *one.tokens]])
            true = translate.model.attended(read, before, torch.tensor([before.shape[1]]))
            assert one.attention is not None
            assert one.attention.shape == (len(one.tokens), len(source))
            assert torch.allclose(one.attention, true[0, : len(one.tokens)], rtol=0, atol=1e-9)


def test_unknown_words_are_copied_kept_or_never_written() -> None:
    texts = [*NEW, *SOURCES]
    how: dict[str, Any] = {"unknown_bias": 9.0, "beam": 2}
    kept = translated(translating(unknown="keep", **how), texts)
    copied = translated(translating(unknown="copy", **how), texts)
    assert [[o.text for o in f] for f in translated(translating(**how), texts)] == [
        [o.text for o in f] for f in copied
    ]
    assert any("<unk>" in found[0].text for found in kept)
    names = 0
    for text, (before,), (after,) in zip(texts, kept, copied, strict=True):
        assert before.tokens == after.tokens and after.attention is not None
        words = text.split()
        said = after.text.split()
        assert len(said) == len(before.text.split()) == len(before.tokens)
        for t, word in enumerate(before.text.split()):
            at = int(after.attention[t, : len(words)].argmax())
            assert said[t] == (words[at] if word == "<unk>" else word)
            names += said[t] in ("Zeppelin", "Abba")
    assert names  # the word itself, not <unk>
    for avoided in (
        translated(translating(unknown="avoid", **how), texts),
        translated(translating("first", **how), texts),
    ):
        assert not any(0 in found[0].tokens or "<unk>" in found[0].text for found in avoided)


def test_copies_need_attention() -> None:
    with pytest.raises(UserError, match="--unknown copy: needs a model with --context attention"):
        translating("each", unknown="copy")


@pytest.mark.parametrize("level", ["words", "characters", "bpe", "bytes"])
def test_phrases_are_required_as_texts(level: str) -> None:
    required = translated(
        translating(level=level, beam=6, longest=14, require=("Hund", "der Matte")), SOURCES
    )
    for (one,) in required:
        assert "Hund" in one.text and "der Matte" in one.text, one.text
        if level in ("words", "bpe"):  # they begin as words do
            assert re.search(r"(^|\s)Hund", one.text) and re.search(r"(^|\s)der Matte", one.text)


@pytest.mark.parametrize(
    ("level", "word"), [("words", "Hund"), ("bpe", "Hund"), ("characters", "H"), ("bytes", "H")]
)
def test_words_are_forbidden_as_texts(level: str, word: str) -> None:
    """What the model would like to write most, at the beginning and within."""
    how: dict[str, Any] = {"level": level, "beam": 3, "favoured": word}
    assert all(word in best.text for (best,) in translated(translating(**how), SOURCES))
    forbidden = translated(translating(forbid=(word,), **how), SOURCES)
    assert not any(word in best.text for (best,) in forbidden)


def test_unknown_words_cannot_be_required_or_forbidden() -> None:
    for which in ("require", "forbid"):
        asked: dict[str, Any] = {which: ("der Mops",)}
        with pytest.raises(UserError, match=f'--{which} "der Mops": .* never seen "Mops"'):
            translating(**asked)


def test_lengths_are_those_asked_for() -> None:
    for most, least in ((0, 0), (1, 0), (3, 3), (5, 2)):
        found = translated(translating(beam=3, max_length=most, min_length=least), SOURCES)
        assert all(least <= len(best.tokens) <= most for (best,) in found)
    assert all(len(best.tokens) <= 8 for (best,) in translated(translating(beam=3), SOURCES))


def test_what_cannot_be_read_is_told_and_the_others_are_answered() -> None:
    translate = translating(beam=1)
    found = answered(translate, ["the cat", "", "the cat " * 11, "猫坐", "the cat"])
    empty, long, other = found[1:4]
    assert empty == "nothing but white space"
    assert long == "22 tokens, more than --longest 20"
    assert isinstance(other, str) and "letters" in other
    assert not isinstance(found[0], str) and not isinstance(found[4], str)
    assert found[0][0].text == found[4][0].text
    assert answered(translate, []) == []
