"""Several processes train one run, started by the real torchrun."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from jobs import final, finish

from elman.run import checkpoint, prepare
from elman.run.api import silent
from elman.run.clock import Clock
from elman.run.options import parse

HERE = Path(__file__).parent
TEXT = {
    "hidden_size": 6, "sequence_length": 16, "epochs": 1, "sample": 0, "save_every": 0.0,
    "weight_drop": 0.0, "threads": 1,
}  # fmt: skip
STARTED = 240.0  # seconds, on a machine that is stopped now and then


def torchrun(processes: int, *arguments: object) -> subprocess.Popen[str]:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", processes, *arguments
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    return subprocess.Popen(
        [str(item) for item in command], stderr=subprocess.PIPE, text=True, env=environment
    )


def elman(processes: int, *arguments: object) -> subprocess.Popen[str]:
    """`--` because Python before 3.12 takes --run for one of torchrun's own options."""
    return torchrun(processes, "-m", "--", "elman", *arguments)


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """The exit code, and the lines that Elman has told."""
    _, told = process.communicate(timeout=STARTED)
    return process.returncode, [line for line in told.splitlines() if line.startswith("elman: ")]


def rank_of(pid: int) -> str | None:
    try:
        variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next((v[5:].decode() for v in variables if v.startswith(b"RANK=")), None)


def child(process: subprocess.Popen[str], rank: int) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return next(pid for pid in map(int, children) if rank_of(pid) == str(rank))


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + STARTED
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)


def test_processes_end_as_one_and_cut_off_as_if_they_were_not(text: Path, tmp_path: Path) -> None:
    print("drawn by", seed := random.randrange(2**32))
    draw = random.Random(seed)
    processes = draw.choice((2, 3))
    size = draw.randint(1, 7)  # of which some processes may have none
    by_sums = {"optimizer": "sgd", "learning_rate": 0.1, "precision": "float32", "dropout": 0.0}
    plain = TEXT | by_sums | {"batch_size": size}
    drawn = TEXT | {"batch_size": processes + 1, "dropout": 0.4}
    small = by_sums | {"hidden_size": 4, "epochs": 1, "sample": 0, "threads": 1}
    forecast = small | {"look_back": 8, "batch_size": draw.randint(20, 40)}
    music = small | {
        "head_size": 4, "sequence_length": 48, "weight_drop": 0.0,
        "batch_size": draw.randint(20, 40),
    }  # fmt: skip
    runs: list[dict[str, Any]] = [
        {"task": "text", "data": [str(text)], "name": "text", "options": plain},
        {"task": "forecast", "name": "forecast", "options": forecast},
        {"task": "music", "name": "music", "options": music},
        {"task": "text", "data": [str(text)], "name": "left", "options": drawn},
        {
            "task": "text", "data": [str(text)], "name": "cut", "options": drawn,
            "events": draw.randint(1, 2),
        },
    ]  # fmt: skip
    drawn["epochs"] = 3
    script = torchrun(processes, HERE / "ranks_at_work.py", tmp_path, json.dumps(runs))
    assert ended(script) == (0, [])
    for run in runs[:3]:
        task, name = run["task"], run["name"]
        own, how = parse(task, run["options"] | {"run": tmp_path / f"{name}-alone"})
        finish(prepare.new(task, run.get("data", []), own, how, Clock(None), silent))
        one, several = final(tmp_path / f"{name}-alone"), final(tmp_path / name)
        for key, weight in one.items():
            if key.startswith("model."):
                torch.testing.assert_close(several[key], weight, atol=1e-5, rtol=1e-4)
    left, cut = final(tmp_path / "left"), final(tmp_path / "cut")
    assert left.keys() == cut.keys() and checkpoint.ranks_in(left) == processes
    assert [key for key in left if not torch.equal(left[key], cut[key])] == []
    assert not torch.equal(left["random.cpu"], left["rank.1.random.cpu"])


def test_ctrl_c_ends_all_and_a_killed_process_is_named(text: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train = elman(
        2, "train", "text", text, "--hidden-size", 8, "--epochs", 100_000, "--sample", 0,
        "--save-every", 0, "--run", run,
    )  # fmt: skip
    wait_for(run / "checkpoint/state.safetensors", train)
    train.send_signal(signal.SIGINT)
    code, told = ended(train)
    again = f"torchrun --nproc-per-node 2 -m elman resume {run}"
    assert code and told == [f"elman: interrupted; go on with: {again}"]

    before = (run / "checkpoint/state.safetensors").stat().st_mtime_ns
    resume = elman(2, "resume", run)
    end = time.monotonic() + STARTED
    while (run / "checkpoint/state.safetensors").stat().st_mtime_ns == before:
        assert resume.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    killed = child(resume, draw := random.Random().randrange(2))
    os.kill(killed, signal.SIGKILL)
    code, told = ended(resume)
    assert code == 1 and len(told) == 1
    assert told[0].startswith(f"elman: rank {draw} (") and f", pid {killed})" in told[0]
    assert told[0].endswith(
        f"ended without a word; what the run has saved is kept, go on with: {again}"
    )
    checkpoint.read(run / "checkpoint/state.safetensors")  # whole


def test_processes_that_disagree_are_told_so_once_and_write_nothing(
    text: Path, tmp_path: Path
) -> None:
    """On an option, or on the data, that each may have by another path."""
    flag, told = "--hidden-size $((4 + RANK))", "has --hidden-size 5, and rank 0"
    if random.random() < 0.5:
        (tmp_path / "text.txt1").write_text(
            text.read_text()[:-4] + text.read_text()[-4:][::-1], encoding="utf-8"
        )
        (tmp_path / "text.txt0").write_text(text.read_text(), encoding="utf-8")
        text, flag, told = (
            tmp_path / "text.txt$RANK",
            "--hidden-size 4",
            "reads other data than the first process",
        )
    command = f"exec {sys.executable} -m elman train text {text} --run {tmp_path / 'run'} {flag}"
    code, lines = ended(torchrun(2, "--no-python", "sh", "-c", command))
    assert code and len(lines) == 1 and told in lines[0]
    assert not (tmp_path / "run").exists()
