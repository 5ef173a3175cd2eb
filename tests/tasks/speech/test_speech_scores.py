"""How right transcripts are: errors as an independent count has them, and the simple rivals."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman.search.ctc import log_probability
from elman.tasks.speech import reading
from elman.tasks.speech.options import SpeechOptions
from elman.tasks.speech.rivals import GUESS, NOTHING, rivals
from elman.tasks.speech.scores import by_words, cost, errors

TEXTS = st.lists(st.sampled_from(["a", "b", "的", "ab", "it's"]), max_size=8).map(" ".join)
TRUE = TEXTS.filter(bool)


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Substitutions, deletions and insertions from one to the other (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(before + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


@settings(max_examples=100)
@given(pairs=st.lists(st.tuples(TRUE, TEXTS), min_size=1, max_size=5))
def test_errors_are_edit_distances(pairs: list[tuple[str, str]]) -> None:
    true, said = (list(column) for column in zip(*pairs, strict=True))
    found = errors(true, said)
    for k, (a, b) in enumerate(pairs):
        assert found.words[k] == distance(a.split(), b.split())
        assert found.word_count[k] == len(a.split())
        assert found.characters[k] == distance(a, b)
        assert found.character_count[k] == len(a)
    wer = sum(distance(a.split(), b.split()) for a, b in pairs) / sum(len(a.split()) for a in true)
    cer = sum(distance(a, b) for a, b in pairs) / sum(map(len, true))
    exact = sum(a == b for a, b in pairs) / len(pairs)
    for first in (True, False):
        scores = found.scores(by_words=first)
        assert list(scores) == (["wer", "cer", "exact"] if first else ["cer", "wer", "exact"])
        assert scores == pytest.approx({"wer": wer, "cer": cer, "exact": exact})


def test_words_are_counted_first_where_there_are_several() -> None:
    assert by_words(["the cat sat", "a mat"])
    assert not by_words(["你好吗", "我很好"])
    assert not by_words(["yes", "no", "stop it"])


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_true_symbols_cost_is_their_probability(seed: int) -> None:
    draw = np.random.default_rng(seed)
    log_p = np.log(draw.dirichlet(np.ones(4), size=int(draw.integers(1, 8))))
    symbols = draw.integers(0, 4, int(draw.integers(1, 6)))  # 0: what the model never learnt
    known = symbols[symbols != 0]
    exact = log_probability(log_p, known.tolist())
    found = cost(log_p, symbols)
    assert found.total == pytest.approx(0 if exact == -math.inf else -exact)
    assert found.count == max(1, len(known))


def test_what_a_transcript_has_to_beat(said: Any) -> None:
    dataset = reading.read([str(said)], SpeechOptions(mels=12), 0.3)
    always, nothing = rivals(dataset, SpeechOptions(), dataset)
    (frequent, _), *_ = Counter(clip.text for clip in dataset.train.clips).most_common(1)
    assert always.name == f'always "{frequent}", the most frequent transcript'
    true = [clip.text or "" for clip in dataset.check.clips]
    cer = sum(distance(text, frequent or "") for text in true) / sum(map(len, true))
    assert always.scores["cer"] == pytest.approx(cer)
    assert not always.guess
    assert (nothing.name, nothing.guess) == (NOTHING, True)
    assert nothing.scores == {"cer": 1, "wer": 1, "exact": 0}
    assert next(iter(always.scores)) == "cer"


def test_what_a_class_has_to_beat(classes: Any) -> None:
    options = SpeechOptions(mels=12)
    dataset = reading.read([str(classes.data)], options, 0.3)
    found = {rival.name: rival for rival in rivals(dataset, options, dataset)}
    assert len(found) == 3
    targets = np.array([int(target[0]) for target in dataset.check.targets])
    own = Counter(int(target[0]) for target in dataset.train.targets)
    (majority, _), *_ = sorted(own.items(), key=lambda pair: (-pair[1], pair[0]))
    name = f'always "{dataset.encoder.labels[majority]}", the majority class'
    assert found[name].scores["accuracy"] == pytest.approx((targets == majority).mean())
    assert found[GUESS].guess
    assert found[GUESS].scores["nats"] == pytest.approx(math.log(3))
    # Tones differ in their mean spectrum, so the linear model is chosen, and all is right.
    first = next(iter(found))
    assert first.startswith("a linear model")
    assert found[first].scores["accuracy"] == 1


def test_the_rival_that_learns_never_sees_what_is_scored(classes: Any) -> None:
    options = SpeechOptions(mels=12)
    dataset = reading.read([str(classes.data)], options, 0.3)
    part = dataset.check
    turned = tuple((target + 1) % 3 for target in part.targets)
    other = type(dataset)(
        **vars(dataset) | {"check": type(part)(**vars(part) | {"targets": turned})}
    )
    a, b = (rivals(data, options, dataset) for data in (dataset, other))
    assert [rival.name for rival in a] == [rival.name for rival in b]
    assert b[0].scores["accuracy"] == 0


def test_evaluate_of_the_own_part_tells_the_scores_of_the_run(both_ways: Any) -> None:
    run = elman.load(both_ways.run)
    found = run.evaluate()
    assert found.scores == pytest.approx(run.scores)
    assert found.beats_baseline
    whole = run.evaluate(both_ways.data)
    assert "were trained on" in whole.warning
    assert whole.scores["cer"] < 0.05
