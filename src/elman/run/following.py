"""metrics.jsonl followed while it grows: each time only what came since the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from elman.run.folder import METRICS, RunFolder, records

AT_ONCE = 1 << 22  # bytes
TAIL = 200  # bytes by which a file is known to be the one that was read: times differ in them


@dataclass
class Follower:
    """The records of a run's metrics.jsonl, whole lines only, as `RunFolder.metrics` takes them."""

    folder: RunFolder
    at: int = 0  # byte
    tail: bytes = b""  # the last ones before it

    def new(self) -> tuple[list[dict[str, Any]], bool]:
        """What came since the last call, and whether it takes the place of all before: a run that
        went on from its checkpoint has cut its file to what it held then."""
        found = self._read()
        if found is not None:
            return found, False
        self.at, self.tail = 0, b""
        return self._read() or [], True

    def _read(self) -> list[dict[str, Any]] | None:
        """The next records; None where what was read before is no longer there."""
        path = self.folder.path / METRICS
        if not path.is_file():
            return None if self.at else []
        with path.open("rb") as file:
            file.seek(self.at - len(self.tail))
            if file.read(len(self.tail)) != self.tail:
                return None
            block = file.read(AT_ONCE)
        whole = block[: block.rfind(b"\n") + 1]
        self.at += len(whole)
        self.tail = (self.tail + whole)[-TAIL:]
        return records(whole.decode("utf-8", errors="replace"))
