"""Processes that work on a comparison side by side, each with its own threads."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from elman.comparison import work
from elman.comparison.place import Comparison, Planned
from elman.comparison.work import Say
from elman.errors import RunError, UserError

INTERRUPTED = 130  # how a process ends that was told to stop
LOOK = 0.5  # seconds between two looks at what is done
PATIENCE = 120.0  # seconds in which a process may keep where its run stands


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def complete(comparison: Comparison, seeds: int, jobs: int, threads: int, say: Say) -> None:
    """`work.complete` by so many processes. Raises what it raises; none outlives the call."""
    log = comparison.path / "workers.log"
    left = [run for run in comparison.runs(seeds) if not run.done()]
    with log.open("w+", encoding="utf-8") as errors:
        running = [
            _start(comparison.path, seeds, threads, errors) for _ in range(min(jobs, len(left)))
        ]
        try:
            for run in _ended(left, running):
                say(work.told(run))
        finally:
            for process in running:
                assert process.stdin is not None
                process.stdin.close()
            for process in running:
                _end(process)
        errors.seek(0)
        lines = errors.read().strip().splitlines()
    _tell([process.returncode for process in running], lines, log)
    log.unlink()


def _start(path: Path, seeds: int, threads: int, errors: IO[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "elman.comparison.worker", str(path), str(seeds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        process_group=0,  # Ctrl-C is for us; our workers see that their input ends
    )


def _ended(
    left: Sequence[Planned], running: Sequence[subprocess.Popen[bytes]]
) -> Iterator[Planned]:
    """Each run when it has ended, until there is none, or a process has met an error."""
    waiting = list(left)
    while waiting:
        alive = any(process.poll() is None for process in running)
        for run in [run for run in waiting if run.done()]:
            waiting.remove(run)
            yield run
        if not alive or any(process.poll() for process in running):
            return
        time.sleep(LOOK)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tell(codes: Sequence[int], lines: Sequence[str], log: Path) -> None:
    """Raise what a process has met, if one has. What it says last is for the user."""
    if INTERRUPTED in codes:
        raise KeyboardInterrupt
    failed = [code for code in codes if code]
    if not failed:
        return
    if failed[0] == UserError.exit_code and lines:
        raise UserError(lines[-1])
    if failed[0] == RunError.exit_code and lines and not lines[0].startswith("Traceback"):
        raise RunError(lines[-1])
    raise RunError(f"a process ended with code {failed[0]}; see {log}")
