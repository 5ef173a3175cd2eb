"""What a translator has to beat: the most similar source, and which rival stands first."""

from __future__ import annotations

import math
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.pairs.pairs import Pairs
from elman.tasks.translate import rivals as module
from elman.tasks.translate.data import Paired, encode
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.rivals import FREQUENT, SIMILAR, SOURCE, rivals, unigram_nats
from elman.tasks.translate.similar import Index
from elman.tasks.translate.task import TASK


def cosine(ours: dict[tuple[int, ...], float], theirs: dict[tuple[int, ...], float]) -> float:
    return sum(x * theirs.get(gram, 0.0) for gram, x in ours.items())


@given(order=st.integers(1, 3), seed=st.integers(0, 99), hidden=st.integers(0, 30))
@settings(max_examples=8)
def test_the_most_similar_is_that_of_all_compared_one_by_one(
    order: int, seed: int, hidden: int
) -> None:
    draw = random.Random(seed)
    known = [np.array(draw.choices(range(12), k=draw.randint(1, 7))) for _ in range(40)]
    asked = [np.array(draw.choices(range(14), k=draw.randint(1, 7))) for _ in range(12)]
    known += known[:5]  # of equals the first is taken

    def grams(ids: np.ndarray) -> Counter[tuple[int, ...]]:
        lengths = range(1, order + 1)
        return Counter(tuple(ids[k : k + n]) for n in lengths for k in range(len(ids) - n + 1))

    holds = Counter(gram for ids in known for gram in set(grams(ids)))

    def vector(ids: np.ndarray) -> dict[tuple[int, ...], float]:
        row = {
            gram: (1 + math.log(n)) * math.log((1 + len(known)) / (1 + holds[gram]))
            for gram, n in grams(ids).items()
        }
        length = math.sqrt(sum(x * x for x in row.values())) or 1.0
        return {gram: x / length for gram, x in row.items()}

    rows = [vector(ids) for ids in known]
    index, without = Index(known, order), list(range(hidden))
    found = index.nearest(asked, without)
    assert len(found) == len(asked) and hidden <= min(found) and max(found) < 45
    for ids, k in zip(asked, found, strict=True):
        cosines = [cosine(vector(ids), row) for row in rows]
        assert cosines[k] > max(cosines[hidden:]) - 1e-5  # float32's rounding
    assert index.nearest(known[-5:]) == index.nearest(known[:5]) and max(index.nearest(known)) < 40


def test_nats_of_a_token_by_how_often_it_comes() -> None:
    known, asked = [np.array([0, 0, 1, 3])], [np.array([0, 2]), np.array([3])]
    # With one added to each of four: 3, 2, 1 and 2 of 8.
    expected = -(math.log(3 / 8) + math.log(1 / 8) + math.log(2 / 8)) / 3
    assert unigram_nats(known, asked, 4) == pytest.approx(expected)


def read(folder: Path, rows: list[tuple[str, str]]) -> Paired:
    file = folder / "t.tsv"
    lines = [f"{a}\t{b}\n" for a, b in [("source", "target"), *rows]]
    file.write_text("".join(lines), encoding="utf-8")
    return TASK.read([str(file)], TranslateOptions(level="words"), 0.2)


def test_of_large_data_a_part_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    words = [f"w{k}" for k in range(15)]
    pairs = [(f"{a} of {b}", f"{b} 的 {a} 。") for a in words for b in words]
    dataset = read(tmp_path, pairs)
    monkeypatch.setattr(module, "MOST_KNOWN", 60)
    # Whoever is asked for is known, in one of the places that are compared: so it is found.
    asked = dataset.train.pick(range(0, dataset.trained, 3))
    same = encode("t", dataset.train, asked, dataset.encoder, None, dataset.bad)
    found = {rival.name: rival.scores for rival in rivals(same, TranslateOptions(), dataset)}
    assert found[f"{SIMILAR} of {len(asked)} known ones"]["exact"] > 0.9


@pytest.mark.parametrize("name", [SIMILAR, SOURCE, FREQUENT])
def test_the_first_rival_is_chosen_by_the_training_part_alone(name: str, tmp_path: Path) -> None:
    draw, words = random.Random(1), [f"w{k}" for k in range(12)]
    sources = [" ".join(draw.choices(words, k=7)) for _ in range(150)]
    targets = {
        SIMILAR: [" ".join(f"t{word}" for word in text.split()) for text in sources],
        SOURCE: sources,
        FREQUENT: [f"it is all {max(k, 100)} the same" for k in range(len(sources))],
    }
    data = read(tmp_path, list(zip(sources, targets[name], strict=True)))
    assert len(data.check)
    # What is scored has copies of its sources for answers, whatever the training part says.
    copies = Pairs(data.check.sources, data.check.sources, data.check.where)
    scored = encode("t", data.train, copies, data.encoder, None, data.bad)
    for dataset in (data, scored):
        found = rivals(dataset, TranslateOptions(), data)
        assert found[0].name == name and len(found) == 3
    assert {rival.name: rival.scores["exact"] for rival in found}[SOURCE] == 1
