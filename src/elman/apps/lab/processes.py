"""Commands of Elman begun from the page, each in a process of its own that neither a closed tab nor
the end of this server touches.

    PLACE/hamlet/
        told.txt    what the process says: the doctor's lines, the plan, an error
        pid         its number

The process holds a lock on told.txt, its standard output, as long as it lives. So a server that was
started anew finds out what runs, and a number that went to another process is never signalled.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elman.errors import UserError
from elman.run import files
from elman.serve.options import TOKEN

TOLD, PID = "told.txt", "pid"
LONGEST_TOLD = 100_000  # bytes from its end


@dataclass
class Processes:
    """Those whose names are folders of `place`."""

    place: Path
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def begin(self, name: str, command: Sequence[str]) -> None:
        """Run `elman COMMAND`. UserError where that name is running already."""
        own = self.place / name
        with files.writing(own):
            own.mkdir(parents=True, exist_ok=True)
            with (own / TOLD).open("ab") as told:
                try:
                    fcntl.flock(told, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise UserError(f"{name}: is training already") from None
                told.truncate(0)
                environment = {k: v for k, v in os.environ.items() if k != TOKEN}
                child = subprocess.Popen(
                    [sys.executable, "-m", "elman", *command],
                    stdin=subprocess.DEVNULL, stdout=told, stderr=told, env=environment,
                    start_new_session=True,
                )  # fmt: skip
            files.replace(own / PID, str(child.pid))
        self._children.append(child)

    def stop(self, name: str) -> None:
        """Ask a process to end as Ctrl-C does: it keeps its state first."""
        if self.is_running(name):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self.place / name / PID).read_text()), signal.SIGINT)

    def is_running(self, name: str) -> bool:
        """Whether the process of that name lives."""
        for child in self._children:
            child.poll()  # one that has ended is let go
        self._children = [child for child in self._children if child.returncode is None]
        try:
            with (self.place / name / TOLD).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def is_known(self, name: str) -> bool:
        """Whether there is, or was, a process of that name."""
        try:
            return bool(name) and name == Path(name).name and (self.place / name / TOLD).is_file()
        except OSError:  # too long for a name
            return False

    def told(self, name: str) -> list[str]:
        """What the process of that name has said, line by line."""
        try:
            with (self.place / name / TOLD).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_TOLD))
                return file.read().decode(errors="replace").split("\n")
        except OSError:
            return []
