"""Processes that work on many runs side by side, each with its own threads."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from elman.errors import ElmanError, RunError, UserError

INTERRUPTED = 130  # how a process ends that was told to stop
LOOK = 0.5  # seconds between two looks at what is done
PATIENCE = 120.0  # seconds in which a process may keep where its run stands


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def working(
    module: str,
    arguments: Sequence[str],
    jobs: int,
    threads: int,
    log: Path,
    *,
    replaceable: bool = False,
) -> Iterator[Callable[[], bool]]:
    """So many processes of `python -m MODULE ARGUMENTS`, which `obey`; none outlives the block.

    Yields what tells whether they are at work: one of them lives, and none has met an error. At the
    end it raises what a process has met; what they say stands in `log` meanwhile. That one was
    killed is no error where they are `replaceable`: others do what it leaves.
    """
    with log.open("w+", encoding="utf-8") as errors:
        running = [_start(module, arguments, threads, errors) for _ in range(jobs)]
        try:
            yield lambda: _at_work(running, replaceable)
        finally:
            for process in running:
                assert process.stdin is not None
                process.stdin.close()
            for process in running:
                _end(process)
        errors.seek(0)
        lines = errors.read().strip().splitlines()
    codes = [process.returncode for process in running]
    if replaceable and 0 in codes:
        codes = [code for code in codes if code >= 0]
    _tell(codes, lines, log)
    log.unlink()


def obey(work: Callable[[], None]) -> int:
    """In such a process: work to the end, and the exit status.

    It stops, so that its run can be gone on with, when its standard input is closed: whoever
    started it has then ended. What is wrong is told in the last line of standard error.
    """
    threading.Thread(target=_stop_when_left, daemon=True).start()
    try:
        work()
    except ElmanError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _stop_when_left() -> None:
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGINT)


def _start(
    module: str, arguments: Sequence[str], threads: int, errors: IO[str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        process_group=0,  # Ctrl-C is for us; our workers see that their input ends
    )


def _at_work(running: Sequence[subprocess.Popen[bytes]], replaceable: bool) -> bool:
    ends = [process.poll() for process in running]
    errors = [end for end in ends if end and (end > 0 or not replaceable)]
    return None in ends and not errors


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
