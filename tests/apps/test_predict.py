"""elman predict: one row out for one row in, in its own form, and the answers are evaluate's."""

from __future__ import annotations

import csv
import io
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calling import Ended, call

import elman

SMALL: dict[str, Any] = {
    "hidden_size": 6, "epochs": 3, "batch_size": 8, "threads": 1, "learning_rate": 0.02,
}  # fmt: skip
WORDS = {"neg": ("差", "慢", "冷, 硬", '"bad"'), "pos": ("好", "快", "热, 香", '"good"')}


def review(draw: random.Random, label: str) -> str:
    return "，".join(draw.choices(WORDS[label], k=draw.randint(1, 12)))


def table_of(rows: list[dict[str, str]], delimiter: str = ",") -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def rows_of(content: str, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """`train.csv`, `new.csv` with labels, and runs: `table`, `lines` of texts, `arrays`."""
    path, draw = tmp_path_factory.mktemp("predict"), random.Random(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(path / "cache"))
        for name, count in (("train", 80), ("new", 600)):
            rows = []
            for k in range(count):
                label = draw.choice(("neg", "pos"))
                rows.append({"id": f"{name} {k}", "review": review(draw, label), "label": label})
            (path / f"{name}.csv").write_bytes(table_of(rows))
        elman.train("classify", path / "train.csv", run=path / "table", **SMALL)
        for label in WORDS:
            lines = [review(draw, label) for _ in range(30)]
            (path / f"train.{label}").write_text("\n".join(lines), encoding="utf-8")
        both = (path / "train.pos", path / "train.neg")
        elman.train("classify", *both, run=path / "lines", **SMALL)
        x = np.random.default_rng(0).normal(size=(60, 5, 3))
        np.savez(path / "train.npz", x=x, y=(x[:, 0, 0] > 0).astype(int))
        elman.train("classify", path / "train.npz", run=path / "arrays", **SMALL)
        yield path


def elman_process(*arguments: str | Path, stdin: bytes = b"") -> Ended:
    ended = subprocess.run(
        [sys.executable, "-m", "elman", *map(str, arguments)], input=stdin, capture_output=True,
        timeout=120, check=False,
    )  # fmt: skip
    return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def test_a_process_answers_every_row_in_its_own_form_as_evaluate_counts_it(folder: Path) -> None:
    ended = elman_process("predict", folder / "table", folder / "new.csv")
    assert (ended.code, ended.err) == (0, "")
    before = rows_of((folder / "new.csv").read_text(encoding="utf-8"))
    after = rows_of(ended.out)
    assert [{k: row[k] for k in ("id", "review", "label")} for row in after] == before
    hits = sum(row["predicted"] == row["label"] for row in after) / len(after)
    scores = elman.load(folder / "table").evaluate(folder / "new.csv").scores
    assert hits == pytest.approx(scores["accuracy"])
    nats = [-np.log(p if row["predicted"] == row["label"] else 1 - p)
            for row in after if (p := float(row["probability"])) < 1]  # fmt: skip
    assert np.mean(nats) == pytest.approx(scores["nats"], abs=1e-4)
    # A stream is the same file.
    streamed = elman_process(
        "predict", folder / "table", "-", stdin=(folder / "new.csv").read_bytes()
    )
    assert streamed == ended


def test_every_form_and_order_gets_the_same_answers(folder: Path, tmp_path: Path) -> None:
    rows = rows_of((folder / "new.csv").read_text(encoding="utf-8"))[:40]
    whole = call("predict", folder / "table", folder / "new.csv").out
    known = {row["id"]: (row["predicted"], row["probability"]) for row in rows_of(whole)}
    random.Random(5).shuffle(rows)
    rows = [{"more": "x\ty", "review": row["review"], "id": row["id"]} for row in rows]

    (tmp_path / "a.csv").write_bytes(table_of(rows, ";"))
    (tmp_path / "a.tsv").write_text(
        "id\treview\n" + "".join(f"{r['id']}\t{r['review']}\n" for r in rows), encoding="utf-8"
    )
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps(row | {"n": [1, None]}) + "\n" for row in rows), encoding="utf-8"
    )
    of_csv = rows_of(call("predict", folder / "table", tmp_path / "a.csv").out, ";")
    told = call("predict", folder / "table", tmp_path / "a.tsv").out.split("\n")
    assert told[0].split("\t") == ["id", "review", "predicted", "probability"]
    of_tsv = [dict(zip(told[0].split("\t"), line.split("\t"), strict=True)) for line in told[1:-1]]
    objects = call("predict", folder / "table", tmp_path / "a.jsonl").out.splitlines()
    of_json = [json.loads(line) for line in objects]
    assert [{k: row[k] for k in ("more", "review", "id")} for row in of_csv] == rows
    assert [{k: r[k] for k in ("more", "review", "id")} for r in of_json] == rows
    assert of_json[0]["n"] == [1, None]
    for found in (of_csv, of_tsv, of_json):
        assert [row["id"] for row in found] == [row["id"] for row in rows]
        for row in found:
            label, probability = known[row["id"]]
            assert row["predicted"] == label
            assert float(row["probability"]) == pytest.approx(float(probability), abs=3e-6)


def test_tables_that_are_alike_are_answered_one_after_the_other(
    folder: Path, tmp_path: Path
) -> None:
    new = folder / "new.csv"
    once = call("predict", folder / "table", new).out
    both = call("predict", folder / "table", new, new).out
    assert both == once + once.split("\n", 1)[1]
    (tmp_path / "b.csv").write_text("review,id\n好,1\n", encoding="utf-8")
    ended = call("predict", folder / "table", new, tmp_path / "b.csv")
    assert ended.code == 2 and "has other columns than" in ended.err and ended.out == ""


def test_a_model_that_learnt_from_lines_answers_lines_and_tables(
    folder: Path, tmp_path: Path
) -> None:
    lines = "好，快\n\n差, 慢\n"
    (tmp_path / "new.txt").write_text(lines, encoding="utf-8")
    (tmp_path / "new.csv").write_text('id,text\n7,好，快\n8,"差, 慢"\n', encoding="utf-8")
    streamed = call("predict", folder / "lines", "-", stdin=lines.encode()).out
    assert streamed == call("predict", folder / "lines", tmp_path / "new.txt").out
    rows = rows_of(streamed)
    assert [row["text"] for row in rows] == ["好，快", "", "差, 慢"]  # a line for a line
    assert rows.pop(1) == {"text": "", "predicted": "", "probability": ""}
    of_table = rows_of(call("predict", folder / "lines", tmp_path / "new.csv").out)
    assert [row["id"] for row in of_table] == ["7", "8"]
    assert [row["predicted"] for row in rows] == [row["predicted"] for row in of_table]


def test_arrays_are_answered_with_where_they_stand(folder: Path, tmp_path: Path) -> None:
    x = np.random.default_rng(1).normal(size=(300, 4, 3))
    np.savez(tmp_path / "a.npz", x=x)
    ended = call("predict", folder / "arrays", tmp_path / "a.npz")
    rows = rows_of(ended.out)
    assert [row["where"] for row in rows] == [
        f"{tmp_path / 'a.npz'}, number {k}" for k in range(300)
    ]
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"id": k, "x": v.tolist()}) + "\n" for k, v in enumerate(x)),
        encoding="utf-8",
    )
    told = call("predict", folder / "arrays", tmp_path / "a.jsonl").out.splitlines()
    assert [json.loads(line)["predicted"] for line in told] == [row["predicted"] for row in rows]
    assert "reads images or arrays" in call("predict", folder / "arrays", "-", stdin=b"a").err


def test_who_sends_a_row_and_waits_gets_its_answer(folder: Path) -> None:
    command = [sys.executable, "-m", "elman", "predict", str(folder / "table"), "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin and process.stdout
        patience = threading.Timer(120, process.kill)  # else a fault would wait for ever
        patience.start()
        process.stdin.write("id,review\n1,好\n")
        process.stdin.flush()
        assert process.stdout.readline() == "id,review,predicted,probability\n"
        assert process.stdout.readline().startswith("1,好,")
        process.stdin.write('2,"快\n')  # half of a row
        process.stdin.flush()
        process.stdin.write('香"\n')
        process.stdin.flush()
        assert process.stdout.readline() == '2,"快\n'
        assert process.stdout.readline().startswith('香",')
        process.stdin.close()
        assert process.stdout.read() == "" and process.wait(60) == 0
        patience.cancel()


PEAK = """
import resource, sys
from elman.apps.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_a_stream_of_any_length_takes_the_same_memory(folder: Path) -> None:
    """A stream of 10,000 rows, 20 MB, may take 10 MB more than one of 600 rows."""

    def peak(rows: int) -> int:
        row = f"7,好,{'-' * 2000}\n".encode()
        ended = subprocess.run(
            [sys.executable, "-c", PEAK, "predict", str(folder / "table"), "-"],
            input=b"id,review,more\n" + row * rows, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=300, check=True,
        )  # fmt: skip
        return int(ended.stderr.split()[-1])  # KiB

    assert peak(10_000) - peak(600) < 10_000


# ---- What is wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"id,revue\n1,a\n", 'a line of names, "review" among them, where now stands: id, revue'),
        (b"id,review\n1,\n", 'line 2: "review" is empty; give --skip-bad-rows'),
        (b"id,review\n1\n", "line 2: 1 cell where there should be 2; give --skip-bad-rows"),
        (b"id,review,predicted\n1,a,b\n", 'has a column "predicted" already; rename it'),
        (b"id,review\n1,\xff\xfe\n", "byte 12: not UTF-8"),
        (b"id,review\n1,a\0b\n", "byte 13: a zero byte"),
        (b'id,review\n1,"open\n', "line 2: a quotation mark opens here"),
        (b"", "holds no rows"),
        (b"{\n", "line 1: not a JSON object on one line"),
        (b'{"review": "a"}\n{"review": {}}\n', 'line 2: "review" is neither a text nor a list'),
        (b'{"review": "a"}\n{"review": [1]}\n', "line 2: vectors, where the model reads texts"),
    ],
)
def test_what_is_wrong_in_a_stream_is_one_line(content: bytes, told: str, folder: Path) -> None:
    ended = call("predict", folder / "table", "-", stdin=content)
    assert ended.code == 2 and told in ended.err
    assert ended.err.startswith("elman: standard input") and ended.err.count("\n") == 1


def test_rows_that_are_wrong_are_left_out_and_told_where_that_was_asked(folder: Path) -> None:
    content = 'id,review\n1,好\n2,\n3\n4,"好"x\n5,快\n'.encode()
    ended = call("predict", folder / "table", "-", "--skip-bad-rows", stdin=content)
    assert ended.code == 0
    assert [row["id"] for row in rows_of(ended.out)] == ["1", "5"]
    lines = ended.err.splitlines()
    assert len(lines) == 4 and lines[-1] == "elman: 3 rows left out"
    assert {line.split("line ")[1][0] for line in lines[:3]} == {"3", "4", "5"}


def test_a_task_that_does_not_predict_says_so(trained: Path) -> None:
    ended = call("predict", trained / "run", trained / "text.txt")
    assert ended.code == 2 and "the task text does not predict" in ended.err
    assert "name DATA" in call("predict", trained / "run").err
