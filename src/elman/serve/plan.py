"""What is to be served, known before PyTorch is loaded: whoever watches over workers needs none."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from elman import tasks
from elman.errors import UserError, unknown_name
from elman.run.folder import RunFolder
from elman.serve.options import Limits, Listening

ENDS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Plan:
    """Runs by their names, and how they are served."""

    runs: dict[str, Path]
    device: str
    listening: Listening
    limits: Limits

    def told(self) -> list[str]:
        """Each model with its task. UserError: a folder that is no run."""
        return [f"{name} ({_task(path)})" for name, path in self.runs.items()]


def named(runs: Sequence[Path]) -> dict[str, Path]:
    """Run folders by the names that clients call them by. UserError: two of one name."""
    found: dict[str, Path] = {}
    for path in runs:
        name = path.resolve().name
        if name in found:
            told = "models are called by the names of their folders; rename one"
            raise UserError(f'{found[name]} and {path}: both are called "{name}"; {told}')
        found[name] = path
    return found


def _task(path: Path) -> str:
    task = str(RunFolder(path).options()["task"])
    if task not in tasks.names():
        raise unknown_name("task", task, tasks.names())
    return task
