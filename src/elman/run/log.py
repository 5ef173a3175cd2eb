"""metrics.jsonl: one line a report, for the report, for plots, and for whoever watches a run."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from elman.run.files import writing
from elman.run.train import Progress


class Log:
    """Appends reports to a file: every validation, and of training a few hundred in all.

    Training is logged at once, then each second, then whenever the run has lasted half a percent
    longer. A number that is not finite is written as null, as JSON knows no other way.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = -math.inf

    def write(self, event: Progress) -> None:
        """Append the report if it is due. Raises RunError on a full disk."""
        due = event.seconds - self._last >= max(1.0, event.seconds / 200)
        if event.split == "train" and not due:
            return
        self._last = event.seconds
        finite = _finite(asdict(event))
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite, ensure_ascii=False) + "\n")


def _finite(values: Mapping[str, object]) -> dict[str, object]:
    return {
        key: _finite(value) if isinstance(value, dict)
        else None if isinstance(value, float) and not math.isfinite(value)
        else value
        for key, value in values.items()
    }  # fmt: skip
