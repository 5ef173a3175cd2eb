"""A network as a run: it writes, scores and answers as the network that it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from calling import call, snapshot
from keras_files import archive, hdf5, layer
from test_pytorch import Scorer
from torch import nn

import elman
from elman.importing.network import Network
from elman.importing.tasks import symbols

POEM = "春眠不觉晓，处处闻啼鸟。\n夜来风雨声，花落知多少。\n"
LETTERS = sorted(set(POEM))
CLOSE = 1e-5


def scorer(path: Path, size: int, outputs: int, **how: Any) -> Path:
    """The weights of a PyTorch model over `size` ids."""
    model = Scorer(how.get("kind", nn.LSTM), size, 4, 7, how.get("layers", 2), False, outputs)
    torch.save(model.state_dict(), path)
    return path


def windows(path: Path, size: int, steps: int, *, both: bool) -> Path:
    """A Keras model that reads one-hot windows: SimpleRNN, a GRU one way or both, dense."""
    draw = np.random.default_rng(1).normal
    gru = layer("GRU", name="gru", units=3, reset_after=True)
    model = {"class_name": "Sequential", "config": {"layers": [
        layer("InputLayer", name="in", batch_shape=[None, steps, size]),
        layer("SimpleRNN", name="rnn", units=5, return_sequences=True),
        layer("Bidirectional", name="both", layer=gru) if both else gru,
        layer("Dense", name="out", units=size, activation="softmax"),
    ]}}  # fmt: skip
    owners = ("bidirectional/forward_layer", "bidirectional/backward_layer") if both else ("gru",)
    shapes: dict[str, list[tuple[int, ...]]] = {
        "simple_rnn/cell/vars": [(size, 5), (5, 5), (5,)],
        "dense/vars": [(3 * len(owners), size), (size,)],
        **{f"{owner}/cell/vars": [(5, 9), (3, 9), (2, 9)] for owner in owners},
    }
    arrays = {f"layers/{name}/{k}": draw(size=s).astype(np.float32)
              for name, each in shapes.items() for k, s in enumerate(each)}  # fmt: skip
    return archive(path, model, hdf5(arrays))


@torch.no_grad()
def likeliest(network: Network, prompt: str, count: int, *, steps: int | None) -> str:
    """What a network writes if each letter is the likeliest, read by windows of `steps`."""
    text = prompt
    for _ in range(count):
        seen = torch.tensor([[LETTERS.index(letter) for letter in text[-(steps or 0) :]]])
        scores, _ = network(torch.eye(len(LETTERS))[seen] if steps else seen)
        text += LETTERS[int((scores if scores.dim() == 2 else scores[:, -1]).argmax())]
    return text


@pytest.mark.parametrize("form", ["list", "ids", "symbols", "text"])
def test_a_run_writes_what_the_network_would(tmp_path: Path, form: str) -> None:
    path = scorer(tmp_path / "poems.pt", len(LETTERS), len(LETTERS))
    forms = {
        "list": LETTERS,
        "ids": {letter: k for k, letter in enumerate(LETTERS)},
        "symbols": {str(k): letter for k, letter in enumerate(LETTERS)},
    }
    known = tmp_path / ("letters.json" if form in forms else "poem.txt")
    known.write_text(json.dumps(forms[form]) if form in forms else POEM, encoding="utf-8")
    ended = call("import", path, "--task", "text", "--vocabulary", known, "--run", "run")
    assert (ended.code, "run folder run" in ended.out) == (0, True)
    expected = likeliest(elman.load_foreign(path), "春眠", 30, steps=None)
    assert elman.load("run").generate("春眠", 30, temperature=0) == expected


@pytest.mark.parametrize("both", [False, True])
def test_a_network_of_windows_reads_windows(tmp_path: Path, both: bool) -> None:
    path = windows(tmp_path / "poems.keras", len(LETTERS), 6, both=both)
    (tmp_path / "poem.txt").write_text(POEM, encoding="utf-8")
    assert call("import", path, "--task=text", "--vocabulary=poem.txt", "--run=run").code == 0
    expected = likeliest(elman.load_foreign(path), POEM[:9], 20, steps=6)
    assert elman.load("run").generate(POEM[:9], 20, temperature=0) == expected


@torch.no_grad()
def test_a_run_scores_a_text_as_the_network_does(tmp_path: Path) -> None:
    path = scorer(tmp_path / "poems.pt", len(LETTERS), len(LETTERS), kind=nn.GRU)
    known = tmp_path / "letters.json"
    known.write_text(json.dumps(LETTERS), encoding="utf-8")
    (tmp_path / "other.txt").write_text(POEM[7:], encoding="utf-8")
    assert call("import", path, "--task=text", f"--vocabulary={known}", "--run=run").code == 0
    run = elman.load("run")
    ids = torch.tensor([[LETTERS.index(letter) for letter in POEM[7:]]])
    scores, _ = elman.load_foreign(path)(ids[:, :-1])
    nats = nn.functional.cross_entropy(scores[0], ids[0, 1:])
    assert run.evaluate("other.txt").scores["nats"] == pytest.approx(nats.item(), abs=CLOSE)
    again = call("evaluate", "run")
    assert (again.code, "was imported, and has no data of its own" in again.err) == (2, True)
    assert call("resume", "run").code == 2


@torch.no_grad()
@pytest.mark.parametrize("outputs", [1, 4])
def test_a_classifier_of_texts_answers_as_the_network_does(tmp_path: Path, outputs: int) -> None:
    path = scorer(tmp_path / "m.pt", len(LETTERS) + 1, outputs)
    known = {letter: k + 1 for k, letter in enumerate(LETTERS)}  # 0 is padding, as Keras has it
    (tmp_path / "letters.json").write_text(json.dumps(known), encoding="utf-8")
    names = ["坏", "好"] if outputs == 1 else ["a", "b", "c", "d"]
    classes = f"--classes={','.join(names)}"
    ended = call("import", path, "--layers=embedding,rnn,last,fc", "--task=classify",
                 "--vocabulary=letters.json", classes, "--run=run")  # fmt: skip
    assert ended.code == 0, ended.err
    network = elman.load_foreign(path, layers=["embedding", "rnn", "last", "fc"])
    lines = POEM.strip().split("\n")
    (tmp_path / "lines.csv").write_text("text\n" + "\n".join(lines), encoding="utf-8")
    said = call("predict", "run", "lines.csv")
    assert said.code == 0, said.err
    for line, answer in zip(lines, said.out.splitlines()[1:], strict=True):
        y, _ = network(torch.tensor([[known[letter] for letter in line]]))
        scores = torch.cat([torch.zeros_like(y), y], 1) if outputs == 1 else y
        assert names[int(scores.argmax())] in answer


@torch.no_grad()
def test_a_tagger_answers_as_the_network_does(tmp_path: Path) -> None:
    words = {"<PAD>": 0, "<UNK>": 1, "the": 2, "cat": 3, "sat": 4, "on": 5}
    (tmp_path / "words.json").write_text(json.dumps(words), encoding="utf-8")
    path = scorer(tmp_path / "m.pt", len(words), 3, kind=nn.GRU)
    ended = call("import", path, "--task=tag", "--vocabulary=words.json", "--classes=B,I,O",
                 "--run=run")  # fmt: skip
    assert ended.code == 0, ended.err
    sentences = [["the", "cat", "sat"], ["on", "the", "dog", "sat", "cat"]]
    lines = "\n\n".join("\n".join(f"{word} O" for word in words) for words in sentences)
    (tmp_path / "s.conll").write_text(lines + "\n", encoding="utf-8")
    said = call("predict", "run", "s.conll")
    assert said.code == 0, said.err
    network = elman.load_foreign(path)
    expected = []
    for sentence in sentences:
        scores, _ = network(torch.tensor([[words.get(word, 1) for word in sentence]]))
        expected += ["BIO"[k] for k in scores[0].argmax(-1).tolist()]
    rows = [line.split() for line in said.out.splitlines() if line.strip()]
    assert [row[2] for row in rows if row[0] in {*sentences[0], *sentences[1]}] == expected


def test_a_classifier_of_numbers_reads_them_as_they_are(tmp_path: Path) -> None:
    torch.save(nn.ModuleDict({"rnn": nn.GRU(3, 5), "fc": nn.Linear(5, 2)}).state_dict(), "m.pt")
    ended = call("import", "m.pt", "--layers=rnn,last,fc", "--task=classify", "--run=run")
    assert ended.code == 0, ended.err
    x = np.random.default_rng(0).normal(size=(4, 9, 3)).astype(np.float32)
    np.savez("x.npz", x=x, y=np.zeros(4, np.int64))
    network = elman.load_foreign("m.pt", layers=["rnn", "last", "fc"])
    with torch.no_grad():
        expected = network(torch.from_numpy(x))[0].log_softmax(-1)[:, 0]
    nats = elman.load("run").evaluate("x.npz").scores["nats"]
    assert nats == pytest.approx(-float(expected.mean()), abs=CLOSE)


NO_RUNS = [
    (["--task=text"], "give what its ids mean as --vocabulary"),
    (["--task=text", "--vocabulary=no.json"], "cannot be read"),
    (["--task=text", "--vocabulary=few.json"], "3 ids in it, but the model has 22 symbols"),
    (["--task=text", "--vocabulary=few.txt"], "3 different characters in it, but the model has 22"),
    (["--task=text", "--vocabulary=twice.json"], "stands for two ids"),
    (["--task=text", "--vocabulary=same.json"], "two symbols have one id"),
    (["--task=text", "--vocabulary=list.json"], "is no vocabulary"),
    (["--task=text", "--vocabulary=broken.json"], "not valid JSON"),
    (["--task=text", "--vocabulary=deep.json"], "not valid JSON"),
    (["--task=text", "--vocabulary=good.json", "--classes=a,b"], "--classes: for --task classify"),
    (["--task=classify", "--vocabulary=good.json"], "a classifier scores one"),
    (["--task=classify", "--vocabulary=good.json", "--layers=embedding,rnn,last,fc",
      "--classes=a,b"], "2 names, the model has 22 outputs"),
    (["--task=classify", "--layers=embedding,rnn,last,fc"], "reads ids; give the vocabulary"),
    (["--task=text", "--vocabulary=good.json", "--layers=embedding,rnn,mean,fc"], "a mean"),
    (["--task=tag", "--vocabulary=good.json", "--layers=embedding,rnn,mean,fc"], "scores one step"),
    (["--task=tag"], "reads ids; give the vocabulary"),
    (["--task=text", "--vocabulary=good.json", "--layers=embedding,rnn,fc,relu"], "ends with relu"),
    (["--task=text", "--vocabulary=good.json", "--layers=embedding,rnn"], "without a dense layer"),
    (["--task=forecast"], "Invalid value"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "told"), NO_RUNS)
def test_what_makes_no_run_is_one_line_and_nothing_is_written(
    tmp_path: Path, flags: list[str], told: str
) -> None:
    path = scorer(tmp_path / "m.pt", len(LETTERS), len(LETTERS))
    files = {
        "good.json": json.dumps(LETTERS), "few.json": '["a", "b", "c"]', "few.txt": "abc",
        "twice.json": json.dumps([*LETTERS[:-1], LETTERS[0]]), "list.json": "[1, 2]",
        "same.json": '{"a": 0, "b": 0}', "broken.json": '{"a"', "deep.json": "[" * 100_000,
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    before = snapshot(tmp_path)
    ended = call("import", path, *flags, "--run=run")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended.err
    assert told in ended.err
    assert snapshot(tmp_path) == before


def test_a_tokenizer_of_keras_names_ids_and_what_is_unknown(tmp_path: Path) -> None:
    words = {"<OOV>": 1, "the": 2, "cat": 3, "sat": 4, "rare": 5}
    told = {"class_name": "Tokenizer", "config": {
        "word_index": json.dumps(words), "oov_token": "<OOV>", "lower": True, "num_words": 5,
    }}  # fmt: skip
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    known = symbols.read(str(path), 5)
    assert known.ids == (1, 0, 2, 3, 4)
    assert known.vocabulary.encode("The cat slept").tolist() == [2, 3, 0]
    assert known.vocabulary.lowercase
    table = torch.arange(5.0)[:, None]
    assert known.rows(table)[:, 0].tolist() == [1, 0, 2, 3, 4]


def test_an_unknown_symbol_of_our_own_takes_nothing_from_the_others(tmp_path: Path) -> None:
    (tmp_path / "abc.json").write_text('["a", "b", "c"]', encoding="utf-8")
    known = symbols.read(str(tmp_path / "abc.json"), 3)
    weight, bias = torch.randn(3, 4), torch.randn(3)
    ours, our_bias = known.scores(weight, bias)
    h = torch.randn(50, 4) * 10
    theirs = (h @ weight.T + bias).softmax(-1)
    found = (h @ ours.T + our_bias).softmax(-1)
    assert known.ids == (-1, 0, 1, 2)
    assert (found[:, 1:] - theirs).abs().max() < 1e-6
    assert found[:, 0].max() < 1e-8
