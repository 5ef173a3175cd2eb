"""Processes that encode segments of a text: python -P -m elman.data.texts.workers

Each is told the rule once, then one segment after the other, on standard input; it seals it and
answers with a line. It ends with whoever started it, as its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

from elman.data.texts.segments import Pieces, Rule, digest_of, seal
from elman.errors import RunError

LOOK = 0.2  # seconds between two looks at whether a worker has failed
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


class Job(NamedTuple):
    """A segment to be made: its text, where it is sealed, and how much of the data it is."""

    pieces: Pieces
    path: Path
    size: int  # bytes


class Workers:
    """So many processes that encode side by side; a context within which they live.

    `done` is called with every job that is done, in a thread of its own; `look` from time to time
    while `put` and `finish` wait. Not more jobs wait than there are processes. Both raise what went
    wrong: OSError where a file cannot be written, RunError where a process has ended.
    """

    def __init__(
        self, rule: Rule, count: int, done: Callable[[Job], object], look: Callable[[], object]
    ) -> None:
        self._rule = json.dumps(rule.to_json()).encode() + b"\n"
        self._done, self._look = done, look
        self._jobs: queue.Queue[Job | None] = queue.Queue(maxsize=count)
        self._failure: Exception | None = None
        self._closed = False
        self._processes = [_started() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._attend, args=(process,), daemon=True)
            for process in self._processes
        ]

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._closed = True
        for process in self._processes:
            process.kill()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            with contextlib.suppress(OSError), process:  # waits, and closes its pipes
                pass

    def put(self, job: Job) -> None:
        """One more segment; returns once there is room for it."""
        self._wait_to_put(job)

    def finish(self) -> None:
        """Returns when all are done."""
        for _ in self._threads:
            self._wait_to_put(None)
        for thread in self._threads:
            while thread.is_alive():
                thread.join(LOOK)
                self._look()
                self._raise()
        self._raise()

    def _wait_to_put(self, job: Job | None) -> None:
        while True:
            self._raise()
            self._look()
            with contextlib.suppress(queue.Full):
                self._jobs.put(job, timeout=LOOK)
                return

    def _next(self) -> Job | None:
        while self._failure is None and not self._closed:
            with contextlib.suppress(queue.Empty):
                return self._jobs.get(timeout=LOOK)
        return None

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _attend(self, process: subprocess.Popen[bytes]) -> None:
        """Hands jobs to one process, one at a time."""
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            _tell(process.stdin, self._rule)
            while (job := self._next()) is not None:
                _tell(process.stdin, *_packed(job))
                answer = json.loads(process.stdout.readline() or "null")
                if answer is None:
                    raise BrokenPipeError
                if "errno" in answer:
                    raise OSError(answer["errno"], answer["strerror"], str(job.path))
                self._done(job)
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.wait()
        except BrokenPipeError:
            if not self._closed:
                code = process.wait()
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                self._failure = RunError(
                    f"a process that encodes the text (pid {process.pid}) has ended {how}; run the "
                    "same again: it goes on where it stopped"
                )
        except Exception as error:
            self._failure = error


def can_start() -> bool:
    """Whether Python can be started once more from here."""
    return bool(sys.executable) and not getattr(sys, "frozen", False)


def _started() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", __name__]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | ONE_THREAD,
        start_new_session=True,  # Ctrl-C is for who started it, who stops it
    )  # fmt: skip


def _packed(job: Job) -> list[bytes]:
    pieces = [piece.encode(errors="surrogatepass") for piece in job.pieces]
    head = {"path": str(job.path), "lengths": list(map(len, pieces))}
    return [json.dumps(head).encode() + b"\n", *pieces]


def _tell(stream: IO[bytes], *parts: bytes) -> None:
    stream.write(b"".join(parts))
    stream.flush()


def main(told: IO[bytes], answers: IO[bytes]) -> None:
    """Seals segments until there are no more."""
    rule = Rule.from_json(json.loads(told.readline()))
    while line := told.readline():
        head = json.loads(line)
        data = [told.read(length) for length in head["lengths"]]
        if list(map(len, data)) != head["lengths"]:
            return  # whoever told it has ended
        pieces = [piece.decode(errors="surrogatepass") for piece in data]
        answer = {}
        try:
            seal(rule.segment(pieces), digest_of(pieces, rule), Path(head["path"]))
        except OSError as error:
            answer = {"errno": error.errno, "strerror": error.strerror}
        _tell(answers, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
