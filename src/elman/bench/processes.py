"""The processes that measure, and the neighbours that disturb them: none outlives its block."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from elman.bench.peers import BY_NAME
from elman.bench.work import Work

# Freed memory stays with each process, as where Elman's kernels are loaded: torch.nn trains a large
# LSTM a quarter faster so. Whoever sets one of these is obeyed.
KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20), "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
}  # fmt: skip
PATIENCE = 5.0  # seconds that a process gets to end by itself


class Refused(Exception):
    """A worker cannot do what it was asked; the text says why."""


class Made(NamedTuple):
    """Work that a worker holds ready."""

    number: int
    seconds: float  # one call, warmed up
    sample: list[list[float]]


class Worker:
    """A process of one peer with one number of threads. It works only within a call of these."""

    def __init__(self, peer: str, threads: int, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "elman.bench.worker", peer, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**KEPT_MEMORY, **environment, **BY_NAME[peer].environment},
            text=True,
            encoding="utf-8",
            process_group=0,  # Ctrl-C is for us; we end our workers
        )
        self._made = 0

    def make(self, work: Work) -> Made:
        """Prepare `work` and warm it up. Refused: it cannot be done."""
        answer = self._ask({"make": asdict(work)})
        self._made += 1
        return Made(self._made - 1, answer["seconds"], answer["sample"])

    def run(self, number: int, calls: int) -> float:
        """Seconds for one call of what was made."""
        return float(self._ask({"run": number, "calls": calls})["seconds"])

    def drop(self) -> None:
        """Free whatever was made."""
        self._ask({"drop": True})
        self._made = 0

    def end(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise Refused(f"its process ended with code {self._process.wait(PATIENCE)}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer


class Workers:
    """Workers of one number of threads, started when first asked for; a context."""

    def __init__(self, threads: int, environment: Mapping[str, str]) -> None:
        self._threads, self._environment = threads, environment
        self._running: dict[str, Worker] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._running.values():
            worker.end()

    def __getitem__(self, peer: str) -> Worker:
        if peer not in self._running:
            self._running[peer] = Worker(peer, self._threads, self._environment)
        return self._running[peer]

    def drop(self) -> None:
        """Let every worker free what it holds; one that has ended is forgotten."""
        for name, worker in list(self._running.items()):
            try:
                worker.drop()
            except Refused:
                worker.end()
                del self._running[name]


# A neighbour ends by itself should we be killed.
SPIN = """
import os, sys
parent = int(sys.argv[1])
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """`count` processes that spin."""
    spinning: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            command = [sys.executable, "-S", "-c", SPIN, str(os.getpid())]
            spinning.append(subprocess.Popen(command, process_group=0))
        yield
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait(PATIENCE)
