"""The folder of runs, as `elman train` fills it, and the files that were dropped on the page.

runs/
    hamlet/         a run
    .lab/           what the page keeps beside the runs
        files/      what was dropped
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from elman.run.folder import OPTIONS, PREPROCESSING

LONGEST_NAME = 100  # characters


@dataclass(frozen=True)
class Workspace:
    """`root` is the folder of runs, which need not exist yet."""

    root: Path

    @property
    def files(self) -> Path:
        """Where dropped files are kept."""
        return self.root / ".lab" / "files"

    def runs(self) -> list[Path]:
        """The folders of runs, the latest first."""
        if not self.root.is_dir():
            return []
        found = [p for p in self.root.iterdir() if p.name[:1] != "." and is_run(p)]
        return sorted(found, key=lambda path: -path.stat().st_mtime)

    def run(self, name: str) -> Path | None:
        """The run of that name; None where there is none."""
        if not name or name.startswith(".") or name != Path(name).name or "\0" in name:
            return None
        path = self.root / name
        return path if is_run(path) else None

    def free_file(self, name: str) -> Path:
        """A place for a dropped file that has this name, which is a stranger's."""
        base = re.split(r"[/\\]", name)[-1]
        plain = "".join(c for c in base if c.isprintable()).strip(". ") or "file"
        stem, dot, ending = plain.partition(".")
        stem, ending = stem[:LONGEST_NAME] or "file", (dot + ending)[-LONGEST_NAME:]
        path, number = self.files / (stem + ending), 2
        while path.exists():
            path, number = self.files / f"{stem}-{number}{ending}", number + 1
        return path

    def exported(self, name: str) -> Path:
        """Where the package of a run is made."""
        return self.root / ".lab" / "exports" / f"{name}.zip"


def is_run(path: Path) -> bool:
    """Whether a folder looks like a run."""
    try:
        return (path / OPTIONS).is_file() and (path / PREPROCESSING).is_file()
    except OSError:
        return False
