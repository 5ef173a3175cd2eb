"""Several processes that answer at one address: begun, watched, replaced where one dies, ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from elman.errors import ElmanError, RunError
from elman.serve.plan import ENDS, Plan

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # where workers put their figures, read when it is imported
SPAWN = multiprocessing.get_context("spawn")  # a fork would copy locks of threads that it lacks
GRACE_S = 10.0  # beyond the time to drain, after which a worker is killed
PAUSE_S = 1.0  # before a worker takes the place of one that died


def supervise(plan: Plan, listener: socket.socket, ready: Callable[[], None]) -> None:
    """Keeps `plan.listening.workers` processes alive until SIGTERM or SIGINT.

    `ready` is called once all answer. RunError: one could not begin.
    """
    figures = tempfile.mkdtemp(prefix="elman-figures-")
    os.environ[SHARED] = figures
    stopped = threading.Event()
    for number in ENDS:
        signal.signal(number, lambda *_: stopped.set())
    workers = [_Worker(plan, listener) for _ in range(plan.listening.workers)]
    try:
        for worker in workers:
            worker.await_ready(stopped)
        if not stopped.is_set():
            ready()
        while not stopped.is_set():
            wait([worker.process.sentinel for worker in workers], timeout=0.2)
            for k, worker in enumerate(workers):
                if not worker.process.is_alive() and not stopped.wait(PAUSE_S):
                    told = f"worker {worker.process.pid} died ({worker.process.exitcode})"
                    print(f"elman: {told}; another one takes its place", file=sys.stderr)
                    workers[k] = _Worker(plan, listener)
    finally:
        _end(workers, plan.limits.drain_seconds + GRACE_S)
        shutil.rmtree(figures, ignore_errors=True)


def _end(workers: list[_Worker], seconds: float) -> None:
    for worker in workers:
        worker.process.terminate()
    until = time.monotonic() + seconds
    for worker in workers:
        worker.process.join(max(0.0, until - time.monotonic()))
        worker.process.kill()


class _Worker:
    """A process that answers, and what it says at its beginning."""

    def __init__(self, plan: Plan, listener: socket.socket) -> None:
        self._told, telling = SPAWN.Pipe(duplex=False)
        self.process: SpawnProcess = SPAWN.Process(target=_work, args=(plan, listener, telling))
        self.process.start()
        telling.close()

    def await_ready(self, stopped: threading.Event) -> None:
        """Returns once it answers, or the server is to end. RunError: it could not begin."""
        while not stopped.is_set():
            if self._told.poll(0.1):
                with contextlib.suppress(EOFError):
                    told = self._told.recv()
                    if not told:
                        return
                    raise RunError(told)
                raise RunError(f"a worker died before it answered ({self.process.exitcode})")


def _work(plan: Plan, listener: socket.socket, telling: Connection) -> None:
    # The process that watches over this one loads neither models nor PyTorch.
    import torch

    from elman.serve.server import serve

    torch.set_num_threads(max(1, torch.get_num_threads() // plan.listening.workers))
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        serve(plan, listener, lambda: telling.send(""))
    except ElmanError as error:
        telling.send(str(error))
        sys.exit(error.exit_code)
    sys.stderr.flush()
    # All is closed. Beside a thread that waits, Python's own end leaves objects of the kernels, of
    # which these would tell.
    os._exit(0)


def _follow_parent() -> None:
    """Ends this process when the one that began it is gone, however it ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
