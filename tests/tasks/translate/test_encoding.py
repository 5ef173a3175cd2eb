"""Pairs as ids: every level there and back, what is too long, what is rare."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.pairs.pairs import Pairs
from elman.data.tables.content import BadRows
from elman.data.texts.vocabulary import Words
from elman.errors import UserError
from elman.tasks.translate.data import (
    Encoder,
    encode,
    encoder_from_json,
    guessed,
    make_encoder,
)
from elman.tasks.translate.options import Level, TranslateOptions
from elman.tasks.translate.scores import scored
from elman.tasks.translate.task import TASK
from elman.tasks.translate.training import batch

SOURCES = ["The cat sat on the mat.", "The dog sat.", "A cat and a dog saw the mat.", "It is I."]
TARGETS = ["猫坐在垫子上。", "狗坐着。", "猫和狗看见了垫子。", "是我。"]
LEVELS: list[tuple[Level, Level]] = [
    ("words", "characters"), ("characters", "bpe"), ("bpe", "bytes"), ("bytes", "words"),
]  # fmt: skip


def encoder(levels: tuple[Level | None, Level | None], **changed: Any) -> Encoder:
    how: dict[str, Any] = {
        "limit": None,
        "shared": False,
        "lowercase": False,
        "longest": 90,
        "cut": False,
    }
    return make_encoder(SOURCES, TARGETS, levels, **how | changed)


@pytest.mark.parametrize("levels", LEVELS, ids="-".join)
@given(text=st.one_of(st.text(max_size=30), st.sampled_from([*SOURCES, *TARGETS])))
@settings(max_examples=10)
def test_an_encoder_survives_being_written(levels: tuple[Level, Level], text: str) -> None:
    made = encoder(levels)
    again = encoder_from_json(json.loads(json.dumps(made.to_json())))
    assert again.to_json() == made.to_json()
    for side in ("source_ids", "target_ids"):
        before, after = getattr(made, side)(text), getattr(again, side)(text)
        assert np.array_equal(before, after) if not isinstance(before, str) else before == after


@pytest.mark.parametrize("level", ["words", "characters", "bpe", "bytes"])
def test_a_shared_vocabulary_is_one_and_knows_both_sides(level: Level) -> None:
    made = encoder((level, level), shared=True)
    assert made.source is made.target and made.to_json()["target"] is None
    again = encoder_from_json(made.to_json())
    assert again.source is again.target
    for text in ("the mat", "猫狗"):
        assert made.source.covers(text) == []


@pytest.mark.parametrize("levels", LEVELS, ids="-".join)
def test_sides_end_by_the_last_id_and_are_told_or_cut_where_too_long(
    levels: tuple[Level, Level],
) -> None:
    text = SOURCES[0]
    whole = encoder(levels).source_ids(text)
    assert not isinstance(whole, str)
    n, end = len(whole) - 1, encoder(levels).source.size
    assert whole[-1] == end and end not in whole[:-1]
    fits = encoder(levels, longest=n).source_ids(text)
    assert np.array_equal(fits, whole)
    assert encoder(levels, longest=n - 1).source_ids(text) == (
        f"{n} tokens, more than --longest {n - 1}"
    )
    cut = encoder(levels, longest=n - 1, cut=True).source_ids(text)
    assert not isinstance(cut, str)
    assert cut.tolist() == [*whole[: n - 1].tolist(), end]


def test_words_that_come_once_are_unknown_unless_all_do() -> None:
    texts = ["One two two <unk> <unk> three", "three three one"]
    for limit, lowercase, known in (
        (None, False, ("three", "two")),
        (2, False, ("three",)),
        (None, True, ("three", "one", "two")),
    ):
        made = make_encoder(
            texts, TARGETS, ("words", "characters"), limit=limit, shared=False,
            lowercase=lowercase, longest=9, cut=False,
        )  # fmt: skip
        assert made.source.to_json()["symbols"] == ["<unk>", *known]
    once = make_encoder(
        ["b a"], ["c"], ("words", "words"), limit=None, shared=False, lowercase=False, longest=9,
        cut=False,
    )  # fmt: skip
    assert once.source.to_json()["symbols"] == ["<unk>", "a", "b"]


@pytest.mark.parametrize("header", [True, False])
def test_a_header_is_told_where_it_cannot_be_guessed(header: bool, tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text("this\tthat\none\tun\n", encoding="utf-8")
    columns = ("that", "this") if header else ("2", "1")
    how = TranslateOptions(header=header, source_column=columns[0], target_column=columns[1])
    read = TASK.read([str(file)], how, 0.0)
    assert read.train.sources == (["un"] if header else ["that", "un"])
    file.write_text("that\tthis\ndeux\ttwo\n", encoding="utf-8")
    unseen = TASK.unseen([str(file)], read.preprocessing(), BadRows(False))
    assert unseen.check.sources == (["deux"] if header else ["this", "two"])


def test_a_side_is_read_by_characters_where_too_many_words_come_once() -> None:
    many = [f"the {['cat', 'dog'][k % 2]} is {k % 7}" for k in range(50)]
    assert guessed(many) == "words"
    assert guessed([*many, *(f"word{k}" for k in range(14))]) == "characters"  # of 214, 14 once
    assert guessed([*many, *(f"word{k}" for k in range(12))]) == "words"
    assert guessed(["四千零一十二", "四千零二十一"] * 9) == "words"  # a Chinese character each
    parted = [f"我 喜欢 {chr(0x4E00 + k)} 。" for k in range(30)]  # of 120, 30 once
    assert guessed(parted, spaced=True) == "words"  # somebody has told what a word is
    assert guessed([*parted, "鱼"], spaced=True) == "characters"
    assert guessed([f"i like {chr(97 + k % 26) * 3}{k} ." for k in range(30)], spaced=True) == (
        "characters"
    )
    made = encoder((None, None))
    assert (made.source.level, made.target.level) == ("characters", "characters")


def test_what_a_pair_lacks_is_told_by_its_line_or_left_out_whole() -> None:
    made = encoder(("words", "words"), longest=8)
    train = Pairs(
        ["The cat.", "The cat sat on the mat and the dog sat.", "The dog."],
        ["猫。", "狗。", "猫和狗看见了垫子上的狗。"],
        ["a.en, line 1", "a.en, line 2", "a.en, line 3"],
    )
    told = r"^a\.en, line 2: 11 tokens, more than --longest 8$"
    with pytest.raises(UserError, match=told):
        encode("a.en", train, Pairs(), made, None, BadRows(False))
    bad = BadRows(True)
    kept = encode("a.en", train, train, made, None, bad)
    assert kept.train.sources == kept.check.sources == ["The cat."] and bad.count == 4
    assert bad.first[1].startswith("a.en, line 3: target: 12 tokens")
    with pytest.raises(UserError, match="no pair is left"):
        encode("a.en", train.pick([1]), Pairs(), made, None, BadRows(True))


@given(order=st.permutations(range(4)), size=st.integers(1, 4))
@settings(max_examples=10)
def test_a_batch_holds_each_target_once_before_and_once_after(order: list[int], size: int) -> None:
    made = encoder(("words", "characters"))
    data = encode("", Pairs(SOURCES, TARGETS, [""] * 4), Pairs(), made, None, BadRows(False))
    chosen = order[:size]
    x = batch(data, chosen)
    targets = torch.split(x.target, x.target_lengths.tolist())
    rows = zip(x.before, targets, chosen, strict=True)
    for before, target, k in rows:
        ids = data.targets[k].tolist()
        assert target.tolist() == ids and ids[-1] == made.target.size
        assert before[: len(ids)].tolist() == [ids[-1], *ids[:-1]]
    for row, n, k in zip(x.source, x.source_lengths, chosen, strict=True):
        assert row[:n].tolist() == data.sources[k].tolist()
    by_length = sorted(chosen, key=lambda k: (len(data.targets[k]), len(data.sources[k])))
    numbers = data.lengths(chosen)
    assert [chosen[k] for k in np.argsort(numbers, kind="stable")] == by_length


PARTED = {
    "source": ["我 喜欢 苹果 。", "我 不 喜欢 苹果 。", "你 喜欢 她 。", "她 喜欢 我 。"] * 3,
    "target": ["i like apples .", "i don ' t like them .", "you like her .", "she likes me ."] * 3,
}  # fmt: skip
JOINED = {
    "source": ["我喜欢苹果。", "我不喜欢苹果。", "你喜欢她。", "她喜欢我。"] * 3,
    "target": ["I like apples.", "I don't like apples.", "You like her.", "She likes me."] * 3,
}


@pytest.mark.parametrize("sides", ["source target", "source", "target", ""])
@pytest.mark.parametrize("level", ["words", None, "characters", "bpe", "bytes"])
@pytest.mark.parametrize("lowercase", [False, True])
def test_answers_are_written_in_the_form_of_the_training_data(
    sides: str, level: Level | None, lowercase: bool
) -> None:
    """So that whoever says all tokens of the target has all points, each side by itself."""
    texts = {s: (PARTED if s in sides.split() else JOINED)[s] for s in ("source", "target")}
    made = make_encoder(
        texts["source"], texts["target"], (level, level), limit=None, shared=False,
        lowercase=lowercase, longest=90, cut=False,
    )  # fmt: skip
    again = encoder_from_json(json.loads(json.dumps(made.to_json())))
    if level in ("words", None):
        told = {"source target": "both sides are", "source": "sources are", "target": "targets are"}
        assert made.segmentation.startswith(told[sides] if sides else "")
        assert bool(made.segmentation) == bool(sides) and again.segmentation == made.segmentation
    if level is None and "source" in sides:
        assert made.source.level == "words"
    for side in sides.split():
        vocabulary = getattr(again, side)
        said = [vocabulary.decode(vocabulary.encode(text)) for text in texts[side]]
        assert said == [text.lower() if lowercase else text for text in texts[side]]
        assert scored(said, texts[side], lowercase=lowercase).scores["exact"] == 1


def test_a_shared_vocabulary_is_parted_by_spaces_where_both_sides_are() -> None:
    for source, parted in ((PARTED["source"], True), (JOINED["source"], False)):
        made = make_encoder(
            source, PARTED["target"], ("words", "words"), limit=None, shared=True,
            lowercase=False, longest=90, cut=False,
        )  # fmt: skip
        assert isinstance(made.source, Words) and made.source.spaced == parted


def test_a_text_in_the_other_script_is_strange_and_full_width_letters_are_not() -> None:
    made = make_encoder(
        PARTED["target"], PARTED["source"], ("words", "words"), limit=None, shared=False,
        lowercase=False, longest=9, cut=False,
    )  # fmt: skip
    assert not made.strange("Ｉ ｌｉｋｅ") and not made.strange("12 .")
    assert made.strange("我 喜欢").startswith("in CJK letters, where the model reads Latin")


def test_a_cap_of_the_validation_part_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.tsv"
    lines = "".join(f"cat {k}\tKatze {k}\n" for k in range(100))
    file.write_text("en\tde\n" + lines, encoding="utf-8")
    told = "about 5 pairs are kept for validation, not 0.2 of all"
    for most, capped in ((5, True), (50, False)):
        monkeypatch.setattr("elman.tasks.translate.reading.MOST_HELD", most)
        page = TASK.examine(TASK.read([str(file)], TranslateOptions(), 0.2))
        assert any(fact.startswith(told) for fact in page.facts) == capped
