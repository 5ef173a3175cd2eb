"""Training on standard input is training on a file of the same bytes, now and when gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from calling import call, snapshot
from jobs import final

from elman.data import source
from elman.tasks import naming

SMALL = ("--hidden-size", "3", "--threads", "1", "--batch-size", "8", "--sample", "0")
ROWS: dict[str, tuple[str, ...]] = {
    "classify": (
        "text,label\n",
        *(f"a {'good' if k % 2 else 'bad'} film of {k},{'yn'[k % 2]}\n" for k in range(40)),
    ),
    "tag": tuple(f"in O\nRome{k} B-P\nit O\nrained{k % 3} O\n\n" for k in range(40)),
    "regress": (
        "sequence,x,y\n",
        *(f"{k // 8},{k % 7},{(k % 7) * 2 + k // 8}\n" for k in range(160)),
    ),
    "forecast": (
        "ds,y\n",
        *(f"2020-{k // 28 + 1:02}-{k % 28 + 1:02},{k % 7}\n" for k in range(28)),
        *(f"2020-01-{k},{k % 7}\n" for k in (29, 30, 31)),
        *(f"2020-02-{k:02},{k % 7}\n" for k in range(1, 29)),
    ),
    "text": tuple(f"the cat {k % 7} saw the dog {k % 5}\n" for k in range(60)),
}
"""Data of each task, row by row."""
FLAGS: dict[str, tuple[str, ...]] = {
    "classify": ("--embedding", "2"),
    "tag": ("--embedding", "2", "--characters", "2"),
    "regress": ("--sequence-column", "sequence", "--target-columns", "y"),
    "forecast": ("--horizon", "2", "--look-back", "6", "--season", "7"),
    "text": ("--embedding", "2", "--sequence-length", "8"),
}
BAD: dict[str, str] = {
    "classify": "one cell alone\n",
    "tag": "Rome B-P too many\nit O\n\n",
    "regress": "99,much,1\n",
    "forecast": "2020-03-01,much\n",
}
"""A row, or a sentence, that cannot be read, to stand at the end."""


def data_of(task: str) -> bytes:
    return "".join(ROWS[task]).encode()


def train(task: str, item: str | Path, run: Path, *more: str, stdin: bytes = b"") -> str:
    """What the command said."""
    ended = call(
        "train", task, item, *SMALL, *FLAGS[task], "--run", run, "--epochs", "2", *more,
        stdin=stdin,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return ended.err


def test_every_task_is_tried() -> None:
    from elman import tasks

    assert set(ROWS) <= set(tasks.names())


@pytest.mark.parametrize("task", ROWS)
def test_it_gives_the_weights_of_the_file_and_can_be_resumed_and_scored(
    task: str, tmp_path: Path
) -> None:
    file, there, piped = tmp_path / "data", tmp_path / "there", tmp_path / "piped"
    file.write_bytes(data_of(task))
    train(task, file, there)
    train(task, "-", piped, stdin=data_of(task))
    for epochs in ("2", "3"):
        one, other = final(there), final(piped)
        assert one.keys() == other.keys()
        assert [name for name in one if not torch.equal(one[name], other[name])] == []
        scores = [call("evaluate", run, "--json") for run in (there, piped)]
        assert [ended.code for ended in scores] == [0, 0], scores[1].err
        shown = [json.loads(ended.out) for ended in scores]
        assert shown[0]["scores"] == shown[1]["scores"]
        if epochs == "2":
            piped = piped.rename(tmp_path / "moved")  # the copy goes with the run
            for run in (there, piped):
                assert call("resume", run, "--epochs", "3").code == 0


@pytest.mark.parametrize("task", BAD)
def test_bad_rows_are_counted_once_as_in_a_file(task: str, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(data_of(task) + BAD[task].encode())
    kept = train(task, file, tmp_path / "there", "--skip-bad-rows")
    piped = train(task, "-", tmp_path / "piped", "--skip-bad-rows", stdin=file.read_bytes())

    def left_out(said: str, name: str) -> list[str]:
        return [line.replace(name, "DATA") for line in said.splitlines() if "left out" in line]

    assert left_out(kept, str(file))
    assert left_out(kept, str(file)) == left_out(piped, "standard input")


@pytest.mark.parametrize("task", BAD)
def test_who_breaks_off_within_a_row_leaves_a_clear_line_and_nothing_else(
    task: str, tmp_path: Path
) -> None:
    before = snapshot(tmp_path)
    torn = data_of(task) + BAD[task].encode()
    ended = call("train", task, "-", *SMALL, *FLAGS[task], "--epochs", "1", stdin=torn)
    assert ended.code == 2
    assert ended.err.splitlines()[-1].removeprefix("elman: ").startswith("standard input, line ")
    assert snapshot(tmp_path) == before


def test_ctrl_c_while_it_is_read_leaves_nothing(tmp_path: Path) -> None:
    copies, here = tmp_path / "copies", tmp_path / "here"
    copies.mkdir()
    here.mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "elman", "train", "classify", "-", *SMALL], cwd=here,
        env={**os.environ, "TMPDIR": str(copies)}, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(data_of("classify"))
        process.stdin.flush()
        begun = time.monotonic()
        while not any(copies.iterdir()) and process.poll() is None:
            assert time.monotonic() - begun < 60
            time.sleep(0.02)
        assert any(copies.iterdir()), "it has not begun to read"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        assert process.wait(60) == 130 and "Traceback" not in said, said
    assert not any(copies.iterdir()) and not any(here.iterdir())


@pytest.mark.parametrize("order", [("-", "more.csv"), ("more.csv", "-")])
def test_it_keeps_its_place_among_files(order: tuple[str, str], tmp_path: Path) -> None:
    Path("more.csv").write_text("text,label\n" + "a third,n\nsome more,y\n" * 3)
    Path("first.csv").write_bytes(data_of("classify"))
    options = (*SMALL, *FLAGS["classify"], "--epochs", "1")
    files = [name.replace("-", "first.csv") for name in order]
    for run, items in (("there", files), ("piped", list(order))):
        ended = call("train", "classify", *items, *options, "--run", run, stdin=data_of("classify"))
        assert ended.code == 0, ended.err
    there, piped = final(Path("there")), final(Path("piped"))
    assert [name for name in there if not torch.equal(there[name], piped[name])] == []
    assert call("resume", "piped", "--epochs", "2").code == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_kept_too_and_forgotten_once_it_is_a_file(tmp_path: Path) -> None:
    pipe, run = tmp_path / "rows", tmp_path / "run"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data_of("classify"),), daemon=True)
    writer.start()
    train("classify", pipe, run)
    writer.join()
    assert [path.read_bytes() for path in run.glob("input-*")] == [data_of("classify")]
    pipe.unlink()
    assert call("resume", run, "--epochs", "3").code == 0
    pipe.write_bytes(data_of("classify"))
    source.resolve([str(pipe)])
    assert naming.stored([str(pipe)]) == ([str(pipe)], {})


def test_a_run_is_named_by_its_data() -> None:
    names = {"name:unicode": "unicode", "a/b.csv.gz": "b", "-": "stdin", ".csv": "classify"}
    for item, name in names.items():
        assert naming.stem([item], "classify") == name


@pytest.mark.parametrize(
    ("task", "flag"), [("classify", "validation-data"), ("forecast", "test-data")]
)
def test_it_can_be_data_alone(task: str, flag: str, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(data_of(task))
    ended = call("train", task, file, *SMALL, *FLAGS[task], f"--{flag}=-")
    assert ended.code == 2 and f"--{flag} -: needs a file" in ended.err


@pytest.mark.parametrize("task", ["classify", "regress"])
def test_a_line_is_answered_for_a_line_blank_ones_too(task: str, tmp_path: Path) -> None:
    draw = random.Random(5)
    if task == "classify":
        head = "text,label"
        rows = [f"{draw.choice(['good', 'bad'])} film,{k % 2}" for k in range(60)]
    else:
        head = "sequence,u,y"
        rows = [f"s{k // 10},{draw.random():.3f},{draw.random():.3f}" for k in range(80)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    how = ("--epochs", "1", "--hidden-size", "4", "--run", tmp_path / "run")
    assert call("train", task, path, *how).code == 0
    sent = [head, "", *rows[:12], "", rows[12], "", ""]
    ended = call("predict", tmp_path / "run", "-", stdin=("\n".join(sent) + "\n").encode())
    assert ended.code == 0, ended.err
    answers = ended.out.split("\n")[:-1]
    assert [bool(line) for line in answers] == [bool(line) for line in sent]
