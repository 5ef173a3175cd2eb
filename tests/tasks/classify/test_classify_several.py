"""Classify with several labels at once: scores, threshold, naive Bayes, and answers in the form of
the data."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import PowerCut, fails_after, final, finish
from test_classify_task import SMALL, job

import elman
from elman.errors import UserError
from elman.run import prepare
from elman.run.clock import Clock
from elman.tasks.classes import scores_of_several
from elman.tasks.classify.model import Classifier
from elman.tasks.classify.scores import probabilities
from elman.tasks.classify.thresholds import THRESHOLDS, best_set, best_threshold
from elman.tasks.classify.words import bag as bags
from elman.tasks.classify.words.bag import BagScores, Kind

LABELS = ("war", "love", "space")
TELLING = {"war": ("tank", "battle"), "love": ("kiss", "heart"), "space": ("rocket", "moon")}
ARRAYS = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=n, max_size=n),
        st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=n, max_size=n),
    )
)


def plots(count: int, seed: int = 0) -> list[tuple[str, list[str]]]:
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        labels = [label for label in LABELS if draw.random() < 0.4]
        words = ["film", "story"] + [draw.choice(TELLING[label]) for label in labels]
        draw.shuffle(words)
        made.append((" ".join(words), labels))
    return made


def table(path: Path, form: str, count: int = 120, seed: int = 0) -> Path:
    rows = plots(count, seed)
    if form == "list":
        made = [json.dumps({"plot": text, "genres": labels}) for text, labels in rows]
        path.write_text("\n".join(made) + "\n", encoding="utf-8")
        return path
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["plot", *(LABELS if form == "columns" else ["genres"])])
        for text, labels in rows:
            wide = [int(label in labels) for label in LABELS]
            writer.writerow([text, *(wide if form == "columns" else ["; ".join(labels)])])
    return path


FORMS = {"columns": "a.csv", "cell": "b.csv", "list": "c.jsonl"}
LEARNT = SMALL | {"epochs": 12, "learning_rate": 0.02, "hidden_size": 8}


# ---- Scores --------------------------------------------------------------------------------


@settings(max_examples=60)
@given(ARRAYS)
def test_scores_are_those_by_hand(drawn: tuple[Any, Any]) -> None:
    chances, targets = np.array(drawn[0]), np.array(drawn[1])
    said = chances >= 0.5
    found = scores_of_several(chances, said, targets)

    def f1(a: Any, b: Any) -> float:
        hits = sum(x and y for x, y in zip(a, b, strict=True))
        return float(2 * hits / max(sum(a) + sum(b), 1))

    either = np.flatnonzero((said | (targets > 0)).any(0))
    each = [f1(said[:, c], targets[:, c]) for c in either]
    assert found["micro_f1"] == pytest.approx(f1(said.ravel(), targets.ravel()))
    assert found["macro_f1"] == pytest.approx(sum(each) / len(each) if each else 0)
    right = [list(a) == list(b) for a, b in zip(said, targets > 0, strict=True)]
    assert found["exact"] == pytest.approx(sum(right) / len(right))
    nats = [
        -sum(math.log(max(p if y else 1 - p, 1e-12)) for p, y in zip(ps, ys, strict=True))
        for ps, ys in zip(drawn[0], drawn[1], strict=True)
    ]
    assert found["nats"] == pytest.approx(sum(nats) / len(nats))


@settings(max_examples=60)
@given(ARRAYS)
def test_the_threshold_is_the_best_of_all_and_the_nearest_to_a_half(drawn: tuple[Any, Any]) -> None:
    chances, targets = np.array(drawn[0]), np.array(drawn[1])
    found = best_threshold(chances, targets)
    scores = [scores_of_several(chances, chances >= t, targets)["micro_f1"] for t in THRESHOLDS]
    if not targets.any():
        assert found == 0.5
        return
    best = [t for t, score in zip(THRESHOLDS, scores, strict=True) if score >= max(scores) - 1e-9]
    assert found in best and abs(found - 0.5) == min(abs(t - 0.5) for t in best)


@settings(max_examples=60)
@given(ARRAYS)
def test_the_baseline_is_the_best_set_of_all(drawn: tuple[Any, Any]) -> None:
    targets = np.array(drawn[1])

    def micro(chosen: Any) -> float:
        said = np.tile(np.array(chosen, dtype=bool), (len(targets), 1))
        return scores_of_several(np.full(targets.shape, 0.5), said, targets)["micro_f1"]

    every = [chosen for chosen in itertools.product((0, 1), repeat=4) if any(chosen)]
    assert micro(best_set(targets)) == pytest.approx(max(map(micro, every)))


# ---- Naive Bayes ---------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.lists(st.integers(0, 5), min_size=1, max_size=7),
                       st.tuples(st.booleans(), st.booleans())), min_size=3, max_size=10),
    st.sampled_from(("tokens", "pairs")),
)  # fmt: skip
def test_counts_of_each_label_are_held_against_the_texts_without_it(
    texts: list[tuple[list[int], tuple[bool, bool]]], kind: Kind
) -> None:
    arrays = [np.array(ids) for ids, _ in texts]
    targets = np.array([y for _, y in texts], dtype=np.int64)
    made = bags.count(arrays, targets, 2, 6, kind)
    if made is None:
        assert not any(ids.any() for ids in arrays)
        return
    held = [set(bags.features(ids, 6, kind).tolist()) for ids in arrays]
    scores = BagScores(made)(torch.nn.utils.rnn.pad_sequence(
        [torch.from_numpy(ids) for ids in arrays], batch_first=True))  # fmt: skip
    for k, own in enumerate(held):
        for c in range(2):
            sides = []
            for side in (1, 0):
                there = [h for h, y in zip(held, targets, strict=True) if y[c] == side]
                count = {f: 1 + sum(f in h for h in there) for f in made.keys.tolist()}
                ratio = sum(math.log(count[f] / sum(count.values())) for f in own if f in count)
                sides.append(made.gain * ratio + math.log(len(there) + 1))
            assert scores[k, c].item() == pytest.approx(sides[0] - sides[1], abs=1e-4)
    again = bags.from_json(json.loads(json.dumps(made.to_json())), 6, 2, several=True)
    assert again.to_json() == made.to_json()
    with pytest.raises(ValueError, match="another kind"):
        bags.from_json(made.to_json(), 6, 3)


def test_the_gain_is_the_best_for_texts_scored_by_the_others() -> None:
    draw = np.random.default_rng(1)
    targets = draw.integers(0, 2, (40, 2))
    # 1, 2 and 3 always come together; a fifth of the texts say otherwise.
    signs = targets ^ (draw.random((40, 2)) < 0.2)
    texts = [np.array(([1, 2, 3] if a else [4]) + ([5] if b else [])) for a, b in signs]
    made = bags.count(texts, targets, 2, 6, "tokens")
    assert made is not None

    def loss(gain: float) -> float:
        total = 0.0
        for k, (ids, y) in enumerate(zip(texts, targets, strict=True)):
            rest = [j for j in range(40) if j != k]
            for c in range(2):
                odds = math.log((targets[:, c].sum() + 1) / (40 - targets[:, c].sum() + 1))
                for side, sign in ((1, 1), (0, -1)):
                    count = dict.fromkeys(made.keys.tolist(), 1)
                    for j in rest:
                        for f in texts[j] if targets[j, c] == side else ():
                            count[f] += 1
                    total_of = sum(count.values())
                    odds += sign * gain * sum(math.log(count[f] / total_of) for f in ids)
                total += math.log1p(math.exp(-odds if y[c] else odds))
        return total

    losses = {g: loss(g) for g in bags.GAINS}
    assert made.gain == pytest.approx(min(losses, key=lambda g: losses[g]))


# ---- The task ------------------------------------------------------------------------------


def test_loss_and_answer_are_of_independent_labels(tmp_path: Path) -> None:
    made = job(
        table(tmp_path / "a.csv", "columns"), tmp_path / "run", members=2, label_smoothing=0.1,
        class_weights=True, token_dropout=0.0, folds=0, bag="pairs",
    )  # fmt: skip
    model = made.model.eval()
    assert isinstance(model, Classifier) and len(model.bags) == 1
    batch = made.task.epoch(made.dataset, made.options, 16, 1, 0)[0]
    there = made.dataset.targets[: made.dataset.trained].sum(0)
    weights = (made.dataset.trained - there) / there
    total, count, _ = made.task.loss(model, batch, None, "cpu")
    p = torch.sigmoid(model.each(batch.x, batch.lengths)).detach().numpy()  # [M, B, C]
    y = batch.y.numpy() * 0.9 + 0.05
    by_hand = -(weights * y * np.log(p) + (1 - y) * np.log(1 - p)).sum() / 2
    assert count == 16 and total.item() == pytest.approx(by_hand, rel=1e-4)
    for ids in made.dataset.inputs[:4]:
        x, lengths = torch.from_numpy(ids).long()[None], torch.tensor([len(ids)])
        sides = [torch.sigmoid(member(x, lengths)) for member in model.members]
        odds = [side / (1 - side) for side in sides]
        both = ((odds[0] * odds[1]) ** 0.5 * torch.exp(model.bags[-1](x))) ** 0.5
        found = probabilities(model, [ids], "cpu")
        assert np.abs(found - (both / (1 + both)).detach().numpy()).max() < 1e-5


@pytest.mark.parametrize("form", FORMS)
def test_it_learns_and_answers_in_the_form_of_the_data(form: str, tmp_path: Path) -> None:
    data, other = (table(tmp_path / f"{k}{FORMS[form]}", form, seed=k) for k in (0, 1))
    run = elman.train("classify", data, run=tmp_path / "run", **LEARNT)
    names = ["micro_f1", "macro_f1", "exact", "nats", "calibration_error"]
    assert list(run.scores) == list(run.baseline) == names
    rivals = run.folder.scores()["rivals"]
    always = next(scores for name, scores in rivals.items() if name.startswith("always"))
    assert run.scores["micro_f1"] > 0.95 > 0.8 > always["micro_f1"]
    kept = elman.load(run.path)
    assert kept.evaluate().scores == pytest.approx(run.scores)
    model = kept.model
    assert isinstance(model, Classifier) and model.threshold is not None
    threshold = model.threshold.item()
    assert threshold == pytest.approx(final(run.path)["best.threshold"].item())
    evaluated = kept.evaluate(other).scores
    assert model.threshold.item() == threshold, "other data chooses no threshold"

    out = io.StringIO()
    kept.predict(other, out=out)
    written = out.getvalue()
    rows: list[Any] = list(csv.DictReader(io.StringIO(written)))
    if form == "list":
        rows = [json.loads(line) for line in written.splitlines()]
    right = 0
    for row, (_, labels) in zip(rows, plots(120, 1), strict=True):
        if form == "columns":
            told = [label for label in LABELS if row[f"predicted_{label}"] == "1"]
            each = {label: float(row[f"probability_{label}"]) for label in LABELS}
            assert {label for label in LABELS if each[label] >= threshold - 1e-6} == set(told)
        elif form == "cell":
            told = [label for label in row["predicted"].split("; ") if label]
            assert len([p for p in row["probability"].split("; ") if p]) == len(told)
        else:
            told = row["predicted"]
            assert all(p >= threshold - 1e-6 for p in row["probability"])
        right += set(told) == set(labels)
    assert right / 120 == pytest.approx(evaluated["exact"]) and evaluated["exact"] > 0.9
    report = (run.path / "report.md").read_text(encoding="utf-8")
    assert "| label | sequences |" in report and "A label is told from a probability of" in report


def test_labels_that_never_occur_are_told_and_no_label_is_legal(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    rows = [
        f"{text},{int('war' in labels)},{int('love' in labels)},0\n" for text, labels in plots(80)
    ]
    data.write_text("plot,war,love,never\n" + "".join(rows), encoding="utf-8")
    made = job(data, tmp_path / "run", class_weights=True)
    assert made.dataset.classes == ("war", "love", "never")
    page = made.task.examine(made.dataset)
    assert "WARNING: labels that never occur: never" in page.lines()
    assert "3 labels, several at once" in page.headline and "have none" in str(page.facts)
    finish(made)
    assert all(np.isfinite(v) for v in elman.load(tmp_path / "run").scores.values())
    same = tmp_path / "b.csv"
    same.write_text(
        "plot,war,love\n" + "".join(f"film {k},1,0\n" for k in range(40)), encoding="utf-8"
    )
    with pytest.raises(UserError, match='the same labels everywhere, "war"'):
        job(same, tmp_path / "other")


def test_a_run_that_was_cut_off_resumes_exactly_its_threshold_too(tmp_path: Path) -> None:
    options: dict[str, Any] = {"epochs": 3, "save_every": 0, "dropout": 0.3, "bag": "none"}
    data = table(tmp_path / "a.csv", "cell")
    finish(job(data, tmp_path / "whole", **options))
    with pytest.raises(PowerCut):
        finish(fails_after(job(data, tmp_path / "cut", **options), 20))
    finish(prepare.again(tmp_path / "cut", None, None, Clock(None), lambda line: None))
    whole, cut = final(tmp_path / "whole"), final(tmp_path / "cut")
    assert "model.threshold" in whole and whole["model.threshold"] != 0.5
    assert whole.keys() == cut.keys() and all(torch.equal(whole[k], cut[k]) for k in whole)


def test_other_data_is_read_as_the_training_data_was(tmp_path: Path) -> None:
    run = elman.train(
        "classify", table(tmp_path / "a.csv", "columns"), run=tmp_path / "run", **SMALL
    )
    one = tmp_path / "one.csv"  # one label only, which by itself would be a class of its own
    one.write_text("plot,war,love,space\nfilm tank,1,0,0\nfilm,0,0,0\n", encoding="utf-8")
    assert set(run.evaluate(one).scores) == set(run.scores)
    one.write_text("plot,war,love\nfilm tank,1,0\n", encoding="utf-8")
    with pytest.raises(UserError, match='"space"'):
        run.evaluate(one)
    ended = call("predict", run.path, "-", stdin=b"plot,war\nfilm tank,x\n")
    head, row = ended.out.splitlines()
    assert head.split(",")[:5] == ["plot", "war", *(f"predicted_{label}" for label in LABELS)]
    assert row.startswith("film tank,x,")
    cells = elman.train("classify", table(tmp_path / "b.csv", "cell"), run=tmp_path / "c", **SMALL)
    one.write_text("plot,genres\nfilm,war; western\n", encoding="utf-8")
    with pytest.raises(UserError, match='line 2: label "western" is not in the training'):
        cells.evaluate(one)


@pytest.mark.parametrize(
    "change",
    [{"several": {"form": "rows"}}, {"several": 3}, {"several": {"joint": 3}}, {"scan": 1}],
)
def test_a_damaged_reading_is_told(change: dict[str, Any], tmp_path: Path) -> None:
    run = elman.train("classify", table(tmp_path / "a.csv", "cell"), run=tmp_path / "run", **SMALL)
    path = run.path / "preprocessing.json"
    good = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(good | {"reading": good["reading"] | change}), encoding="utf-8")
    with pytest.raises(UserError, match=r"preprocessing\.json: damaged"):
        elman.load(run.path).predict(tmp_path / "a.csv", out=io.StringIO())
