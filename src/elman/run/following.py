"""metrics.jsonl followed while it grows: each time only what came since the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elman.run.folder import METRICS, RunFolder, records

AT_ONCE = 1 << 22  # bytes


@dataclass
class Follower:
    """The records of a run's metrics.jsonl, whole lines only, as `RunFolder.metrics` takes them."""

    folder: RunFolder
    at: int = 0  # byte
    step: int = 0  # of the last record

    def new(self) -> tuple[list[dict[str, Any]], bool]:
        """What came since the last call, and whether it takes the place of all before: a run that
        went on from its checkpoint has cut its file to what it held then."""
        found, anew = self._read(), False
        size = self._size()
        if size < self.at or (found and found[0]["step"] < self.step):
            self.at, anew = 0, True
            found = self._read()
        if found:
            self.step = found[-1]["step"]
        elif anew:
            self.step = 0
        return found, anew

    def _size(self) -> int:
        path = self.folder.path / METRICS
        return path.stat().st_size if path.is_file() else 0

    def _read(self) -> list[dict[str, Any]]:
        path = self.folder.path / METRICS
        if not path.is_file():
            return []
        with path.open("rb") as file:
            file.seek(self.at)
            block = file.read(AT_ONCE)
        end = block.rfind(b"\n") + 1
        self.at += end
        return records(block[:end].decode("utf-8", errors="replace"))
