"""Naive Bayes beside the classifier's networks, and several networks beside each other."""

from __future__ import annotations

import copy
import csv
import io
import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jobs import PowerCut, fails_after, final, finish
from test_classify_task import SMALL, job, reviews

import elman
from elman.errors import UserError
from elman.run import prepare
from elman.run.clock import Clock
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.scores import own_probabilities, probabilities
from elman.tasks.classify.words import bag as bags
from elman.tasks.classify.words import grams_bag
from elman.tasks.classify.words.bag import Bag, BagScores, Kind

S, C = 6, 3  # symbols and classes
KINDS: tuple[Kind, ...] = ("tokens", "pairs")
TEXTS = st.lists(
    st.tuples(st.lists(st.integers(0, S - 1), min_size=1, max_size=9), st.integers(0, C - 1)),
    min_size=C, max_size=12,
)  # fmt: skip


def held(ids: list[int], kind: Kind) -> set[tuple[int, ...]]:
    """What a text holds, each once: known tokens, and pairs of two that are."""
    pairs = [(a, b) for a, b in itertools.pairwise(ids) if a and b]
    return {(a,) for a in ids if a} | (set(pairs) if kind == "pairs" else set())


def by_hand(
    texts: list[tuple[list[int], int]], asked: list[int], kind: Kind, gain: float
) -> list[float]:
    """log P(c) + gain * sum over features of log((count + 1) / all counts of c), each as it is."""
    often = Counter(f for ids, _ in texts for f in held(ids, kind))
    known = {f for f, n in often.items() if len(f) == 1 or n >= 2}
    scores = []
    for c in range(C):
        count = Counter(f for ids, y in texts if y == c for f in held(ids, kind) & known)
        total = sum(count.values()) + len(known)
        sums = sum(math.log((count[f] + 1) / total) for f in held(asked, kind) & known)
        scores.append(math.log(sum(y == c for _, y in texts) / len(texts)) + gain * sums)
    return scores


def counted(texts: list[tuple[list[int], int]], kind: Kind) -> Bag | None:
    arrays = [np.array(ids) for ids, _ in texts]
    return bags.count(arrays, np.array([y for _, y in texts]), C, S, kind)


@given(TEXTS, TEXTS, st.sampled_from(KINDS), st.integers(0, 5))
def test_scores_are_those_by_hand_whatever_the_padding_and_the_batch(
    texts: list[tuple[list[int], int]], others: list[tuple[list[int], int]], kind: Kind, more: int
) -> None:
    texts = [*texts, *(([1], c) for c in range(C))]  # every class is there
    made = counted(texts, kind)
    assert made is not None
    asked = [ids for ids, _ in [*others, *texts]]
    width = max(map(len, asked)) + more
    x = torch.tensor([ids + [0] * (width - len(ids)) for ids in asked])
    found = torch.softmax(BagScores(made)(x).double(), -1)
    wanted = torch.tensor([by_hand(texts, ids, kind, made.gain) for ids in asked])
    # Ratios are kept in float32; some dozens of them are added.
    assert (found - torch.softmax(wanted.double(), -1)).abs().max() < 1e-5


@given(st.integers(2, 60_000), st.lists(st.floats(0, 0.999_99), min_size=1, max_size=9))
def test_what_a_text_holds_does_not_depend_on_how_wide_its_ids_are(
    symbols: int, places: list[float]
) -> None:
    ids = np.array([int(symbols * place) for place in places])
    narrow = ids.astype(np.min_scalar_type(symbols))
    for kind in ("tokens", "pairs"):
        found = bags.features(narrow, symbols, kind)
        assert np.array_equal(found, bags.features(ids, symbols, kind))
        pairs = [(a, b) for a, b in itertools.pairwise(ids.tolist()) if a and b]
        keys = {*ids[ids > 0].tolist()} | {a * symbols + b for a, b in pairs if kind == "pairs"}
        assert found.tolist() == sorted(keys)


def test_the_gain_is_the_best_for_texts_that_are_scored_by_the_others() -> None:
    # 1, 2 and 3 always come together, as do 4 and 5: naive Bayes takes them for as many witnesses.
    texts = [([1, 2, 3] if (k % 10 < 7) == (k % 2 == 0) else [4, 5], k % 2) for k in range(40)]
    texts += [([0, k % S], 2) for k in range(10)]
    made = counted(texts, "tokens")
    assert made is not None and 0.01 < made.gain < 1

    def loss(gain: float) -> float:
        total = 0.0
        for k, (ids, y) in enumerate(texts):
            without = texts[:k] + texts[k + 1 :]
            scores = by_hand(without, ids, "tokens", gain)
            # The classes' own shares are those of all texts.
            shares = Counter(y for _, y in without), Counter(y for _, y in texts)
            for c in range(C):
                scores[c] += math.log(shares[1][c] / len(texts))
                scores[c] -= math.log(shares[0][c] / len(without))
            total += math.log(sum(map(math.exp, scores))) - scores[y]
        return total

    assert loss(made.gain) < min(loss(made.gain - 0.01), loss(made.gain + 0.01))


def test_the_answer_is_the_geometric_mean_of_all_sides(tmp_path: Path) -> None:
    made = job(reviews(tmp_path / "a.csv"), tmp_path / "run", members=3, bag="pairs", folds=0)
    model, inputs = made.model.eval(), made.dataset.inputs[:5]
    assert isinstance(model, Classifier) and len(model.bags) == 1 and len(model.members) == 3
    for ids in inputs:
        x, lengths = torch.from_numpy(ids).long()[None], torch.tensor([len(ids)])
        one = [torch.softmax(member(x, lengths), -1) for member in model.members]
        assert (one[0] - one[1]).abs().max() > 1e-4, "the networks are not the same"
        nets = (one[0] * one[1] * one[2]) ** (1 / 3)
        both = (nets / nets.sum() * torch.softmax(model.bags[-1](x), -1)) ** 0.5
        found = probabilities(model, [ids], "cpu")
        assert np.abs(found - (both / both.sum()).detach().numpy()).max() < 1e-6


def test_what_is_counted_is_of_the_training_part_alone_and_is_kept(tmp_path: Path) -> None:
    data = reviews(tmp_path / "a.csv")
    made = job(data, tmp_path / "run", folds=0, bag="pairs")
    (bag,), trained = made.dataset.bags, made.dataset.trained
    assert isinstance(bag, Bag) and bag.kind == made.options.bag == "pairs"
    assert bag.texts.tolist() == np.bincount(made.dataset.targets[:trained]).tolist()
    kept = json.loads((tmp_path / "run" / "preprocessing.json").read_text(encoding="utf-8"))
    again = bags.from_json(kept["bag"][0], bag.symbols, 2)
    assert again.to_json() == bag.to_json()
    assert not any("bag" in name for name in made.model.state_dict())

    run = elman.train("classify", data, run=tmp_path / "other", bag="pairs", **SMALL)
    assert elman.load(run.path).evaluate().scores == pytest.approx(run.scores)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "triples"}, {"keys": [3, 2]}, {"keys": []}, {"keys": [0, 1]}, {"keys": [1, 2.5]},
        {"keys": [1, 10**30]}, {"gain": 0}, {"gain": "a"}, {"texts": [1]}, {"texts": [1.5, 2]},
        {"counts": [[1, 2]]}, {"counts": None},
    ],
)  # fmt: skip
def test_damaged_counts_are_told(change: Mapping[str, Any], tmp_path: Path) -> None:
    made = job(reviews(tmp_path / "a.csv"), tmp_path / "run", folds=0, bag="pairs")
    kept = made.dataset.preprocessing()
    with pytest.raises(UserError, match=r"preprocessing\.json: damaged"):
        made.task.build(kept | {"bag": [kept["bag"][0] | change]}, made.options)
    with pytest.raises(UserError, match=r"preprocessing\.json: damaged"):
        made.task.build(kept | {"bag": 3}, made.options)


def test_the_answer_mixes_networks_and_ngrams_by_what_the_validation_part_says(
    tmp_path: Path,
) -> None:
    made = job(reviews(tmp_path / "a.csv"), tmp_path / "run", members=2, folds=0)
    model, data = made.model.eval(), made.dataset
    assert isinstance(model, Classifier) and len(model.grams) == 1 and model.mix is not None
    texts, inputs = data.check.texts, data.inputs[data.trained :]
    made.task.validate(model, data, made.options, "cpu")
    share = model.mix.item()
    assert 0 <= share <= 1
    nets = torch.from_numpy(np.log(probabilities(replaced(model), inputs, "cpu")))
    beside = torch.from_numpy(model.grams[0].scores(texts))
    both = torch.softmax(share * nets + (1 - share) * beside, -1).numpy()
    found = probabilities(model, inputs, "cpu", texts=texts)
    assert np.abs(found - both).max() < 1e-6
    assert np.abs(own_probabilities(model, data, "cpu") - found).max() < 1e-9
    with pytest.raises(ValueError, match="0 texts"):
        probabilities(model, inputs, "cpu")


def replaced(model: Classifier) -> Classifier:
    """The same networks with nothing beside them."""
    alone = copy.deepcopy(model)
    alone.grams, alone.mix = (), None
    return alone


@pytest.mark.parametrize("folds", [0, 4])
def test_what_is_learnt_of_ngrams_is_of_the_other_texts_alone_and_is_kept(
    folds: int, tmp_path: Path
) -> None:
    data = reviews(tmp_path / "a.csv")
    made = job(data, tmp_path / "run", folds=folds)
    bags_of = made.dataset.bags
    assert len(bags_of) == (folds + 1 if folds else 1) and made.options.bag == "ngrams"
    for bag, part in zip(bags_of, made.dataset.parts, strict=False):
        texts = [made.dataset.train.texts[k] for k in part]
        anew = grams_bag.learn(texts, made.dataset.targets[part], 2)
        assert anew is not None and anew.to_json() == bag.to_json()
    # Each text is answered by what has not learnt from it, beside the networks and as a rival.
    model, texts = made.model.eval(), made.dataset.check.texts
    assert isinstance(model, Classifier) and model.mix is not None
    model.mix.fill_(0.0)
    fold = np.zeros(len(texts), int) if made.dataset.folds is None else made.dataset.folds
    wanted = np.concatenate([
        model.grams[k].chances([texts[n]]) for n, k in enumerate(fold.tolist())
    ])  # fmt: skip
    assert np.abs(own_probabilities(model, made.dataset, "cpu") - wanted).max() < 1e-9
    rival = made.task.rivals(made.dataset, made.options, made.dataset)[0]
    truth = made.dataset.targets[made.dataset.trained :]
    assert rival.name == "a linear model on words and letters" and rival.tally is not None
    assert np.array_equal(rival.tally.sums[:, 0], wanted.argmax(1) == truth)
    assert rival.scores["nats"] == pytest.approx(-np.log(wanted[range(len(truth)), truth]).mean())

    run = elman.train("classify", data, run=tmp_path / "other", **SMALL | {"folds": folds})
    kept = elman.load(run.path)
    assert kept.evaluate().scores == pytest.approx(run.scores)
    again = kept.model
    assert isinstance(again, Classifier) and again.mix is not None
    share = again.mix.item()
    other = kept.evaluate(reviews(tmp_path / "b.csv", seed=1))
    assert again.mix.item() == share and other.scores["accuracy"] > 0.9, "other data chooses none"
    out = io.StringIO()
    kept.predict(tmp_path / "b.csv", out=out)
    said = [row["predicted"] for row in csv.DictReader(io.StringIO(out.getvalue()))]
    rows = csv.DictReader(io.StringIO((tmp_path / "b.csv").read_text(encoding="utf-8")))
    true = [row["label"] for row in rows]
    right = np.mean([a == b for a, b in zip(said, true, strict=True)])
    assert right == pytest.approx(other.scores["accuracy"])


def test_damaged_ngrams_are_told(tmp_path: Path) -> None:
    made = job(reviews(tmp_path / "a.csv"), tmp_path / "run", folds=0)
    kept = made.dataset.preprocessing()
    for change in ({"keys": [2, 1]}, {"weights": None}, {"kind": 7}, {"several": True}):
        with pytest.raises(UserError, match=r"preprocessing\.json: damaged"):
            made.task.build(kept | {"bag": [kept["bag"][0] | change]}, made.options)
    with pytest.raises(UserError, match=r"preprocessing\.json: damaged"):
        made.task.build(kept | {"bag": [kept["bag"][0]] * 2}, made.options)


def test_vectors_have_no_tokens_to_count(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"x": [[k, 1.0]], "y": k % 2} for k in range(30)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(UserError, match="--bag pairs: needs texts"):
        job(path, tmp_path / "run", bag="pairs")
    assert job(path, tmp_path / "run").options.bag == "none"


@pytest.mark.parametrize("bag", ["pairs", "ngrams"])
@pytest.mark.parametrize("folds", [0, 3])
def test_a_run_with_a_bag_and_several_networks_resumes_exactly(
    bag: str, folds: int, tmp_path: Path
) -> None:
    options: dict[str, Any] = {
        "members": 2, "epochs": 3, "save_every": 0, "dropout": 0.3, "bag": bag, "folds": folds,
    }  # fmt: skip
    data = reviews(tmp_path / "a.csv")
    finish(job(data, tmp_path / "whole", **options))
    with pytest.raises(PowerCut):
        finish(fails_after(job(data, tmp_path / "cut", **options), 11))
    finish(prepare.again(tmp_path / "cut", None, None, Clock(None), lambda line: None))
    whole, cut = final(tmp_path / "whole"), final(tmp_path / "cut")
    assert whole.keys() == cut.keys() and all(torch.equal(whole[k], cut[k]) for k in whole)
