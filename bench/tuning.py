"""What `elman tune` finds on four data sets, and what a second worker brings.

    python bench/tuning.py FOLDER --minutes 10 [--files DATA] [--only NAME…] [--jobs 1]
    python bench/tuning.py FOLDER --workers [--trials 12] [--epochs 3]

The first searches on a text, a table of texts, curves and a series, each for so many minutes, as a
new user would, and writes FOLDER/tuning.md: default and best settings on the same fresh seeds, for
the same minutes. What has ended is not done again; a search that was interrupted is gone on with.
The second times one worker and two for equally many trials of the built-in text, on two quiet
cores, a thread each, and writes FOLDER/workers.md: seconds since the command was given, the start
of all processes included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from elman.tune.study import read
from elman.wording import readable


@dataclass(frozen=True)
class Row:
    """One data set: `data` lies below the folder that --files names; `named` is used without it."""

    name: str
    task: str
    data: str
    named: str
    options: tuple[str, ...] = ()


ROWS = (
    Row("Hamlet", "text", "text/hamlet.txt.gz", "name:hamlet"),
    Row("waimai, reviews", "classify", "sentiment/waimai_10k.csv.gz", "name:unicode"),
    Row("ArrowHead, curves", "classify", "curves/ArrowHead-train.jsonl.gz", "name:digits"),
    Row("daily temperatures", "forecast", "series/daily-min-temperatures.csv.gz", "name:sunspots"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--files", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--workers", action="store_true")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=3)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.workers:
        _workers(asked.folder, asked.trials, asked.epochs)
        return
    for row in ROWS:
        if not asked.only or any(row.name.startswith(name) for name in asked.only):
            _search(asked.folder, row, asked.files, asked.minutes, asked.jobs)
    _table(asked.folder)


def _search(folder: Path, row: Row, files: Path | None, minutes: float, jobs: int) -> None:
    kept = folder / f"{_short(row)}.json"
    if kept.exists():
        return
    data = row.named if files is None else str(files / row.data)
    began = time.perf_counter()
    record = _tune(
        row.task, data, "--minutes", f"{minutes:g}", "--jobs", str(jobs), "--threads", "1",
        "--run", str(folder / _short(row)), *row.options,
    )  # fmt: skip
    record |= {"wall": time.perf_counter() - began, "promised": 60 * minutes}
    kept.write_text(json.dumps(record, indent=1), encoding="utf-8")


def _tune(*words: str) -> dict[str, Any]:
    """A search in a process of its own: what it says with --json."""
    done = subprocess.run(
        [sys.executable, "-m", "elman", "tune", *words, "--json"], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _short(row: Row) -> str:
    return row.name.split(",")[0].split()[0].lower()


def _table(folder: Path) -> None:
    lines = [
        "| data | score | default | best setting | minus default, 95 % | chosen rival | trials"
        " | each | wall |",
        "|---" * 9 + "|",
    ]
    for row in ROWS:
        path = folder / f"{_short(row)}.json"
        if path.exists():
            lines.append(_line(row, json.loads(path.read_text(encoding="utf-8"))))
    (folder / "tuning.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _line(row: Row, record: dict[str, Any]) -> str:
    sign = -1 if record["more_is_better"] else 1
    default, *others = (one for one in record["settings"] if one["by_seed"])
    best = min(others, key=lambda one: sign * _mean(one), default=default)
    d = best["difference"]
    gain = ""
    if d is not None:
        gain = f"{d['mean']:+.4f}"
        if d["low_together"] is not None:
            gain += f" ({d['low_together']:+.4f} to {d['high_together']:+.4f})"
    rival = next(iter(record["rivals"].values()), {}).get(record["score"])
    ended = ", ".join(f"{count} {state}" for state, count in record["trials"].items())
    told = "" if rival is None else readable(rival)
    scores = f"{readable(_mean(default))} | {readable(_mean(best))}"
    return (
        f"| {row.name} | {record['score']} | {scores} | {gain} | {told} | {ended} | "
        f"{60 * record['minutes']:.0f} s | {record['wall']:.0f} of {record['promised']:.0f} s |"
    )


def _mean(setting: dict[str, Any]) -> float:
    values = list(setting["by_seed"].values())
    return float(sum(values) / len(values))


@dataclass(frozen=True)
class Worked:
    """A search by so many workers of one thread each."""

    load: float  # of the machine in the minute before
    wall: float  # seconds of the whole command, fresh seeds included
    ended: tuple[tuple[float, float], ...]  # trials: seconds since the command was given, nats

    @property
    def best(self) -> float:
        return min(nats for _, nats in self.ended)

    @property
    def seconds(self) -> float:
        """Until the last trial had ended, fresh seeds left out."""
        return max(seconds for seconds, _ in self.ended)

    def reached(self, nats: float) -> float:
        """Seconds until a trial was as good as that."""
        return min(seconds for seconds, own in self.ended if own <= nats)


def _workers(folder: Path, trials: int, epochs: int) -> None:
    """The same search by one process and by two: as many trials, of as many epochs.

    What trial k tries follows from k alone for the first eight, and from the trials that have ended
    after that, so that two workers go another way then: their best is told beside the other.
    """
    one, two = (_worked(folder / f"workers-{jobs}", trials, epochs, jobs) for jobs in (1, 2))
    both = max(one.best, two.best)
    lines = [
        "| workers | load before | wall, s | all trials, s | best, nats | as good as both, s |",
        "|---" * 6 + "|",
        *(
            f"| {jobs} | {w.load:.1f} | {w.wall:.0f} | {w.seconds:.0f} | {w.best:.4f} | "
            f"{w.reached(both):.0f} |"
            for jobs, w in ((1, one), (2, two))
        ),
        f"\nTwo workers took {two.wall / one.wall:.1%} of the wall time of one, all trials "
        f"{two.seconds / one.seconds:.1%}; to be as good as both "
        f"{two.reached(both) / one.reached(both):.1%}.",
    ]
    (folder / "workers.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _worked(study: Path, trials: int, epochs: int, jobs: int) -> Worked:
    load, began = os.getloadavg()[0], datetime.now()
    _tune(
        "text", "--epochs", str(epochs), "--hidden-size", "64", "--sample", "0",
        "--threads", "1", "--pruner", "none", "--search", "cell=lstm|gru", "--num-layers", "1",
        "--seeds", "1", "--trials", str(trials), "--minutes", "600", "--jobs", str(jobs),
        "--run", str(study),
    )  # fmt: skip
    wall = (datetime.now() - began).total_seconds()
    return Worked(
        load, wall,
        tuple(
            ((one.datetime_complete - began).total_seconds(), one.value)
            for one in read(study).study.get_trials(deepcopy=False)
            if one.datetime_complete and one.value is not None
        ),
    )  # fmt: skip


if __name__ == "__main__":
    main()
