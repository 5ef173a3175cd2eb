"""A run's log told to a tracker, in a process of its own, as far as a checkpoint vouches for it.

A run that is resumed takes its steps since the last checkpoint once more. What has been told cannot
be taken back in every tracker, so that a report is told only when a checkpoint holds its step: then
no step is ever told twice. How far the log was told is noted before it is told.
"""

from __future__ import annotations

import importlib
import json
import math
import select
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from elman.run import files, folder
from elman.run.folder import METRICS, RunFolder, records
from elman.run.tracking.tracker import Outcome, Told, Tracker

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOOK_EVERY = 1.0  # seconds
OUTCOMES: Mapping[str, Outcome] = {"finished": "finished", "interrupted": "interrupted"}


def tell(name: str, run: Path) -> None:
    """Tell the tracker `name` of the run until standard input says how it ended, or closes."""
    own = run / "tracking"
    with _alone(own / f"{name}.lock"):
        state = own / f"{name}.json"
        told, known = _state(state)
        options = dict(_flat(RunFolder(run).options()))
        module = importlib.import_module(f"elman.run.tracking.{name}")
        tracker: Tracker = module.opened(Told(run, known, options))
        outcome: Outcome | None = None
        _keep(state, told, tracker.id)
        while outcome is None:
            outcome = _outcome()
            end = _vouched(run)
            if end > told:
                _keep(state, end, tracker.id)
                _tell(tracker, _between(run / METRICS, told, end))
                told = end
        finished = outcome == "finished"
        tracker.end(outcome, _scores(RunFolder(run)) if finished else {})


def _outcome() -> Outcome | None:
    """What standard input says, waited for a moment; failed where it closes without a word."""
    ready, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY)
    return OUTCOMES.get(sys.stdin.readline().strip(), "failed") if ready else None


def _vouched(run: Path) -> int:
    """How many bytes of the log the checkpoint holds."""
    try:
        with safe_open(run / folder.CHECKPOINT, framework="numpy") as file:
            return int(json.loads((file.metadata() or {})["elman"])["metrics_bytes"])
    except (OSError, SafetensorError, KeyError, ValueError):
        return 0


def _between(log: Path, start: int, end: int) -> list[dict[str, Any]]:
    with log.open("rb") as file:
        file.seek(start)
        return records(file.read(end - start).decode("utf-8", errors="replace"))


def _tell(tracker: Tracker, new: list[dict[str, Any]]) -> None:
    last = max((record["seconds"] for record in new), default=0.0)
    now = time.time()
    for record in new:
        tracker.note(record["step"], now - (last - record["seconds"]), _values(record))
    tracker.flush()


def _values(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a report, named `train/loss`, `validation/accuracy`, `inside/…`."""
    split = record["split"]
    names = {"train": ("loss", "learning_rate", "gradient_norm", "units_per_second", "epoch")}
    found = {f"{split}/{name}": record.get(name) for name in names.get(split, ("loss",))}
    found |= {f"{split}/{name}": value for name, value in record.get("scores", {}).items()}
    found |= {f"inside/{name}": value for name, value in record.get("inside", {}).items()}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def _scores(run: RunFolder) -> dict[str, float]:
    """The final scores; there are none without anything to score."""
    return {f"final/{name}": value for name, value in run.verdict().scores.items()}


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Options as plain values, `train.seed`; a list as its text."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            plain = isinstance(value, str | int | float | bool)
            yield f"{before}{name}", value if plain else ",".join(map(str, value))


def _state(path: Path) -> tuple[int, str]:
    """How far was told, and the run's name in the tracker."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return int(kept["told"]), str(kept["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""


def _keep(path: Path, told: int, known: str) -> None:
    files.replace(path, json.dumps({"told": told, "id": known}))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Waits for the process of a training that was killed to have told the rest."""
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> None:
    """`python -m elman.run.tracking.telling NAME RUN`; the last line of what it says is why."""
    try:
        tell(sys.argv[1], Path(sys.argv[2]))
    except Exception as error:  # a tracker may raise anything
        traceback.print_exc()
        told = " ".join(str(error).split()) or "no reason given"
        print(f"{type(error).__name__}: {told}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
