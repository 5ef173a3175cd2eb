"""The task `tag`: padding changes nothing, each token gets one answer, and order is learnt."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import random
import sqlite3
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call
from hypothesis import given, settings
from hypothesis import strategies as st

import elman
from elman.data.tables.arriving import Arriving
from elman.data.tables.content import BadRows
from elman.data.tags import reading as tagged
from elman.data.tags.sentence import Sentence, TagRoles
from elman.errors import UserError
from elman.tasks import prediction
from elman.tasks.tag.answering import answered
from elman.tasks.tag.baseline import MostFrequent
from elman.tasks.tag.data import make_encoder
from elman.tasks.tag.model import Tagger, Taggers
from elman.tasks.tag.options import TagOptions
from elman.tasks.tag.reading import split
from elman.tasks.tag.rivals import CHAIN, FREQUENT, GUESS
from elman.tasks.tag.task import TASK
from elman.tasks.tag.training import Batch

SMALL: dict[str, Any] = {"hidden_size": 5, "embedding": 4, "epochs": 1, "sample": 0, "threads": 1}
WORDS = ("a", "ab", "b", "cab", "dab", "Ebb", "fee", "a-very-long-word-with-more-letters-than-read")


def settled(**changed: Any) -> TagOptions:
    options: dict[str, Any] = {
        "hidden_size": (5,), "embedding": 4, "characters": 3, "dropout": 0.0, "weight_drop": 0.0,
        "token_dropout": 0.0,
    }  # fmt: skip
    return TagOptions(**options | changed)


def sentence(*tokens: str) -> Sentence:
    """Each token is labelled by its first letter."""
    return Sentence("here", list(tokens), [token[0] for token in tokens])


def conll(path: Path, sentences: list[Sentence]) -> Path:
    text = (
        "".join(f"{t} {x}\n" for t, x in zip(s.tokens, s.labels, strict=True)) for s in sentences
    )
    path.write_text("\n".join(text), encoding="utf-8")
    return path


@pytest.fixture
def turns(tmp_path: Path) -> Path:
    """Each token's label is its own kind and that of the token before: nothing to know alone."""
    draw, sentences = random.Random(0), []
    for _ in range(300):
        tokens = draw.choices(["low", "cold", "high", "hot"], k=draw.randint(1, 9))
        up = ["O", *("UP" if t[0] == "h" else "DOWN" for t in tokens)]
        sentences.append(Sentence("", tokens, up[:-1]))
    return conll(tmp_path / "turns.conll", sentences)


@settings(max_examples=15)
@given(
    drawn=st.lists(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=7), min_size=1, max_size=5
    ),
    characters=st.sampled_from([0, 3]),
    both=st.booleans(),
)
def test_padding_changes_no_score_no_loss_and_no_gradient(
    drawn: list[list[str]], characters: int, both: bool
) -> None:
    sentences = [sentence(*tokens) for tokens in drawn]
    encoder = make_encoder(sentences, limit=None, lowercase=False, longest=100)
    encoded = encoder.encode(drawn)
    torch.manual_seed(1)
    options = settled(characters=characters, bidirectional=(both,))
    model = Tagger(options, 3, encoder.words.size, encoder.letters.size).double()
    targets = [np.arange(len(tokens)) % 3 for tokens in drawn]

    def total(chosen: list[int]) -> torch.Tensor:
        labels = torch.from_numpy(np.concatenate([targets[k] for k in chosen]))
        loss, count, _ = TASK.loss(model, Batch(encoded.inputs(chosen), labels), None, "cpu")
        assert count == sum(len(drawn[k]) for k in chosen)
        return loss

    everywhere = list(range(len(drawn)))
    together = total(everywhere)
    alone = sum((total([k]) for k in everywhere), torch.zeros((), dtype=torch.float64))
    # Sums of at most 35 terms of order 1 in another order: far below 1e-12.
    assert abs(together.item() - alone.item()) < 1e-12
    weights = list(model.parameters())
    for a, b in zip(
        torch.autograd.grad(together, weights), torch.autograd.grad(alone, weights), strict=True
    ):
        assert (a - b).abs().max() < 1e-12
    for k, answer in enumerate(answered(model, encoded, everywhere, "cpu", targets)):
        (own,) = answered(model, encoded, [k], "cpu", targets)
        assert np.array_equal(answer.best, own.best)
        assert np.abs(answer.nats - own.nats).max() < 1e-12
        assert np.abs(answer.confidence - own.confidence).max() < 1e-12


def test_several_learn_as_each_would_alone_and_say_what_they_say_on_average() -> None:
    drawn = [["cab", "a"], ["dab", "b", "bead"], ["e"]]
    sentences = [sentence(*tokens) for tokens in drawn]
    encoder = make_encoder(sentences, limit=None, lowercase=False, longest=100)
    batch = encoder.encode(drawn).inputs([0, 1, 2])
    count, labels = random.randint(2, 4), torch.tensor([0, 1, 2, 1, 0, 2])
    options = settled(characters=random.choice([0, 3]), members=count)
    several = Taggers(options, 3, encoder.words.size, encoder.letters.size).double().eval()

    def learnt(model: torch.nn.Module) -> tuple[float, dict[str, torch.Tensor]]:
        loss, _, _ = TASK.loss(model, Batch(batch, labels), None, "cpu")
        weights = dict(model.named_parameters())
        found = torch.autograd.grad(loss, list(weights.values()))
        return loss.item(), dict(zip(weights, found, strict=True))

    total, gradients = learnt(several)
    each = [learnt(member) for member in several.members]
    assert total == pytest.approx(sum(loss for loss, _ in each) / count)
    for k, (_, alone) in enumerate(each):
        for name, own in alone.items():
            torch.testing.assert_close(gradients[f"members.{k}.{name}"], own / count)
    with torch.no_grad():
        chances = torch.stack([member(batch).softmax(-1) for member in several.members])
        torch.testing.assert_close(several(batch).exp(), chances.mean(0))
        assert not torch.allclose(chances[0], chances[1], atol=1e-3)


def test_unknown_tokens_differ_by_their_letters_alone() -> None:
    known = [sentence("cab", "dab", "cab", "dab", "a", "b", "e", "a", "b", "e")]
    encoder = make_encoder(known, limit=None, lowercase=False, longest=100)
    encoded = encoder.encode([["bead"], ["deaf"]])
    assert encoded.ids.tolist() == [0, 0]
    for characters in (0, 3):
        torch.manual_seed(1)
        model = Tagger(
            settled(characters=characters), 3, encoder.words.size, encoder.letters.size
        ).eval()
        with torch.no_grad():
            first, second = model(encoded.inputs([0, 1]))
        assert torch.equal(first, second) is (characters == 0)


def test_rare_and_late_tokens_are_unknown() -> None:
    seen = [sentence("One", "two", "two", "<unk>", "<unk>", "three", "three", "three", "one")]
    for limit, lowercase, known in (
        (None, False, ("three", "two")),
        (2, False, ("three",)),
        (None, True, ("three", "one", "two")),
    ):
        encoder = make_encoder(seen, limit=limit, lowercase=lowercase, longest=9)
        assert encoder.words.symbols == ("<unk>", *known)
    assert encoder.encode([["ONE", "four"]]).ids.tolist() == [2, 0]


def test_the_end_is_for_validation_but_for_labels_of_its_own() -> None:
    drawn = [sentence(word) for word in ["a", "b", "a", "b", "a", "b", "cab", "ab", "b", "a"]]
    train, check = split(drawn, 0.4)
    assert [s.tokens for s in check] == [["ab"], ["b"], ["a"]]
    assert train == [*drawn[:6], drawn[6]]
    assert split(drawn, 0.0) == (drawn, [])
    assert len(split(drawn, 0.001)[1]) == 1


def test_the_baseline_by_hand() -> None:
    seen = [
        Sentence("", ["the", "run", "runs"], ["D", "N", "V"]),
        Sentence("", ["the", "run", "run", "end"], ["D", "V", "V", "N"]),
        Sentence("", ["ends"], ["V"]),
    ]
    model = MostFrequent(seen, ("D", "N", "V"))
    assert model.answer(["the", "run", "end"]) == ["D", "V", "N"]
    # runs and ends are V, end is N; with one added to each: 1, 2 and 3 of 6.
    assert model.answer(["absent"]) == ["V"]
    assert model.nats("absent", "D") == pytest.approx(math.log(6))
    assert model.nats("run", "N") == pytest.approx(-math.log((1 + 2 / 6) / 4))
    for token in ("the", "run", "absent"):
        assert sum(math.exp(-model.nats(token, x)) for x in "DNV") == pytest.approx(1)


def test_what_stands_before_is_learnt_by_network_and_chain_alike(
    turns: Path, tmp_path: Path
) -> None:
    run = elman.train(
        "tag", turns, run=tmp_path / "run", hidden_size=8, embedding=8, characters=0, dropout=0.0,
        token_dropout=0.0, epochs=5, threads=1, batch_size=8, learning_rate=0.03,
    )  # fmt: skip
    rivals = run.folder.scores()["rivals"]
    assert list(rivals) == [CHAIN, FREQUENT, GUESS] and run.baseline == rivals[CHAIN]
    assert run.scores["accuracy"] > 0.98 > 0.7 > rivals[FREQUENT]["accuracy"]
    assert run.baseline["accuracy"] > 0.98 and "nothing is gained" in run.verdict
    assert list(run.scores) == list(rivals[FREQUENT]) == ["accuracy", "span_f1", "nats"]
    report = (run.path / "report.md").read_text(encoding="utf-8")
    assert "| UP |" in report and "exact runs of one label" in report


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> elman.Run:
    """A run on sentences of `WORDS`, its labels with prefixes; not to be changed."""
    folder = tmp_path_factory.mktemp("tag")
    draw = random.Random(1)
    drawn = [draw.choices(WORDS, k=draw.randint(1, 12)) for _ in range(60)]
    sentences = [Sentence("", s, ["O" if "a" in t else f"B-{t[0]}" for t in s]) for s in drawn]
    data = conll(folder / "data.conll", sentences)
    return elman.train("tag", data, run=folder / "run", **SMALL, longest=6)


def test_spans_come_first_where_labels_have_prefixes(run: elman.Run) -> None:
    assert list(run.scores) == ["span_f1", "accuracy", "nats"]
    rivals = run.folder.scores()["rivals"].values()
    assert all(list(scores) == list(run.scores) for scores in rivals)
    assert "| b | " in (run.path / "report.md").read_text(encoding="utf-8")
    assert run.evaluate().scores == pytest.approx(run.scores)


def test_a_file_a_stream_and_json_are_answered_alike(run: elman.Run, tmp_path: Path) -> None:
    # One sentence is longer than the model reads at once; its parts are answered, and joined.
    drawn = [["Ebb", "cab", "new"], ["fee"], [*WORDS, *WORDS], ["dab"] * 6]
    table = "# first\n" + "\n\n".join("\n".join(s) for s in drawn) + "\n"
    path = tmp_path / "new.conll"
    path.write_text(table, encoding="utf-8")
    widths: list[int] = []
    hook = run.model.register_forward_pre_hook(lambda _, x: widths.append(x[0].tokens.shape[1]))
    run.predict(path, out=io.StringIO())
    hook.remove()
    assert max(widths) == 6
    from_file = call("predict", run.path, path)
    from_stream = call("predict", run.path, "-", stdin=table.encode())
    assert from_file.code == 0 and from_file == from_stream, from_file.err
    before, after = table.splitlines(), from_file.out.splitlines()
    assert len(after) == len(before) and after[0] == before[0]
    rows = [new.split() for new in after[1:]]
    assert [row[:1] for row in rows] == [line.split() for line in before[1:]]
    said = [row[1] for row in rows if row]
    lines = "".join(json.dumps({"id": k, "tokens": s}) + "\n" for k, s in enumerate(drawn))
    from_json = call("predict", run.path, "-", stdin=lines.encode())
    assert from_json.code == 0, from_json.err
    records = [json.loads(line) for line in from_json.out.splitlines()]
    assert [(r["id"], r["tokens"]) for r in records] == list(enumerate(drawn))
    assert [label for r in records for label in r["predicted"]] == said
    alone = io.StringIO()
    for s in drawn:
        one = tmp_path / "one.conll"
        one.write_text("\n".join(s), encoding="utf-8")
        run.predict(one, out=alone)
    assert [line.split()[1] for line in alone.getvalue().splitlines()] == said


def test_who_sends_sentences_and_waits_gets_answers() -> None:
    reader, writer = os.pipe()
    ended = threading.Event()

    def end() -> None:  # after a while without an answer, so that this fails and does not wait
        ended.wait(5)
        os.close(writer)

    ending = threading.Thread(target=end)
    with os.fdopen(reader, "rb") as stream:
        arriving = Arriving("a pipe", stream)
        os.write(writer, b"Ebb\ncab\n\nfee\n\n")
        opened = tagged.open_stream("a pipe", arriving, TagRoles())
        ending.start()
        first = next(prediction.together(opened.pieces(BadRows(False)), arriving))
        in_time = ending.is_alive()
        ended.set()
        ending.join()
    assert in_time
    assert [p.sentence.tokens for p in first if p.sentence] == [["Ebb", "cab"], ["fee"]]


def test_bad_sentences_are_told_or_left_out(run: elman.Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.conll"
    path.write_text("Ebb O\ncab O\n\ndab O\nfee\n\nb O\n", encoding="utf-8")
    ended = call("predict", run.path, path)
    assert (ended.code, ended.out) == (2, "")
    assert "line 5: 1 cell where there should be 2; give --skip-bad-rows" in ended.err
    ended = call("predict", run.path, path, "--skip-bad-rows")
    assert ended.code == 0 and "1 row left out" in ended.err
    assert [line[:1] for line in ended.out.splitlines()] == ["E", "c", "", "b"]
    with pytest.raises(UserError, match="line 5"):
        elman.train("tag", path, run=tmp_path / "run", **SMALL)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cab O\nb X\n", r'line 1: label "X" is not in the training data \(B-E, B-b, B-f, O\)'),
        ("cab\nb\n", "one column only"),
        ("", "holds no text"),
    ],
)
def test_other_data_must_fit(run: elman.Run, text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "other.conll"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=told):
        run.evaluate(path)


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        ("a O\n\nb O\n\nb O\n", {}, 'one label only, "O"'),
        ("a O\n\nb X\n", {}, "nothing left for validation"),
        ("a O\nb X\n\nb O\n", {"label_column": "3"}, "column 3, where there are 2"),
        ("a O\nb X\n\nb O\n", {"token_column": "word"}, 'unknown column "word"'),
    ],
)
def test_data_that_teaches_nothing_is_told(
    text: str, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "data.conll"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=told):
        TASK.read([str(path)], TagOptions(**options), 0.1)


def test_the_doctor_says_first_what_matters(tmp_path: Path) -> None:
    drawn = [sentence(*WORDS[:3]) for _ in range(20)] + [
        sentence("b", "ab", "b", "ab"),
        sentence("b"),
    ]
    path = conll(tmp_path / "data.conll", drawn)
    path.write_text(path.read_text(encoding="utf-8") + "\nbad\n", encoding="utf-8")
    options = TagOptions(skip_bad_rows=True, longest=3, validation_data=path)
    page = TASK.examine(TASK.read([str(path)], options, 0.1))
    assert "23 sentences for training, 23 for validation" in page.headline
    left_out, shared, cut = page.warnings
    assert left_out.startswith("2 sentences or lines left out") and "1 cell " in left_out
    assert shared.startswith("23 of 23 sentences for validation stand in the training data")
    assert cut.startswith("2 sentences with more than 3 tokens")
    assert "span_f1 counts exact runs" in page.facts[-1]


def test_the_query_of_the_training_data_is_asked_of_other_databases(tmp_path: Path) -> None:
    draw = random.Random(5)
    for name in ("a.db", "b.db"):
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as database, database:
            database.execute("CREATE TABLE notes (id INTEGER, body TEXT)")
            database.execute("CREATE TABLE said (sentence TEXT, word TEXT, kind TEXT)")
            for k in range(80):
                for word in draw.choices(WORDS, k=draw.randint(1, 5)):
                    row = (f"s{k}", word, word[0].upper())
                    database.execute("INSERT INTO said VALUES (?, ?, ?)", row)
    query = "SELECT sentence, word AS token, kind AS label FROM said"
    run = elman.train("tag", tmp_path / "a.db", run=tmp_path / "run", query=query, **SMALL)
    other = elman.load(run.path).evaluate(tmp_path / "b.db")
    assert other.scores["accuracy"] > 0
    out = io.StringIO()
    run.predict(tmp_path / "b.db", out=out)
    first, *rows = out.getvalue().splitlines()
    assert first == "sentence,token,label,predicted" and len(rows) >= 80
