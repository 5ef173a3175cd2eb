"""The command line, asked in a process of its own: so the page says what a terminal would, and what
a hostile file does to memory it does there."""

from __future__ import annotations

import os
import subprocess
import sys

from elman.errors import RunError, UserError

LONGEST = 10_000_000  # characters of an answer


def ask(*command: str) -> str:
    """What `elman COMMAND...` prints. UserError with the one line in which it refuses."""
    ended = subprocess.run(
        [sys.executable, "-m", "elman", *command], stdin=subprocess.DEVNULL, capture_output=True,
        text=True, errors="replace", env=os.environ | {"COLUMNS": "10000"}, check=False,
    )  # fmt: skip
    if ended.returncode == 0:
        return ended.stdout[:LONGEST]
    lines = [line for line in ended.stderr.splitlines() if line.strip()] or [""]
    line = lines[-1].removeprefix("elman: ")
    raise UserError(line) if ended.returncode == UserError.exit_code else RunError(line)
