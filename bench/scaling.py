"""Tokens a second that a text is trained on by one process of two threads, and by two of one.

    python bench/scaling.py          # about two minutes; a line of Markdown for each network

Each case is a whole `elman train`, of which the steps between the first report and the last count.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = (("lstm", 256), ("gru", 512), ("mingru", 512))
WAYS = ((1, 2), (2, 1))  # processes, threads of each
BATCH, STEPS, MINUTES = 32, 64, 0.32


def speed(folder: Path, cell: str, units: int, processes: int, threads: int) -> float:
    run = folder / f"{cell}-{units}-{processes}"
    command = [
        sys.executable, "-m", "elman", "train", "text", folder / "text.txt", "--cell", cell,
        "--hidden-size", units, "--batch-size", BATCH, "--sequence-length", STEPS, "--minutes",
        MINUTES, "--threads", threads, "--validation", 0, "--sample", 0, "--precision", "float32",
        "--run", run,
    ]  # fmt: skip
    together = {
        "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "localhost",
        "MASTER_PORT": free_port(),
    }  # fmt: skip
    started = []
    for rank in range(processes):  # as torchrun starts them
        own = {k: str(v) for k, v in (together | {"RANK": rank, "LOCAL_RANK": rank}).items()}
        words = [str(item) for item in command]
        started.append(subprocess.Popen(words, env=os.environ | own, stderr=subprocess.DEVNULL))
    assert [one.wait() for one in started] == [0] * processes
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    reports = [r for r in map(json.loads, lines) if r["split"] == "train"]
    first, last = reports[0], reports[-1]
    return float((last["units"] - first["units"]) / (last["seconds"] - first["seconds"]))


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, draw = Path(name), random.Random(0)
        letters = "etaoinshrdlu cmfwypvbgkqjxz"
        (folder / "text.txt").write_text("".join(draw.choices(letters, k=2_000_000)))
        print("| network | 1 × 2 threads | 2 × 1 thread | ratio |\n|---|---:|---:|---:|")
        for cell, units in CASES:
            one, two = (speed(folder, cell, units, *way) for way in WAYS)
            print(f"| {cell} of {units} | {one:,.0f} | {two:,.0f} | {two / one:.2f} |", flush=True)


if __name__ == "__main__":
    main()
