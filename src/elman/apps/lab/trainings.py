"""Trainings begun from the page, ordinary runs of `elman train` and `elman resume`; and those that
other programs have at work in the same folder, which the page follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from elman.apps.lab.processes import Processes
from elman.apps.lab.workspace import Workspace
from elman.errors import UserError
from elman.run import at_work, folder
from elman.run.at_work import Worker


@dataclass
class Trainings:
    """The trainings of a workspace, by the names of their runs."""

    workspace: Workspace
    _processes: Processes = field(init=False)

    def __post_init__(self) -> None:
        self._processes = Processes(self.workspace.root / ".lab" / "trainings")

    def train(self, task: str, data: Sequence[str], options: Mapping[str, str], name: str) -> str:
        """Begin a run on data with options of the command line, and give the name it got."""
        run = folder.free_name(name, self.workspace.root)
        number = 2
        while self.is_running(run.name):
            run = folder.free_name(f"{name}-{number}", self.workspace.root)
            number += 1
        flags = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        self._processes.begin(run.name, ["train", task, *data, "--run", str(run), *flags])
        return run.name

    def resume(
        self, name: str, *, learning_rate: float | None = None, minutes: float | None = None,
        epochs: int | None = None,
    ) -> None:  # fmt: skip
        """Go on with a run. UserError where it is training already."""
        if self.elsewhere(name) is not None:
            raise UserError(f"{name}: is training already")
        told = {"learning-rate": learning_rate, "minutes": minutes, "epochs": epochs}
        flags = [f"--{key}={value}" for key, value in told.items() if value is not None]
        self._processes.begin(name, ["resume", str(self.workspace.root / name), *flags])

    def stop(self, name: str) -> None:
        """Ask a training to end as Ctrl-C does: it keeps its state first. Nothing where it does not
        end so."""
        if self._processes.is_running(name):
            self._processes.stop(name)
        elif name:
            at_work.stop(self.workspace.root / name)

    def is_running(self, name: str) -> bool:
        """Whether any process trains this run."""
        return self._processes.is_running(name) or self.elsewhere(name) is not None

    def elsewhere(self, name: str) -> Worker | None:
        """The process that trains this run, where it was not begun from a page."""
        if not name or self._processes.is_running(name):
            return None
        return at_work.worker(self.workspace.root / name)

    def is_known(self, name: str) -> bool:
        """Whether this run was begun, or gone on with, from a page."""
        return self._processes.is_known(name)

    def told(self, name: str) -> list[str]:
        """What the process of a run has said, line by line."""
        return self._processes.told(name)
