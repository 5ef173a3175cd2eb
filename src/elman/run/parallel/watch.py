"""Ranks that let one another know that they live.

A process that is killed closes its connections, which all others notice at once. A machine that
loses its power or its network closes nothing.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from elman.run.parallel.members import Store

EVERY = 5.0  # seconds between two beats
ENDED = b"ended"  # the last beat of a rank that has nothing more to do
SILENT = 9  # own beats in which another rank's is not heard


class Watch:
    """A thread that beats for this rank and listens: the first rank to all others, these to it.

    `lost` is called, in that thread, with the rank that is no longer heard. Silence is counted in
    own beats, so that nobody is lost where a whole machine sleeps for a while.
    """

    def __init__(
        self, store: Store, rank: int, size: int, lost: Callable[[int], None],
        every: float = EVERY,
    ) -> None:  # fmt: skip
        self._store, self._rank, self._lost, self._every = store, rank, lost, every
        self._others = range(1, size) if rank == 0 else range(1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        heard = dict.fromkeys(self._others, (b"", 0))  # what was heard last, and at which own beat
        beat = 0
        while not self._ended.wait(self._every):
            beat += 1
            try:
                self._store.set(f"beat/{self._rank}", str(beat))
                for other in self._others:
                    found = self._beat(other)
                    if found != heard[other][0] or found == ENDED:
                        heard[other] = found, beat
                    elif beat - heard[other][1] >= SILENT:
                        self._lost(other)
                        return
            except RuntimeError:  # the store, which lies on the first rank's machine
                self._lost(0)
                return
        with contextlib.suppress(RuntimeError):
            self._store.set(f"beat/{self._rank}", ENDED.decode())

    def _beat(self, other: int) -> bytes:
        key = f"beat/{other}"
        return self._store.get(key) if self._store.check([key]) else b""
