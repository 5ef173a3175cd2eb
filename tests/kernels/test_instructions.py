"""Kernels take no more instructions than they did: times are too noisy for that where CI runs.

`make instructions` counts anew and writes the baseline, which holds for one compiler.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elman.kernels.native import extension, instruction_sets

FOLDER = Path(__file__).parent / "instructions"
BASELINE = FOLDER / "baseline.json"
CASES = ("lstm_training", "gru_forward", "token")
ISA = "avx2"  # valgrind knows no AVX-512
TOLERANCE = 0.01  # two counts of one build were the same; another Python starts otherwise


def count(case: str) -> int:
    """Instructions of a process that does `case`."""
    valgrind = (
        "valgrind",
        "--tool=cachegrind",
        "--cache-sim=no",
        "--cachegrind-out-file=/dev/null",
    )
    command = [
        *valgrind,
        sys.executable,
        "-S",
        FOLDER / "cases.py",
        extension().__file__,
        ISA,
        case,
    ]
    environment = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = re.search(r"I +refs: +([\d,]+)", done.stderr)
    assert done.returncode == 0 and found, done.stderr
    return int(found[1].replace(",", ""))


def counts() -> dict[str, int]:
    """What each case takes beyond the start of its process."""
    beginning, *found = map(count, ("nothing", *CASES))
    return {case: total - beginning for case, total in zip(CASES, found, strict=True)}


def test_kernels_take_no_more_instructions_than_before() -> None:
    if ISA not in instruction_sets():
        pytest.skip(f"the kernels of {ISA} do not run here")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    baseline = json.loads(BASELINE.read_text())
    compiler = extension().compiler
    if compiler != baseline["compiler"]:
        pytest.skip(f"counted for {baseline['compiler']}, this build is of {compiler}")
    for case, now in counts().items():
        before = baseline["counts"][case]
        assert now <= before * (1 + TOLERANCE), f"{case}: {now:,} instructions, {before:,} before"


if __name__ == "__main__":
    told = {"compiler": extension().compiler, "counts": counts()}
    BASELINE.write_text(json.dumps(told, indent=1) + "\n")
    print(told)
