"""What a translation is worth: the same as sacrebleu says, and what the baselines reach."""

from __future__ import annotations

import math
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import sacrebleu

from elman.tasks.translate import task
from elman.tasks.translate.baseline import most_similar, unigram_nats
from elman.tasks.translate.data import encode
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.scores import INSTALL, scores_of, short, signatures, tokenizer

ENGLISH = ["The cat sat on the mat.", "The dog saw it, too.", "It isn't I who was there."]
GERMAN = ["Die Katze saß auf der Matte.", "Auch der Hund sah es.", "Ich war es nicht."]
CHINESE = ["猫坐在垫子上。", "狗也看见了它。", "在那里的不是我。"]
JAPANESE = ["猫はマットの上に座った。", "犬もそれを見た。", "そこにいたのは私ではない。"]


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


def test_the_most_similar_source_is_that_of_all_compared_one_by_one() -> None:
    draw = random.Random(3)
    known = [np.array(draw.choices(range(12), k=draw.randint(1, 7))) for _ in range(40)]
    asked = [np.array(draw.choices(range(14), k=draw.randint(1, 7))) for _ in range(300)]
    known += known[:5]  # of equals the first is taken
    holds = Counter(token for ids in known for token in set(ids.tolist()))

    def vector(ids: np.ndarray) -> dict[int, float]:
        counts = Counter(ids.tolist())
        row = {t: n * math.log((1 + len(known)) / (1 + holds[t])) for t, n in counts.items()}
        length = math.sqrt(sum(x * x for x in row.values())) or 1.0
        return {t: x / length for t, x in row.items()}

    rows = [vector(ids) for ids in known]
    found = most_similar(known, asked, 14)
    assert len(found) == len(asked) and max(found) < 40
    for ids, k in zip(asked, found, strict=True):
        ours = vector(ids)
        cosines = [sum(x * row.get(t, 0.0) for t, x in ours.items()) for row in rows]
        assert cosines[k] > max(cosines) - 1e-6  # float32's rounding
    assert most_similar(known, known, 14)[:5] == most_similar(known, known[-5:], 14)


def test_nats_of_a_token_by_how_often_it_comes() -> None:
    known, asked = [np.array([0, 0, 1, 3])], [np.array([0, 2]), np.array([3])]
    # With one added to each of four: 3, 2, 1 and 2 of 8.
    expected = -(math.log(3 / 8) + math.log(1 / 8) + math.log(2 / 8)) / 3
    assert unigram_nats(known, asked, 4) == pytest.approx(expected)


def test_of_large_data_a_part_is_scored_and_compared(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = "".join(f"the {k} cats{k}\t{k}只猫\n" for k in range(200))
    (tmp_path / "t.tsv").write_text(rows, encoding="utf-8")
    monkeypatch.setattr(task, "MOST_HELD", 20)
    monkeypatch.setattr(task, "MOST_KNOWN", 60)
    options = TranslateOptions()
    dataset = task.TASK.read([str(tmp_path / "t.tsv")], options, 0.5)
    assert 15 <= len(dataset.check) <= 25 and dataset.trained >= 175
    # Whoever is asked for is known, in one of the places that are compared: so it is found.
    asked = dataset.train.pick(range(0, dataset.trained, 3))
    same = encode("t", dataset.train, asked, dataset.encoder, None, dataset.bad)
    name, scores = task.TASK.baseline(same, options, dataset)
    assert "most similar" in name and scores["exact"] > 0.6  # not all: 12 has the letters of 21
