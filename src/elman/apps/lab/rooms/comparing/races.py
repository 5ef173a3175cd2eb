"""Comparisons begun from the page: `elman compare` in processes of their own, found again by name.

runs/.lab/comparisons/text/         the comparison's folder, as the command makes it
runs/.lab/compared/text/            its process, and command.json, by which it is gone on with
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elman.apps.lab.processes import Processes
from elman.comparison import place
from elman.comparison.options import CompareOptions, asked
from elman.comparison.result import gathered, notes, table
from elman.errors import UserError
from elman.run import files, folder
from elman.tasks import naming

COMMAND = "command.json"


@dataclass(frozen=True)
class Seen:
    """A comparison as far as it has come; `heads` are empty before it is planned."""

    running: bool
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    told: Sequence[str]  # what its process said last
    refused: str = ""  # why it cannot be looked at


class Races:
    """Those of one folder of runs."""

    def __init__(self, root: Path) -> None:
        self._folder = root / ".lab" / "comparisons"
        self._processes = Processes(root / ".lab" / "compared")

    def names(self) -> list[str]:
        """The latest first."""
        found = self._processes.place.glob(f"*/{COMMAND}")
        return [p.parent.name for p in sorted(found, key=lambda path: -path.stat().st_mtime)]

    def begin(
        self, task: str, data: Sequence[str], values: Mapping[str, Any], how: Mapping[str, Any]
    ) -> str:
        """Begin a comparison by options of training, `values`, and of comparing, `how`; its name.

        UserError: what `elman compare` refuses.
        """
        asked(task, tuple(data), values, CompareOptions(**how))
        stem = naming.stem(data, task) if data else task
        name = folder.free_name(stem, self._processes.place).name
        command = ["compare", task, *data, "--run", str(self._folder / name)]
        for option, value in {**how, **values}.items():
            told = ",".join(value) if isinstance(value, tuple) else str(value)
            command.append(f"--{option.replace('_', '-')}={told}")
        with files.writing(self._processes.place):
            (self._processes.place / name).mkdir(parents=True)
            self._folder.mkdir(parents=True, exist_ok=True)
        record = {"command": command, "seeds": how["seeds"]}
        files.replace(self._processes.place / name / COMMAND, json.dumps(record))
        self._processes.begin(name, command)
        return name

    def go_on(self, name: str) -> None:
        """Bring one that was stopped to its end. UserError: it is running."""
        self._processes.begin(name, self._record(name)["command"])

    def stop(self, name: str) -> None:
        self._processes.stop(name)

    def look(self, name: str) -> Seen:
        """How far it has come. UserError: damaged."""
        running, told = self._processes.is_running(name), self._processes.told(name)
        path = self._folder / name
        said = [line for line in told if line.strip()][-8:]
        if not place.there(path):
            return Seen(running, (), (), (), said)
        result = gathered(place.read(path), int(self._record(name)["seeds"]))
        heads, rows = table(result)
        return Seen(running, heads, rows, notes(result), said)

    def _record(self, name: str) -> dict[str, Any]:
        path = self._processes.place / name / COMMAND
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if not all(isinstance(word, str) for word in record["command"]):
                raise TypeError("a command of other things than words")
            return {"command": record["command"], "seeds": int(record["seeds"])}
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(f"{path}: damaged; begin the comparison anew") from None
