"""The classifier as a task: what it promises of scores, weights, classes and word vectors."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import elman
from elman.errors import UserError
from elman.run import prepare
from elman.run.clock import Clock
from elman.run.job import Job
from elman.run.options import parse
from elman.tasks.classify import scores
from elman.tasks.classify.model import SPREAD, Classifier, Member
from elman.tasks.classify.reading import classes_of
from elman.tasks.classify.scores import probabilities
from elman.tasks.classify.training import Batch

SMALL: dict[str, Any] = {
    "hidden_size": 5, "embedding": 4, "epochs": 1, "batch_size": 8, "threads": 1, "dropout": 0.0,
}  # fmt: skip
GOOD, BAD = ("fine", "great", "moving", "warm"), ("dull", "poor", "empty", "cold")


def reviews(path: Path, count: int = 60, seed: int = 0) -> Path:
    """A table of reviews, each of words that give it away, and of some that do not."""
    draw = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "review", "label"])
        for k in range(count):
            words = draw.choices((BAD, GOOD)[k % 2], k=draw.randint(1, 9)) + ["film"] * (k % 4)
            rows.writerow([1000 + k, " ".join(words), ("neg", "pos")[k % 2]])
    return path


def job(data: Path, run: Path, **options: Any) -> Job:
    own, how = parse("classify", SMALL | {"run": run} | options)
    return prepare.new("classify", [str(data)], own, how, Clock(None), lambda line: None)


@pytest.mark.pictures
def test_it_learns_what_there_is_to_learn(tmp_path: Path) -> None:
    run = elman.train(
        "classify", reviews(tmp_path / "a.csv", 200), run=tmp_path / "run",
        **SMALL | {"epochs": 15, "learning_rate": 0.02},
    )  # fmt: skip
    always, linear = 'always "neg", the majority class', "a linear model on words and letters"
    rivals = run.folder.scores()["rivals"]
    assert list(rivals)[:2] == [linear, always] and rivals[always]["accuracy"] < 0.51
    assert run.scores["accuracy"] == 1.0 == run.baseline["accuracy"]
    assert "nothing is gained" in run.verdict
    report = (run.path / "report.md").read_text(encoding="utf-8")
    assert "| pos | 100 | 1.000 | 1.000 | 1.000 |" in report
    assert (run.path / "confusion.png").exists() and "confusion.png" in report


def test_probabilities_do_not_depend_on_who_is_scored_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(reviews(tmp_path / "a.csv"), tmp_path / "run", bidirectional=True)
    model, inputs = made.model.eval(), made.dataset.inputs
    texts = [*made.dataset.train.texts, *made.dataset.check.texts]
    assert isinstance(model, Classifier) and model.grams
    together = probabilities(model, inputs, "cpu", texts=texts)
    assert np.allclose(together.sum(1), 1)
    alone = np.concatenate([
        probabilities(model, [x], "cpu", texts=[text])
        for x, text in zip(inputs, texts, strict=True)
    ])  # fmt: skip
    assert np.abs(alone - together).max() < 1e-6
    monkeypatch.setattr(scores, "SCORED_STEPS", 20)  # whatever fits memory at once
    turned = probabilities(model, inputs[::-1], "cpu", texts=texts[::-1])[::-1]
    assert np.abs(turned - together).max() < 1e-6


def test_class_weights_let_classes_count_alike_and_smoothing_spreads_labels(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.csv"
    rows = [("fine film", "a")] * 1 + [(f"text {k}", "abbb"[k % 4]) for k in range(40)]
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in rows), encoding="utf-8")
    options: dict[str, Any] = {"folds": 0, "token_dropout": 0.0}
    made = job(path, tmp_path / "run", class_weights=True, label_smoothing=0.2, **options)
    batch: Batch = made.task.epoch(made.dataset, made.options, 16, 1, 0)[0]
    counts = np.bincount(made.dataset.targets[: made.dataset.trained])
    assert batch.weights is not None
    assert np.allclose(batch.weights.numpy() * counts, counts.mean())
    total, count, _ = made.task.loss(made.model.eval(), batch, None, "cpu")
    assert isinstance(made.model, Classifier)
    logs = torch.log_softmax(made.model.each(batch.x, batch.lengths)[0], -1)
    weights = batch.weights[batch.y]
    # (1 - s) of the label's own loss and s of the mean over all classes, each with its weight.
    own = -weights * logs[torch.arange(count), batch.y]
    spread = -(batch.weights * logs).mean(-1)
    assert count == 16
    assert total.item() == pytest.approx((0.8 * own + 0.2 * spread).sum().item(), rel=1e-5)

    plain = job(path, tmp_path / "plain", bag="none", folds=0)
    batch = plain.task.epoch(plain.dataset, plain.options, 16, 1, 0)[0]
    total, _, _ = plain.task.loss(plain.model.eval(), batch, None, "cpu")
    scores = plain.model(batch.x, batch.lengths)
    assert total.item() == pytest.approx(F.cross_entropy(scores, batch.y, reduction="sum").item())


def test_word_vectors_are_where_the_embedding_starts_and_are_read_once(tmp_path: Path) -> None:
    vectors = tmp_path / "v.txt"
    vectors.write_text("fine 1 2 3\ndull 4 5 6\nabsent 7 8 9\n", encoding="utf-8")
    options: dict[str, Any] = {"vectors": str(vectors), "embedding": None, "level": "words"}
    made = job(reviews(tmp_path / "a.csv"), tmp_path / "run", **options)
    known = made.dataset.encoder.vocabulary
    assert isinstance(made.model, Classifier)
    member = made.model.members[0]
    assert isinstance(member, Member)
    table = member.reader.embedding
    assert table is not None and table.weight.shape == (known.size, 3)
    for word, values in (("fine", [1, 2, 3]), ("dull", [4, 5, 6])):
        assert table.weight[known.symbols.index(word)].tolist() == values

    run = elman.train("classify", tmp_path / "a.csv", run=tmp_path / "trained", **SMALL | options)
    vectors.unlink()  # a trained model has its own
    again = elman.load(run.path)
    assert again.evaluate().scores == pytest.approx(run.scores)


def test_vectors_without_words_are_refused(tmp_path: Path) -> None:
    vectors = tmp_path / "v.txt"
    vectors.write_text("f 1 2 3\n", encoding="utf-8")
    with pytest.raises(UserError, match="needs texts read as words"):
        job(reviews(tmp_path / "a.csv"), tmp_path / "run", vectors=str(vectors), level="characters")


def test_validation_data_and_the_run_are_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews(tmp_path / "a.csv")
    reviews(tmp_path / "b.csv", 20, seed=1)
    run = elman.train("classify", "a.csv", validation_data="b.csv", run="run", **SMALL)
    scores = run.scores
    assert "20 for validation" in (run.path / "report.md").read_text(encoding="utf-8")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert elman.load(tmp_path / "run").evaluate().scores == pytest.approx(scores)


def test_labels_only_in_the_test_data_are_told(tmp_path: Path) -> None:
    data = reviews(tmp_path / "a.csv")
    other = tmp_path / "b.csv"
    other.write_text("id,review,label\n1,fine,pos\n2,so so,mixed\n", encoding="utf-8")
    told = 'b.csv, line 3: label "mixed" is not in the training data \\(neg, pos\\)'
    with pytest.raises(UserError, match=told):
        job(data, tmp_path / "run", validation_data=str(other))
    run = elman.train("classify", data, run=tmp_path / "run", **SMALL)
    with pytest.raises(UserError, match=told):
        run.evaluate(other)


def test_a_class_with_one_member_is_refused_or_left_out(tmp_path: Path) -> None:
    data = reviews(tmp_path / "a.csv")
    with data.open("a", encoding="utf-8") as file:
        file.write("7,what is that,odd\n")
    with pytest.raises(UserError, match='line 62: the only sequence of the class "odd"; give --sk'):
        job(data, tmp_path / "run", folds=0)
    made = job(data, tmp_path / "run", skip_bad_rows=True, folds=0)
    assert made.dataset.classes == ("neg", "pos") and made.dataset.bad.count == 1
    assert job(data, tmp_path / "other", validation=0).dataset.classes == ("neg", "odd", "pos")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("a,x\nb,x\n", 'one class only, "x"'),
        ("a,x\nb,y\nc,x\nd,y\n", "4 sequences are too few to hold 10% of them back"),
    ],
)
def test_too_little_data_is_told(rows: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n" + rows, encoding="utf-8")
    with pytest.raises(UserError, match=told):
        job(tmp_path / "a.csv", tmp_path / "run", folds=0)


def test_vectors_of_another_width_are_told_with_the_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"x": [[k, 1.0]], "y": k % 2} for k in range(30)] + [{"x": [[1.0, 2, 3]], "y": 0}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(UserError, match="line 31: steps of 3 values, where the first sequence"):
        job(path, tmp_path / "run")


def test_classes_that_are_numbers_come_in_their_order() -> None:
    assert classes_of(["10", "9", "-1", "2.5", "b", "a", "9"]) == (
        "-1", "2.5", "9", "10", "a", "b",
    )  # fmt: skip


def test_damaged_preprocessing_is_told(tmp_path: Path) -> None:
    run = elman.train("classify", reviews(tmp_path / "a.csv"), run=tmp_path / "run", **SMALL)
    path = run.path / "preprocessing.json"
    good = json.loads(path.read_text(encoding="utf-8"))
    changes: list[dict[str, Any]] = [
        {"classes": "ab"}, {"classes": [1, 2]}, {"encoder": []}, {"encoder": {}}, {"reading": None},
        {"reading": {"scan": "diagonal"}}, {"encoder": {"vocabulary": 3, "longest": 5}},
        {"encoder": {"mean": [0], "scale": [0], "inputs": 1, "longest": 5}},
        {"encoder": {"mean": [0], "scale": [1, 1], "inputs": 1, "longest": 5}},
        {"classes": ["a"]},
    ]  # fmt: skip
    for change in changes:
        path.write_text(json.dumps(good | change), encoding="utf-8")
        with pytest.raises(UserError):
            elman.load(run.path).predict(tmp_path / "a.csv", out=(tmp_path / "out").open("w"))


def test_a_plan_tells_over_how_many_passes_the_learning_rate_falls(tmp_path: Path) -> None:
    made = job(reviews(tmp_path / "a.csv", 40), tmp_path / "run", epochs=None, minutes=0.2)
    assert made.how.cycle == 20 and made.how.epochs is None
    assert made.folder.options()["train"]["cycle"] == 20


def test_words_start_near_zero_and_are_hidden_more_often_than_letters(tmp_path: Path) -> None:
    for level, share in (("words", 0.3), ("characters", 0.1)):
        made = job(reviews(tmp_path / "a.csv", 60), tmp_path / level, embedding=64, level=level)
        assert made.options.token_dropout == share
        assert isinstance(made.model, Classifier)
        member = made.model.members[0]
        assert isinstance(member, Member) and member.reader.embedding is not None
        weight = member.reader.embedding.weight
        assert float(weight.detach().std()) == pytest.approx(SPREAD, rel=0.2)
