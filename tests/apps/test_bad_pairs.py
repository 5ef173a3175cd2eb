"""Pairs that are wrong: exit code 2, one clear line, no run folder, nothing lost."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from calling import Ended, call, snapshot

SMALL = ("--epochs", "1", "--hidden-size", "3", "--embedding", "2", "--threads", "1")
OURS = "".join(f"the {name} number {k}\n" for k in range(20) for name in ("cat", "dog"))
THEIRS = "".join(f"{name}第{k}号\n" for k in range(20) for name in "猫狗")
GOOD: dict[str, str | bytes] = {"a.en": OURS, "a.zh": THEIRS}
TABLE = "en\tzh\n" + "".join(
    f"{s}\t{t}\n" for s, t in zip(OURS.splitlines(), THEIRS.splitlines(), strict=True)
)

# What is trained on, with flags; the files; what the line must hold.
CASES: dict[str, tuple[dict[str, str | bytes], str]] = {
    "a.en b.zh": (
        GOOD | {"b.zh": THEIRS + "猫\n"},
        "a.en has 40 lines, b.zh 41; the lines of two aligned files must belong together",
    ),
    "a.en e.zh": (GOOD | {"e.zh": THEIRS.replace("狗第3号", "")}, "e.zh, line 8: is empty; give"),
    "e.en a.zh": (GOOD | {"e.en": b""}, "e.en: holds no text"),
    "a.en": (GOOD, "a.en: lines of one text; give two files whose lines belong together"),
    "a.en a.zh a.en": (GOOD, "a.en: lines of one text; give two files"),
    "a.en t.tsv": (GOOD | {"t.tsv": TABLE}, "t.tsv"),
    "a.en none.zh": (GOOD, 'no file "none.zh"'),
    "a.en a.zh --longest 3": (GOOD, "a.en, line 1: 16 tokens, more than --longest 3"),
    "a.en a.zh --longest 3 --skip-bad-rows": (GOOD, "no pair is left"),
    "a.en a.zh --validation-data l.en,l.zh --level words --longest 4 --skip-bad-rows": (
        GOOD | {"l.en": "a cat in the morning\n", "l.zh": "猫\n"},
        "no pair for validation is left; the first left out: l.en, line 1: 5 tokens",
    ),
    "l.en l.zh --validation-data a.en,a.zh --level words --longest 4 --skip-bad-rows": (
        GOOD | {"l.en": "a cat in the morning\n", "l.zh": "猫\n"},
        "no pair for training is left; the first left out: l.en, line 1: 5 tokens",
    ),
    "a.en a.zh --source-level words --target-level bytes --longest 9": (
        GOOD, "line 1: target: 10 tokens"
    ),
    "a.en gb.zh --encoding utf-8": (
        GOOD | {"gb.zh": THEIRS.encode("gb18030")}, "gb.zh, byte 2: not UTF-8"
    ),
    "a.en 0.zh": (GOOD | {"0.zh": THEIRS.encode() + b"\0\n"}, "0.zh, byte"),
    "a.en a.zh --encoding rot13": (GOOD, "--encoding rot13: needs"),
    "one.en one.zh": ({"one.en": "cat\n", "one.zh": "猫\n"}, "too few different pairs to hold"),
    "same.tsv": ({"same.tsv": "en\tzh\n" + "cat\t猫\n" * 50}, "too few different pairs to hold"),
    "t.tsv --source-column eng": ({"t.tsv": TABLE}, 'unknown column "eng"; did you mean "en"?'),
    "t.tsv --source-column zh --target-column zh": ({"t.tsv": TABLE}, 'both from column "zh"'),
    "cell.tsv": ({"cell.tsv": TABLE + "cat\t\n"}, 'cell.tsv, line 42: "zh" is empty'),
    "few.tsv": ({"few.tsv": TABLE + "cat\n"}, "few.tsv, line 42: 1 cell where there should be 2"),
    "j.jsonl": (
        {"j.jsonl": '{"en": "a", "zh": "b"}\n{"en": "a"}\n'}, 'j.jsonl, line 2: "zh" is empty'
    ),
    "a.en a.zh --validation-data v.en": (GOOD | {"v.en": "cat\n"}, "v.en: lines of one text"),
    "a.en a.zh --validation-data v.en,v.zh": (GOOD | {"v.en": "cat\n"}, 'no file "v.zh"'),
    "a.en a.zh --validation-data v.en,w.zh": (
        GOOD | {"v.en": "cat\ndog\n", "w.zh": "猫\n"}, "v.en has 2 lines, w.zh 1"
    ),
    "a.en a.zh --validation-data=v.en,-": (GOOD | {"v.en": "cat\n"}, "needs a file; - can be DATA"),
    "a.en a.zh --attention additive --context first": (GOOD, "additive: needs --context attention"),
    "a.en a.zh --input-feeding yes --context each": (GOOD, "--input-feeding True: needs --context"),
    "a.en a.zh --input-feeding yes --weight-drop 0.5": (GOOD, "--input-feeding True: needs no --l"),
    "a.en a.zh --level words --source-level bpe": (GOOD, "--level words: needs no --source-level"),
    "a.en a.zh --shared-vocabulary yes --source-level bpe": (GOOD, "needs one level"),
    "a.en a.zh --level bpe --vocabulary 100": (GOOD, "a vocabulary limit of 100 is too small"),
    "a.en a.zh --cell lstm,gru --decoder-hidden-size 3,4,5": (
        GOOD, "--decoder-hidden-size 3,4,5: needs one for all layers"
    ),
    "a.en a.zh --decoder-cell lsmt": (GOOD, 'did you mean "lstm"?'),
    "a.en a.zh --context sometimes": (GOOD, "sometimes"),
}  # fmt: skip


def check_told(ended: Ended, told: str) -> None:
    assert ended.code == 2, ended
    last = ended.err.splitlines()[-1]
    assert last.startswith("elman: ") and told in last and len(last) < 700, ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("words", CASES)
def test_training_refuses_what_is_wrong(words: str, tmp_path: Path) -> None:
    files, told = CASES[words]
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
    there = snapshot(tmp_path)
    ended = call("train", "translate", *words.split(" "), *SMALL)
    check_told(ended, told)
    assert ended.out == "" and snapshot(tmp_path) == there


def test_bad_pairs_are_left_out_counted_and_reported(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_text(OURS + "cat\n\n" + "cat " * 30 + "\n", encoding="utf-8")
    (tmp_path / "a.zh").write_text(THEIRS + "\n猫\n" + "猫\n", encoding="utf-8")
    how = ("--level", "words", "--longest", "20", "--skip-bad-rows", "--run", "run", *SMALL)
    ended = call("train", "translate", "a.en", "a.zh", *how)
    assert ended.code == 0, ended.err
    report = (tmp_path / "run/report.md").read_text(encoding="utf-8")
    for part in (
        "3 ",
        "a.zh, line 41: is empty",
        "a.en, line 42: is empty",
        "a.en, line 43: 30 tok",
    ):
        assert part in ended.err and part in report
    assert call("resume", "run", "--epochs", "2").code == 0
    ended = call("train", "translate", "a.en", "a.zh", *how, "--cut", "--force")
    assert ended.code == 0 and "line 41" in ended.err and "30 tokens" not in ended.err


def test_one_pair_can_be_learnt_without_validation(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a cat\t一只猫\n", encoding="utf-8")
    ended = call("train", "translate", "a.tsv", "--validation", "0", "--run", "run", *SMALL)
    assert ended.code == 0, ended.err
    check_told(call("evaluate", "run"), "kept nothing for validation; name other data")
    assert call("evaluate", "run", "a.tsv").code == 0
    assert call("predict", "run", "-", stdin=b"a cat\n").code == 0


# What a trained model is asked; what it is sent; what the line must hold.
ASKED: dict[str, tuple[str, str]] = {
    "predict -": (
        "七\n七千七\n",
        "standard input, line 1: in CJK letters, where the model reads",
    ),
    "predict s.txt": (
        "seven\n七千七\n",
        "s.txt, line 2: in CJK letters, where the model reads Latin; give --sk",
    ),
    "predict - --longest": ("seven\n", "Unknown option"),
    "predict x.txt": (
        "one two " * 9,
        "x.txt, line 1: 18 tokens, more than --longest 12",
    ),
    "predict gb.txt": ("七千三百零二", "in CJK letters, where the model reads Latin"),
    "predict - --require nothing": ("", '--require "nothing": the model has never seen "no'),
    "predict - --forbid 猫": ("", '--forbid "猫": the model has never seen "猫"'),
    "predict - --n-best 6": ("", "--n-best 6: needs at most --beam, 5"),
    "predict - --top-k 5": ("", "--top-k 5: needs --temperature above 0"),
    "predict - --require 七 --temperature 1": ("seven", "only a search can be req"),
    "predict - --max-length 2 --min-length 3": (
        "",
        "--min-length 3: needs at most --max-length, 2",
    ),
    "evaluate a.zh a.en": (
        "",
        "a.zh and 1 more: sources in CJK letters, where the model reads La",
    ),
    "evaluate a.en x.zh": ("七\n", "a.en has 66 lines, x.zh 1"),
    "evaluate a.en": ("", "a.en: lines of one text; give two files"),
    "generate": ("", "the task translate does not write"),
}


@pytest.mark.parametrize("words", ASKED)
def test_a_trained_model_refuses_what_is_wrong(
    words: str, translated: Path, tmp_path: Path
) -> None:
    sent, told = ASKED[words]
    command, *rest = words.split()
    names = []
    for word in rest:
        if word.startswith(("x.", "gb.", "s.")):
            (tmp_path / word).write_bytes(sent.encode("gb18030" if word[0] == "g" else "utf-8"))
        names.append(str(translated / word) if word.startswith("a.") else word)
    there = snapshot(translated)
    check_told(call(command, translated / "run", *names, stdin=sent.encode()), told)
    assert snapshot(translated) == there


def test_lines_that_cannot_be_read_leave_empty_ones(translated: Path) -> None:
    sent = "seven\n七千七\n" + "one two " * 9 + "\nnine\n"
    ended = call("predict", translated / "run", "-", "--skip-bad-rows", stdin=sent.encode())
    assert ended.code == 0 and "2 rows left out" in ended.err
    lines = ended.out.split("\n")
    assert len(lines) == 5 and lines[1] == lines[2] == "" and lines[0] and lines[3]


def test_copies_need_attention(tmp_path: Path) -> None:
    for name, text in GOOD.items():
        (tmp_path / name).write_text(str(text), encoding="utf-8")
    how = ("--context", "each", "--run", "run", *SMALL)
    assert call("train", "translate", "a.en", "a.zh", *how).code == 0
    for words in (("evaluate", "run"), ("predict", "run", "-")):
        told = "--unknown copy: needs a model with --context attention"
        check_told(call(*words, "--unknown", "copy", stdin=b"cat\n"), told)
    for word in ("keep", "avoid"):
        assert call("evaluate", "run", "--unknown", word).code == 0


def test_other_models_take_no_options_of_writing(trained: Path) -> None:
    ended = call("evaluate", trained / "run", "--beam", "3")
    check_told(ended, "--beam: of no use here; the task is text")


# ---- Damaged runs --------------------------------------------------------------------------

DAMAGE: list[tuple[str, Any]] = [
    ("encoder", None), ("encoder", []), ("encoder", {}), ("encoder.longest", 0),
    ("encoder.longest", "many"), ("encoder.cut", 1), ("encoder.source", None),
    ("encoder.source", "words"), ("encoder.source.symbols", ["a"]), ("encoder.target", 3),
    ("encoder.target.level", "syllables"), ("reading", None), ("reading", {"forms": 1}),
    ("reading.encoding", 5), ("written", 0), ("written", "long"), ("written", None),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value"), DAMAGE, ids=str)
def test_damaged_preprocessing(place: str, value: object, translated: Path, tmp_path: Path) -> None:
    shutil.copytree(translated / "run", tmp_path / "run")
    path = tmp_path / "run/preprocessing.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    *outer, last = place.split(".")
    inner = whole
    for name in outer:
        inner = inner[name]
    inner[last] = value
    path.write_text(json.dumps(whole), encoding="utf-8")
    there = snapshot(tmp_path)
    check_told(call("predict", "run", "-", stdin=b"seven\n"), "")
    assert snapshot(tmp_path) == there


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("context", "often", "context"), ("hidden_size", None, "no hidden_size"),
        ("embedding", None, "no embedding"), ("dropout", None, "no dropout"),
        ("embedding", 7, "model.safetensors"), ("decoder_cell", ["gru"], "model.safetensors"),
        ("decoder_hidden_size", [3, 4, 5], "model.safetensors"), ("tied", False, "model.safete"),
        ("shared_vocabulary", True, "model.safetensors"), ("token_dropout", 2, "--token-dropout"),
        ("attention", None, "no attention"),
        ("beam", 3, "beam"),
    ],
)  # fmt: skip
def test_damaged_options(
    name: str, value: object, told: str, translated: Path, tmp_path: Path
) -> None:
    shutil.copytree(translated / "run", tmp_path / "run")
    path = tmp_path / "run/options.toml"
    tables = tomllib.loads(path.read_text(encoding="utf-8"))
    tables["translate"][name] = value
    if value is None:
        del tables["translate"][name]
    path.write_text(tomli_w.dumps(tables), encoding="utf-8")
    check_told(call("predict", "run", "-", stdin=b"seven\n"), told)


def test_one_line_in_another_script_ends_no_stream(translated: Path) -> None:
    sent = "seven\n七千七\nｓｅｖｅｎ\nnine\n"
    ended = call("predict", translated / "run", "-", stdin=sent.encode())
    assert ended.code == 0, ended.err
    lines = ended.out.split("\n")
    assert len(lines) == 5 and lines[1] == "" and lines[0] and lines[2] and lines[3]
    assert "left out: standard input, line 2: in CJK letters" in ended.err
    assert "1 row left out" in ended.err
    several = call("predict", translated / "run", "-", "--n-best", "2", stdin=sent.encode())
    assert [row.split("\t")[0] for row in several.out.splitlines()] == list("113344")


def test_tables_are_read_from_standard_input_too(tmp_path: Path) -> None:
    """By a model that has learnt from one; lines of text are lines of text all the same."""
    (tmp_path / "t.tsv").write_text(TABLE, encoding="utf-8")
    assert call("train", "translate", "t.tsv", *SMALL, "--run", "run").code == 0
    sent = 'n,en\n1,a cat\n2,"a dog, a cat"\n3,猫\n4,dog\n'
    (tmp_path / "new.csv").write_text(sent, encoding="utf-8")
    whole = call("predict", "run", "new.csv", "--skip-bad-rows").out.splitlines()
    ended = call("predict", "run", "-", stdin=sent.encode())
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [*whole[:3], "3,猫,,", *whole[3:]]
    assert 'left out: standard input, "猫": in CJK letters' in ended.err
    sent = '{"en": "a cat", "n": [1]}\n{"en": "dog", "n": null}\n'
    ended = call("predict", "run", "-", stdin=sent.encode())
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert [(r["en"], r["n"]) for r in records] == [("a cat", [1]), ("dog", None)]
    assert f"1,a cat,{records[0]['translation']}" in whole[1]
    told = 'standard input: begin with a line of names, "en" among them'
    check_told(call("predict", "run", "-", stdin="a cat\t猫\n".encode()), told)
    ended = call("predict", "run", "-", stdin=b"a cat, en route\ndog\n")
    assert ended.code == 0 and ended.out.count("\n") == 2


def test_tables_without_a_header_are_read_from_standard_input(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text(TABLE.split("\n", 1)[1], encoding="utf-8")
    ended = call("train", "translate", "t.tsv", "--header=false", *SMALL, "--run", "run")
    assert ended.code == 0, ended.err
    ended = call("predict", "run", "-", stdin="the cat number 3\t猫\n".encode())
    assert ended.code == 0 and ended.out.startswith("the cat number 3\t猫\t"), ended.err
