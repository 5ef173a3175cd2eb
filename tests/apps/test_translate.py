"""`translate` as its users meet it: the same pairs from any files, a filter line for line, tables
with a column more, runs that find their data again."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from calling import call
from jobs import final

from elman.data.built_in.numbers import in_chinese, in_english

SMALL = (
    "--epochs", "1", "--hidden-size", "6", "--embedding", "5", "--level", "words",
    "--longest", "12", "--threads", "1",
)  # fmt: skip
SENT = b"seven\n\n  two thousand and twelve \r\n\t\none hundred zeppelins\r\nnine"


def test_the_same_pairs_make_the_same_model_from_whatever_files(
    translated: Path, tmp_path: Path
) -> None:
    ours, theirs = (
        (translated / name).read_text(encoding="utf-8").splitlines() for name in ("a.en", "a.zh")
    )
    both = list(zip(ours, theirs, strict=True))
    files = {
        "p.tsv": "中文\tEnglish\t编号\n"
        + "".join(f"{t}\t{s}\t{k}\n" for k, (s, t) in enumerate(both)),
        "p.jsonl": "".join(
            json.dumps({"source": s, "target": t}, ensure_ascii=False) + "\n" for s, t in both
        ),
    }
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    for name in ("a.en", "a.zh"):
        packed = gzip.compress((translated / name).read_bytes().replace(b"\n", b"\r\n"))
        (tmp_path / f"{name}.gz").write_bytes(packed)
    expected = final(translated / "run")
    for number, words in enumerate(
        (
            "a.zh.gz a.en.gz --source-column 2",
            "p.tsv --source-column English --target-column 中文",
            "p.jsonl",
        )
    ):
        run = tmp_path / str(number)
        ended = call("train", "translate", *words.split(), *SMALL, "--run", run)
        assert ended.code == 0, ended.err
        found = final(run)
        assert [name for name in expected if not torch.equal(expected[name], found[name])] == []


def test_a_file_and_standard_input_are_answered_line_for_line(
    translated: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.txt").write_bytes(SENT)
    from_file = call("predict", translated / "run", "new.txt")
    ended = call("predict", translated / "run", "-", stdin=SENT)
    assert ended.code == 0 and ended == from_file, ended.err
    assert ended.out.count("\n") == 6 and "<unk>" not in ended.out
    lines = ended.out.split("\n")
    assert lines[1] == lines[3] == "" and lines[0] and lines[2] and lines[5]
    several = call("predict", translated / "run", "-", "--n-best", "2", stdin=SENT)
    rows = [line.split("\t") for line in several.out.splitlines()]
    assert [int(row[0]) for row in rows] == [1, 1, 3, 3, 5, 5, 6, 6]
    assert [row[2] for row in rows[::2]] == [lines[k] for k in (0, 2, 4, 5)]
    scores = [float(row[1]) for row in rows]
    assert all(a >= b for a, b in zip(scores[::2], scores[1::2], strict=True))


def test_who_sends_a_line_and_waits_gets_its_translation(translated: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", "predict", "run", "-", "--skip-bad-rows"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=translated,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdin and process.stdout and process.stderr
    said = []
    with process:
        for line in SENT.splitlines(keepends=True)[:5]:
            process.stdin.write(line)
            process.stdin.flush()
            said.append(process.stdout.readline().decode())  # hangs if nothing comes
        process.stdin.write("七\n".encode())  # in a script that the model cannot read
        process.stdin.close()
        said.append(process.stdout.readline().decode())
        err = process.stderr.read().decode()
    assert process.returncode == 0
    expected = call("predict", translated / "run", "-", stdin=SENT).out.splitlines(keepends=True)
    assert said == [*expected[:5], "\n"]
    assert "left out: standard input, line 6: in CJK letters" in err


def test_tables_keep_their_columns_and_get_a_translation(translated: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,en\n1,seven\n2,"nine, ten"\n', encoding="utf-8")
    (tmp_path / "u.csv").write_text("id,en\n3,twelve\n", encoding="utf-8")
    (tmp_path / "t.jsonl").write_text(
        '{"en": "seven", "n": [1]}\n{"en": "twelve", "n": null}\n', encoding="utf-8"
    )
    plain = call("predict", translated / "run", "-", stdin=b"seven\nnine, ten\ntwelve\n")
    said = plain.out.splitlines()
    ended = call("predict", translated / "run", "t.csv", "u.csv", "--n-best", "2")
    assert ended.code == 0, ended.err
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert list(rows[0]) == ["id", "en", "translation", "score", "translation_2", "score_2"]
    assert [(row["id"], row["en"]) for row in rows] == [
        ("1", "seven"), ("2", "nine, ten"), ("3", "twelve"),
    ]  # fmt: skip
    assert [row["translation"] for row in rows] == said
    assert all(float(row["score"]) >= float(row["score_2"]) for row in rows)
    ended = call("predict", translated / "run", "t.jsonl")
    records = [json.loads(line) for line in ended.out.splitlines()]
    assert [(r["en"], r["n"], r["translation"]) for r in records] == [
        ("seven", [1], said[0]), ("twelve", None, said[2]),
    ]  # fmt: skip


def test_a_run_finds_its_data_from_another_folder_until_it_moves(
    translated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("a.en", "a.zh"):
        (here / name).write_bytes((translated / name).read_bytes())
    for name, written in (("v.en", in_english), ("v.zh", in_chinese)):
        (here / name).write_text("".join(f"{written(n)}\n" for n in range(3, 3000, 190)))
    monkeypatch.chdir(here)
    ended = call(
        "train", "translate", "a.en", "a.zh", "--validation-data", "v.en,v.zh", *SMALL,
        "--run", "../run", "--json",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "16 for validation" in ended.err
    own = json.loads(ended.out)["scores"]
    monkeypatch.chdir("/")
    run = tmp_path / "run"
    asked = ("evaluate", run, here / "v.en", here / "v.zh", "--beam", "5", "--json")
    other = call(*asked)
    assert other.code == 0, other.err
    assert (
        call("evaluate", run, "--beam", "5", "--json").out.split('"seconds"')[0]
        == (other.out.split('"seconds"')[0])
    )
    greedy = json.loads(call("evaluate", run, "--beam", "1", "--json").out)["scores"]
    assert greedy == pytest.approx(own)
    assert call("resume", run, "--epochs", "2").code == 0
    (here / "v.zh").rename(here / "w.zh")
    ended = call("resume", run, "--epochs", "3")
    assert ended.code == 2 and 'v.zh"; did you mean' in ended.err.splitlines()[-1]
    ended = call("evaluate", run, here / "v.en", here / "w.zh", "--json")
    assert ended.code == 0 and json.loads(ended.out)["baseline"] == {}
    assert call("predict", run, "-", stdin=b"seven\n").code == 0


def test_the_report_has_the_signature_of_the_scores(translated: Path, tmp_path: Path) -> None:
    # Every other target is no Chinese; and those are the ones that the report lists.
    targets = [w for k in range(10) for w in (f"on day {k}", "这一天有七个人到这里来")]
    (tmp_path / "v.en").write_text("seven\n" * 20, encoding="utf-8")
    (tmp_path / "v.zh").write_text("".join(f"{text}\n" for text in targets), encoding="utf-8")
    data = (str(translated / "a.en"), str(translated / "a.zh"))
    how = ("--validation-data", "v.en,v.zh", *SMALL, "--run", "run")
    assert call("train", "translate", *data, *how).code == 0
    told = call("evaluate", "run").out.splitlines()[-1].removeprefix("counted: ")
    assert "tok:zh" in told
    assert f"Counted by sacrebleu: {told}." in (tmp_path / "run/report.md").read_text("utf-8")


def test_a_tie_with_the_baseline_is_no_loss(translated: Path, tmp_path: Path) -> None:
    (tmp_path / "v.tsv").write_text("seven\tzeppelin\n" * 3, encoding="utf-8")
    ended = call("evaluate", translated / "run", "v.tsv", "--json")
    found = json.loads(ended.out)
    assert next(iter(found["scores"])) == "exact"
    assert found["scores"]["exact"] == found["baseline"]["exact"] == 0
    told = "exact 0.0000 against 0.0000"
    assert ended.err.startswith("elman: WARNING: nothing is gained over ")
    assert ended.err.endswith(f"{told}.\n")


def test_answers_to_tokenised_pairs_are_tokenised(tmp_path: Path) -> None:
    nouns = {"书": "book", "车": "car", "老师": "teacher", "苹果": "apple"}
    verbs = {"喜欢": "like", "看见 了": "saw", "知道": "know"}
    times = {"今天": "today", "昨天": "yesterday", "在 家": "at home"}
    pairs = [
        (f"{t} 我 {v} 那 {n} 。", f"i {verb} that {noun} {time} .")
        for t, time in times.items() for v, verb in verbs.items() for n, noun in nouns.items()
    ] * 2  # fmt: skip
    for name, side in (("p.zh", 0), ("p.en", 1)):
        (tmp_path / name).write_text("".join(f"{p[side]}\n" for p in pairs), encoding="utf-8")
    how = ("--epochs", "40", "--hidden-size", "24", "--embedding", "16", "--threads", "1",
           "--batch-size", "8", "--learning-rate", "0.01", "--dropout", "0")  # fmt: skip
    ended = call("train", "translate", "p.zh", "p.en", *how, "--run", "run", "--json")
    assert ended.code == 0, ended.err
    assert "both sides are tokenised already: tokens are what the spaces part" in ended.err
    assert "read as words" in ended.err
    found = json.loads(ended.out)["scores"]
    assert found["exact"] > 0 and (found["bleu"] < 100 or found["exact"] == 1)
    said = call("predict", "run", "-", stdin="昨天 我 看见 了 那 车 。\n".encode()).out
    assert said.startswith("i ") and said.endswith(" .\n")
