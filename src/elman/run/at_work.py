"""Which process trains a run at this moment: it holds a lock in the run's folder, which ends with
it.

    # RUN/checkpoint/process.json
    {"process": 4711, "stops": true}

The lock says that somebody is at work, not the file: that of a process which was killed stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from elman.errors import UserError
from elman.run import files

try:
    import fcntl
except ImportError:  # Windows: nothing is known of others there
    fcntl = None  # type: ignore[assignment]

PROCESS = "checkpoint/process.json"
PATIENCE, PAUSE = 1.0, 0.02  # seconds; whoever looks has the lock for a moment


@dataclass(frozen=True)
class Worker:
    """Who trains a run. `process` is its number, 0 where that is not known; `stops` says that it is
    one of ours which ends at a SIGINT as at Ctrl-C, its state kept."""

    process: int
    stops: bool


@contextlib.contextmanager
def alone(run: Path) -> Iterator[None]:
    """Train a run within this block. UserError: another process does, or it is not writable."""
    path = run / PROCESS
    with files.writing(path):
        path.parent.mkdir(exist_ok=True)
        file = _ours(path, time.monotonic() + PATIENCE)
    if file is None:
        raise _busy(run, worker(run))
    with file:
        # Python hands signals to the first thread alone.
        stops = threading.current_thread() is threading.main_thread()
        with files.writing(path):
            file.truncate(0)
            json.dump({"process": os.getpid(), "stops": stops}, file)
            file.flush()
        try:
            yield
        finally:
            if _is_at(path, file):
                path.unlink()


def check_idle(run: Path) -> None:
    """UserError: a process trains this run, whose folder is to be replaced."""
    if (of := worker(run)) is not None:
        raise _busy(run, of)


def worker(run: Path) -> Worker | None:
    """Who trains a run at this moment; None where nobody does, or none can be seen."""
    try:
        with (run / PROCESS).open("r", encoding="utf-8", errors="replace") as file:
            if fcntl is None or _locked(file):
                return None
            return _told(file)
    except OSError:
        return None


def stop(run: Path) -> bool:
    """Ask whoever trains a run to end as Ctrl-C does, its state kept; whether it was asked."""
    found = worker(run)
    if found is None or not found.stops:
        return False
    with contextlib.suppress(OSError):
        os.kill(found.process, signal.SIGINT)
        return True
    return False


def _busy(run: Path, of: Worker | None) -> UserError:
    told = f", by process {of.process}" if of is not None and of.process else ""
    return UserError(f"{run}: is training already{told}; wait for its end, or stop it")


def _ours(path: Path, until: float) -> IO[str] | None:
    """The file, locked by us until it is closed; None where it is another's at that time."""
    while True:
        file = path.open("a+", encoding="utf-8")
        if not _locked(file):
            if time.monotonic() >= until:
                file.close()
                return None
            time.sleep(PAUSE)
        elif _is_at(path, file):
            return file
        file.close()  # its last owner has just removed it


def _locked(file: IO[str]) -> bool:
    """Whether the file is locked by us now."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _is_at(path: Path, file: IO[str]) -> bool:
    """Whether an open file is the one that lies there now."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _told(file: IO[str]) -> Worker:
    """What the file says, which may come from a stranger, as far as it is true."""
    try:
        kept: Any = json.loads(file.read(1000))
        process, stops = kept["process"], kept["stops"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return Worker(0, stops=False)
    if type(process) is not int or not 0 < process < 2**31:
        return Worker(0, stops=False)
    return Worker(process, stops is True and _has_open(process, file))


def _has_open(process: int, file: IO[str]) -> bool:
    """Whether this process, on this machine and one of ours, has that very file open."""
    try:
        return any(_is_at(number, file) for number in Path(f"/proc/{process}/fd").iterdir())
    except OSError:
        return False
