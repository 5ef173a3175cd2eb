"""Texts that are tokenised already are told from those that are not, and come back as they were."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.texts.scripts import main_script, script_of
from elman.data.texts.segmentation import SPACED, is_tokenised
from elman.data.texts.vocabulary import WORD, Words, build, from_json
from elman.errors import UserError

CASES = Path(__file__).parents[3] / "shared" / "cases"

# Texts as people write them, a list a language, in the marks of each.
PLAIN: dict[str, list[str]] = {
    "English": [
        "I don't like apples.", "Mr. Smith, who's old, lives in the U.S. now.", "It's 3.5 km, no?",
        "She said: “well-known, isn't it?”", "Yes!", "The costs (1,234.50 dollars) rose.",
    ],
    "German": ["Das ist gut, z. B. hier.", "Wer war das?", "Der 3. Mann kam, sah und ging.", "Ja."],
    "French": ["Ça va ? Oui, ça va.", "Il a dit : « bonjour » !", "L'ami, c'est lui.", "Non."],
    "Russian": ["Он сказал, что придёт.", "Да, конечно!", "Это дом.", "Где он?"],
    "Arabic": ["أين هو؟", "هذا بيت، وهذا باب.", "نعم.", "لا، شكرا."],
    "Hindi": ["यह घर है।", "वह कहाँ है?", "हाँ, ठीक है।", "नहीं, यह नहीं।"],
    "Korean": ["나는 사과를 좋아한다.", "그는 어디에 있나?", "네, 좋아요.", "아니요."],
    "Chinese": [
        "今天我知道那本书。", "很快，好吃，味道足，量大", "他说：“你好！”",
        "我们 2010 年去了 London 。", "今天天气很好 我们去公园吧", "好的",
    ],
    "Chinese, stops attached": ["今天 我 知道 那 本 书。", "很快， 好吃， 量 大", "他 在 家。"],
    "Japanese": ["私はりんごが好きです。", "これは何ですか？", "東京タワーへ行きました。"],
    "Thai": [
        "ฉันชอบกินผลไม้มาก วันนี้อากาศดีมากเลย", "เขาไปโรงเรียนทุกวัน", "สวัสดีครับ ผมชื่อสมชาย",
    ],
}  # fmt: skip
# The same, as tokenisers leave them.
TOKENISED: dict[str, list[str]] = {
    "Penn": ["I do n't like apples .", "It 's 3.5 km , no ?", "Mr. Smith lives in the U.S. now ."],
    "Moses": ["I don &apos;t like apples .", "Yes , it &apos;s true .", "The well @-@ known man ."],
    "blind": ["i don ' t like apples .", "it ' s 3 . 5 km , no ?", "mr . smith lives here ."],
    "no stops": ["i do n't know", "it 's true", "he 'll see", "we 're here", "i 'm old"],
    "BPE": ["the lo@@ west pri@@ ce .", "a cat , a dog .", "yes ."],
    "German": ["das ist gut , z.B. hier .", "wer war das ?", "der 3. Mann kam , sah und ging ."],
    "Hindi": ["यह घर है ।", "वह कहाँ है ?", "हाँ , ठीक है ।"],
    "Korean": ["나 는 사과 를 좋아하 ㄴ다 .", "네 , 좋아요 .", "아니요 ."],
    "Chinese": ["今天 我 知道 那 本 书 。", "很快 ， 好吃 ， 味道 足 ， 量 大", "他 在 家"],
    "Chinese letters": ["我 爱 你", "今 天 天 气 很 好", "他 走 了 。"],
    "Japanese": ["私 は りんご が 好き です 。", "これ は 何 です か ？", "東京 へ 行っ た 。"],
    "Thai": ["ฉัน ชอบ กิน ผลไม้ มาก", "เขา ไป โรงเรียน ทุก วัน", "สวัสดี ครับ ผม ชื่อ สมชาย"],
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
def test_texts_as_people_write_them_are_not_tokenised(name: str) -> None:
    assert not is_tokenised(PLAIN[name])
    assert not is_tokenised(PLAIN[name] * 50)


@pytest.mark.parametrize("name", TOKENISED)
def test_texts_that_tokenisers_leave_are(name: str) -> None:
    assert is_tokenised(TOKENISED[name])
    assert is_tokenised(TOKENISED[name] * 50)


@pytest.mark.parametrize("texts", [[], [""], ["."], ["a", "b"], ["好"], ["the cat", "a dog"]])
def test_too_little_tells_nothing(texts: list[str]) -> None:
    assert not is_tokenised(texts)


@given(seed=st.integers(0, 2**32))
@settings(max_examples=60)
def test_setting_marks_apart_is_what_makes_the_difference(seed: int) -> None:
    """Sentences of drawn words, their marks attached or apart; some of the other kind do not
    matter."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghij", k=draw.randint(1, 8))) for _ in range(50)]

    def sentence(gap: str) -> str:
        parts = draw.choices(words, k=draw.randint(1, 9))
        comma = draw.randrange(len(parts))
        parts[comma] += gap + "," if draw.random() < 0.4 and comma + 1 < len(parts) else ""
        return " ".join(parts) + gap + draw.choice(".?." if gap else "..?")

    attached, apart = ([sentence(gap) for _ in range(40)] for gap in ("", " "))
    assert not is_tokenised(attached + apart[:5])
    assert is_tokenised(apart + attached[:3])


@given(seed=st.integers(0, 2**32), script=st.sampled_from(["一", "あ", "ก"]))
@settings(max_examples=60)
def test_scripts_without_spaces_are_judged_by_their_spaces(seed: int, script: str) -> None:
    draw = random.Random(seed)
    mean = 6 if script == "ก" else 2
    letters = [chr(ord(script) + k) for k in range(40)]
    texts = [
        ["".join(draw.choices(letters, k=draw.randint(1, 2 * mean - 1))) for _ in range(n)]
        for n in (draw.randint(3, 20) for _ in range(40))
    ]
    assert is_tokenised([" ".join(text) for text in texts])
    assert not is_tokenised(["".join(text) for text in texts])
    clauses = ["".join(text[:6]) + " " + "".join(text[6:]) for text in texts if text[12:]]
    assert not is_tokenised(clauses)


@pytest.mark.parametrize("name", TOKENISED)
def test_what_is_tokenised_comes_back_as_it_was(name: str) -> None:
    text = "\n".join(TOKENISED[name])
    made = build("words", [text])
    assert isinstance(made, Words) and made.spaced
    again = from_json(json.loads(json.dumps(made.to_json())))
    for vocabulary in (made, again):
        assert vocabulary.decode(vocabulary.encode(text)) == text
        first = TOKENISED[name][0]
        symbols = [vocabulary.symbol(int(token)) for token in vocabulary.encode("q " + first)]
        assert symbols == ["<unk>", *first.split(" ")]
        assert vocabulary.covers("q " + text) == ["q"]


@given(text=st.text(st.sampled_from("ab .,'\n一。\t\u3000"), max_size=40))
def test_spaced_words_survive_in_all_but_the_width_of_their_spaces(text: str) -> None:
    made = build("words", [text + "\na"], spaced=True)
    assert isinstance(made, Words)
    assert made.cut(text) == SPACED.findall(text)
    written = made.decode(made.encode(text))
    assert written == made.join(made.cut(text))
    lines = [" ".join(line.split()) for line in re.split("\n", text)]
    assert written == "\n".join(lines)


@pytest.mark.parametrize("name", PLAIN)
def test_other_words_are_cut_as_ever(name: str) -> None:
    text = "\n".join(PLAIN[name])
    made = build("words", [text])
    assert isinstance(made, Words) and not made.spaced and "spaced" not in made.to_json()
    assert made.cut(text) == WORD.findall(text)


def test_pieces_of_a_text_are_judged_together() -> None:
    text = "\n".join(TOKENISED["Penn"])
    for size in (1, 7, 1000):
        pieces = (text[k : k + size] for k in range(0, len(text), size))
        made = build("words", pieces)
        assert isinstance(made, Words) and made.spaced


def test_a_border_sets_no_mark_apart() -> None:
    for name in PLAIN:
        made = build("words", iter("\n".join(PLAIN[name])))
        assert isinstance(made, Words) and not made.spaced


def test_a_damaged_vocabulary_is_refused() -> None:
    data = build("words", ["a ."], spaced=True).to_json()
    with pytest.raises(UserError, match="spaced is true or false"):
        from_json(data | {"spaced": 1})


@pytest.mark.parametrize("name", ["tokenised.zh", "tokenised.en"])
def test_the_case_is_tokenised(name: str) -> None:
    if not CASES.is_dir():
        pytest.skip("no cases beside the project")
    assert is_tokenised((CASES / name).read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    ("letters", "script"),
    [
        ("aÄŁ", "Latin"), ("ＡｂＺ", "Latin"), ("𝐀𝒳ª", "Latin"), ("ｱア", "Katakana"),
        ("々一", "CJK"), ("яЖ", "Cyrillic"), ("ﷲ", "Arabic"), ("한ㄱﾡ", "Hangul"),
    ],
)  # fmt: skip
def test_forms_of_a_letter_are_of_its_script(letters: str, script: str) -> None:
    assert {script_of(letter) for letter in letters} == {script}
    assert main_script(letters + "12 .") == script
