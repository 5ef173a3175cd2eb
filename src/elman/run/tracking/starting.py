"""The processes that tell trackers of a run: started, asked whether they live, ended.

Whatever a tracker does, be it that it fails, hangs or crashes, training neither waits nor stops.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from elman.run.tracking.tracker import Outcome

if TYPE_CHECKING:
    from elman.run.train import Progress

PATIENCE = 60.0  # seconds that the end of a run waits for its trackers
LONGEST = 300  # characters of a reason


@contextlib.contextmanager
def tracking(run: Path, names: Sequence[str], say: Callable[[str], None]) -> Iterator[Asking]:
    """Trackers that are told of what happens within; what is yielded listens beside others."""
    asking = Asking([_Process(name, run) for name in names], say)
    outcome: Outcome = "failed"
    try:
        yield asking
        outcome = "finished"
    except KeyboardInterrupt:
        outcome = "interrupted"
        raise
    finally:
        asking.end(outcome)


class Asking:
    """Tells the user once of each tracker that has failed."""

    def __init__(self, processes: list[_Process], say: Callable[[str], None]) -> None:
        self._running = processes
        self._say = say

    def beside(self, listen: Callable[[Progress], None]) -> Callable[[Progress], None]:
        """A listener that asks after the trackers too."""

        def both(event: Progress) -> None:
            listen(event)
            self.ask()

        return both

    def ask(self) -> None:
        """Look whether all of them live."""
        for process in [p for p in self._running if p.popen.poll() is not None]:
            self._running.remove(process)
            process.close("failed")
            if process.popen.returncode != 0:
                self._say(
                    f"--track {process.name}: {process.reason()}; it is told nothing more, and "
                    "training goes on"
                )

    def end(self, outcome: Outcome) -> None:
        """Tell them how the run ended, and wait for what is still to be written."""
        for process in self._running:
            process.close(outcome)
        for process in self._running:
            try:
                process.popen.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._say(f"--track {process.name}: still at work; it ends by itself")
        self.ask()


class _Process:
    def __init__(self, name: str, run: Path) -> None:
        self.name = name
        self._said = run / "tracking" / f"{name}.log"
        self._said.parent.mkdir(exist_ok=True)
        with self._said.open("wb") as said:
            # -P: no file of the folder that the user stands in is taken for a package.
            self.popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "elman.run.tracking.telling", name, str(run)],
                stdin=subprocess.PIPE, stdout=said, stderr=said, start_new_session=True,
                env={**os.environ, "PYTHONUTF8": "1"},
            )  # fmt: skip

    def close(self, outcome: Outcome) -> None:
        """Say how the run ended; nothing if it was said, or if nobody is there to hear it."""
        assert self.popen.stdin is not None
        with contextlib.suppress(OSError):
            if not self.popen.stdin.closed:
                self.popen.stdin.write(f"{outcome}\n".encode())
        with contextlib.suppress(OSError):
            self.popen.stdin.close()

    def reason(self) -> str:
        """The last line that it said."""
        lines = self._said.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return last[:LONGEST] or f"ended with code {self.popen.returncode}"
