"""Vocabularies: what is encoded is decoded, streamed or at once, saved or not, at every level."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.texts.vocabulary import LEVELS, Vocabulary, build, from_json
from elman.errors import UserError

SAMPLE = (
    "The cat's well-known hat, 42 times. <unk> said: (yes) – “no”!\n这是一个句子，是吧。\n"
    "Ça déjà vu हिन्दी 𝒳 ΟΔΟΣ the the cat"
)
TEXTS = st.text(st.one_of(st.sampled_from(SAMPLE), st.characters(exclude_categories=["Cs"])))


def made(level: str, text: str = SAMPLE, **options: Any) -> Vocabulary:
    return build(level, [text], **options)


@pytest.fixture(scope="module", params=LEVELS)
def vocabulary(request: pytest.FixtureRequest) -> Vocabulary:
    return made(request.param)


@pytest.mark.parametrize("level", ["characters", "bytes", "bpe"])
@settings(max_examples=30)
@given(text=TEXTS)
def test_a_text_survives_the_round_trip(level: str, text: str) -> None:
    vocabulary = made(level, text + SAMPLE)
    ids = vocabulary.encode(text)
    assert ids.dtype == np.int32
    assert vocabulary.decode(ids) == text
    assert vocabulary.covers(text) == []


@settings(max_examples=100)
@given(text=TEXTS)
def test_words_survive_in_all_but_their_spacing(text: str) -> None:
    vocabulary = made("words", text + "\n" + SAMPLE)
    ids = vocabulary.encode(text)
    assert vocabulary.encode(vocabulary.decode(ids)).tolist() == ids.tolist()
    letters = vocabulary.decode(ids).replace(" ", "")
    assert letters == "".join(c for c in text if c == "\n" or not c.isspace())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's well-known, isn’t it?", ["It's", "well-known", ",", "isn’t", "it", "?"]),
        ("一个RNN句子。", ["一", "个", "RNN", "句", "子", "。"]),
        ("a\n\n b\t<unk>", ["a", "\n", "\n", "b", "<unk>"]),
        ("-x- 'tis 3.5", ["-", "x", "-", "'", "tis", "3", ".", "5"]),
        ("हिन्दी e\u0301te", ["हिन्दी", "e\u0301te"]),
    ],
)
def test_the_rule_for_words(text: str, words: list[str]) -> None:
    vocabulary = made("words", text)
    expected = [vocabulary.unknown if word == "<unk>" else word for word in words]
    ids = vocabulary.encode(text).tolist()
    symbols = json.loads(json.dumps(vocabulary.to_json()))["symbols"]
    assert [token if token == 0 else symbols[token] for token in ids] == expected


@pytest.mark.parametrize("text", ["It's (well, known)!", "一个 RNN 句子。\nNew line", "“a” b: c…"])
def test_words_are_written_as_people_space_them(text: str) -> None:
    vocabulary = made("words", text)
    assert vocabulary.decode(vocabulary.encode(text)) == text


@settings(max_examples=30)
@given(text=TEXTS, data=st.data())
def test_streaming_gives_the_same_text(
    vocabulary: Vocabulary, text: str, data: st.DataObject
) -> None:
    ids = data.draw(
        st.one_of(
            st.just(vocabulary.encode(text).tolist()),
            st.lists(st.integers(0, vocabulary.size - 1)),
        )
    )
    decoder = vocabulary.decoder()
    streamed = [decoder.push(token) for token in ids]
    assert "".join(streamed) + decoder.flush() == vocabulary.decode(ids)


@settings(max_examples=30)
@given(text=TEXTS)
def test_saving_changes_nothing(vocabulary: Vocabulary, text: str) -> None:
    again = from_json(json.loads(json.dumps(vocabulary.to_json())))
    assert type(again) is type(vocabulary)
    assert (again.size, again.unknown) == (vocabulary.size, vocabulary.unknown)
    ids = vocabulary.encode(text)
    assert again.encode(text).tolist() == ids.tolist()
    assert again.decode(ids) == vocabulary.decode(ids)


def test_every_symbol_can_be_shown_on_one_line(vocabulary: Vocabulary) -> None:
    for token in range(vocabulary.size):
        shown = vocabulary.symbol(token)
        assert shown and shown.isprintable() and " " not in shown


@settings(max_examples=50)
@given(text=st.text(min_size=1), limit=st.integers(2, 20))
def test_the_commonest_characters_stay(text: str, limit: int) -> None:
    vocabulary = made("characters", text, limit=limit)
    expected = sorted(set(text), key=lambda c: (-text.count(c), c))[: limit - 1]
    assert vocabulary.size == len(expected) + 1
    known = set(expected)
    assert vocabulary.encode(text).tolist() == [
        expected.index(c) + 1 if c in known else 0 for c in text
    ]
    assert vocabulary.covers(text) == [c for c in dict.fromkeys(text) if c not in known]


def test_a_limit_is_the_size(vocabulary: Vocabulary) -> None:
    limit = {"bytes": 256, "bpe": 270}.get(vocabulary.level, 5)
    assert made(vocabulary.level, limit=limit).size == limit
    with pytest.raises(UserError, match=r"too small.*or more"):
        made(vocabulary.level, limit=1)


def test_ties_among_words_go_by_code_point_and_unk_counts_as_unknown() -> None:
    vocabulary = made("words", "b a <unk> <unk> c c d", limit=4)
    assert vocabulary.to_json()["symbols"] == ["<unk>", "c", "a", "b"]
    assert vocabulary.encode("<unk> d c").tolist() == [0, 0, 1]
    assert vocabulary.covers("d c <unk> d") == ["d", "<unk>"]


def test_words_beyond_counting_are_forgotten_rarest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elman.data.texts.vocabulary.WORDS_COUNTED", 30)
    pieces = (f"often w{n} x{n} y{n} z{n} sometimes {'seldom' * (n == 0)}" for n in range(50))
    symbols = build("words", pieces, limit=4).to_json()["symbols"]
    assert symbols[:3] == ["<unk>", "often", "sometimes"]
    assert symbols[3] != "seldom", "it would come first among words that come once"


@settings(max_examples=30)
@given(text=TEXTS)
def test_lower_case_and_digits_are_treated_in_prompts_too(
    vocabulary: Vocabulary, text: str
) -> None:
    if vocabulary.level == "bytes":
        text = text.encode("ascii", "replace").decode()
    plain = made(vocabulary.level, lowercase=True, strip_digits=True)
    clean = "".join(c for c in text.lower() if not c.isdecimal())
    assert plain.clean(text) == clean
    assert plain.encode(text).tolist() == plain.encode(clean).tolist()
    assert plain.covers(text) == plain.covers(clean)
    assert made(vocabulary.level, lowercase=True).encode("7").size == 1


def test_any_string_can_be_encoded(vocabulary: Vocabulary) -> None:
    for text in ("", "\ud800", "\udcff", "\0", "\U0010ffff"):
        vocabulary.decode(vocabulary.encode(text))
    assert vocabulary.encode("").size == 0


def test_bytes_that_are_no_text_are_decoded_all_the_same() -> None:
    vocabulary = made("bytes")
    assert vocabulary.decode([0x61, 0xFF, 0xE4, 0xB8]) == "a\ufffd\ufffd"
    assert vocabulary.symbol(0xFF) == "\\xff"


@pytest.mark.parametrize(
    ("level", "harm"),
    [
        ("characters", {"level": "nonsense"}),
        ("bytes", {"lowercase": 1}),
        ("words", {"symbols": ["a"]}),
        ("words", {"symbols": ["<unk>", "a", "a"]}),
        ("words", {"symbols": ["<unk>", 7]}),
        ("words", {"symbols": None}),
        ("characters", {"symbols": ["<unk>", "ab"]}),
        ("bpe", {"tokenizer": {}}),
        ("bpe", {"tokenizer": None}),
    ],
)
def test_a_damaged_vocabulary_is_refused(level: str, harm: dict[str, object]) -> None:
    with pytest.raises(UserError, match="damaged"):
        from_json(made(level).to_json() | harm)


def test_a_vocabulary_with_a_part_missing_is_refused(vocabulary: Vocabulary) -> None:
    good = vocabulary.to_json()
    for part in good:
        with pytest.raises(UserError, match="damaged"):
            from_json({name: value for name, value in good.items() if name != part})


def test_an_unknown_level_is_told_with_its_neighbour() -> None:
    with pytest.raises(UserError, match='did you mean "words"'):
        build("word", ["a"])
