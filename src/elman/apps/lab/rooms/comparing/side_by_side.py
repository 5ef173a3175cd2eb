"""Runs side by side: how they learnt, which options differ, their scores beside those of rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from elman.run.folder import RunFolder
from elman.run.verdict import Verdict

POINTS = 400  # of a curve at most
UNIMPORTANT = frozenset(
    {"run", "force", "threads", "save_every", "sample", "track"}
)  # for what is learnt

Points: TypeAlias = list[tuple[float, float]]


@dataclass(frozen=True)
class Looked:
    """A run as it is compared. Losses are nats, or what the task trains on, by step."""

    name: str
    task: str
    training: Points
    validation: Points
    options: Mapping[str, Any]
    verdict: Verdict
    sample: str  # the last that was made while it trained


def look(path: Path) -> Looked:
    """A run folder, read. UserError: it is none, or damaged."""
    folder = RunFolder(path)
    tables, records = folder.options(), folder.metrics()
    losses: dict[str, Points] = {"train": [], "validation": []}
    for record in records:
        if record["loss"] is not None:
            losses[record["split"]].append((record["step"], record["loss"]))
    task = tables["task"]
    own = tables.get(task)
    options = {
        name: value
        for table in (tables["train"], own if isinstance(own, dict) else {})
        for name, value in table.items()
        if name not in UNIMPORTANT
    }
    samples = [record["sample"] for record in records if record.get("sample")]
    return Looked(
        path.name, task, thinned(losses["train"]), thinned(losses["validation"]),
        {"data": tables.get("data", []), **options}, folder.verdict(), (samples or [""])[-1],
    )  # fmt: skip


def thinned(points: Points, most: int = POINTS) -> Points:
    """At most so many points, evenly spread, the last one among them."""
    every = -(-len(points) // most) or 1
    return points[::-1][::every][::-1]


def differing(runs: Sequence[Looked]) -> dict[str, list[str]]:
    """The options that are not the same in all runs, with the value of each; empty where a run has
    no such option."""
    names = dict.fromkeys(name for run in runs for name in run.options)
    told = {name: [_told(run.options.get(name)) for run in runs] for name in names}
    return {name: values for name, values in told.items() if len(set(values)) > 1}


def scores(runs: Sequence[Looked]) -> dict[str, list[float | None]]:
    """Each score of any run, with its value in each."""
    names = dict.fromkeys(name for run in runs for name in run.verdict.scores)
    return {name: [run.verdict.scores.get(name) for run in runs] for name in names}


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
