"""Trainings begun from the page: ordinary runs of `elman train` and `elman resume`, each in a
process of its own that neither a closed tab nor the end of this server touches.

    runs/.lab/trainings/hamlet/
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from elman.apps.lab.workspace import Workspace
from elman.errors import UserError
from elman.run import folder
from elman.serve.options import TOKEN

TOLD, PID = "told.txt", "pid"
LONGEST_TOLD = 100_000  # bytes from its end


@dataclass
class Trainings:
    """The trainings of a workspace."""

    workspace: Workspace
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def train(self, task: str, data: Sequence[str], options: Mapping[str, str], name: str) -> str:
        """Begin a run on data with options of the command line, and give the name it got."""
        run = folder.free_name(name, self.workspace.root)
        number = 2
        while self._place(run.name).exists() and self.is_running(run.name):
            run = folder.free_name(f"{name}-{number}", self.workspace.root)
            number += 1
        flags = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        self._begin(run.name, ["train", task, *data, "--run", str(run), *flags])
        return run.name

    def resume(
        self, name: str, *, learning_rate: float | None = None, minutes: float | None = None,
        epochs: int | None = None,
    ) -> None:  # fmt: skip
        """Go on with a run. UserError where it is training already."""
        told = {"learning-rate": learning_rate, "minutes": minutes, "epochs": epochs}
        flags = [f"--{key}={value}" for key, value in told.items() if value is not None]
        self._begin(name, ["resume", str(self.workspace.root / name), *flags])

    def stop(self, name: str) -> None:
        """Ask a training to end as Ctrl-C does: it keeps its state first."""
        if self.is_running(name):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self._place(name) / PID).read_text()), signal.SIGINT)

    def is_running(self, name: str) -> bool:
        """Whether a process that was begun from a page trains this run."""
        for child in self._children:
            child.poll()  # one that has ended is let go
        self._children = [child for child in self._children if child.returncode is None]
        try:
            with (self._place(name) / TOLD).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def is_known(self, name: str) -> bool:
        """Whether this run was begun, or gone on with, from a page."""
        return bool(name) and name == Path(name).name and (self._place(name) / TOLD).is_file()

    def told(self, name: str) -> list[str]:
        """What the process of a run has said, line by line."""
        try:
            with (self._place(name) / TOLD).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST_TOLD))
                return file.read().decode(errors="replace").split("\n")
        except OSError:
            return []

    def _place(self, name: str) -> Path:
        return self.workspace.root / ".lab" / "trainings" / name

    def _begin(self, name: str, command: Sequence[str]) -> None:
        place = self._place(name)
        with folder.writing(place):
            place.mkdir(parents=True, exist_ok=True)
            with (place / TOLD).open("ab") as told:
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
            folder.replace(place / PID, str(child.pid))
        self._children.append(child)
