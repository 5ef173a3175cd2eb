"""Damaged inputs of every form, for every task, end well or in one line; `python fuzzing.py` tries
more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = 150 if os.environ.get("ELMAN_LONG") else 50


@pytest.mark.skipif(not hasattr(os, "fork"), reason="reads some files in a process of its own")
def test_whatever_is_given_works_or_is_told_in_one_line(tmp_path: Path) -> None:
    script = Path(__file__).with_name("fuzzing.py")
    ended = subprocess.run(
        [sys.executable, script, "--count", str(COUNT), "--seed", "7", "--models", "1"],
        capture_output=True, text=True, check=False, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    counts = {
        how: int(times)
        for times, how in (line.split(" ", 1) for line in ended.stdout.splitlines()[-2:])
    }
    assert set(counts) == {"works", "refused"} and sum(counts.values()) == COUNT
    assert min(counts.values()) > COUNT / 5
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith(("elman", "fuzzed"))]
    assert not left, "files of its own are left where temporary files lie"
