"""What `elman tune` is asked for, beside the options of a task and of its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from elman import cells
from elman.errors import UserError
from elman.options import require_range
from elman.run.options import TrainOptions, by_own_name, check_refit, parse
from elman.tune.space import Axis, parsed

# Options of training that a search sets itself, so that they are no flags of `elman tune`.
SET = frozenset({"run", "force", "refit", "minutes"})


@dataclass(frozen=True)
class TuneOptions:
    """Options of a search.

    Parameters
    ----------
    run
        Folder of the search; a new one, studies/NAME of the data, if not given. That of a
        search for the same is joined while it is at work, and gone on with if it was interrupted.
    search
        What to vary, beside what is varied if nothing is said:
        hidden_size=64..512:log,dropout=0..0.6,cell=lstm|gru. An option that is given by its own
        flag is not varied.
    minutes
        Minutes of the whole search, the last comparison included. 30 if nothing is said; more for
        one that is there prolong it.
    trial_minutes
        Minutes of each trial; if not given, a part of all minutes.
    trials
        At most so many trials.
    seeds
        Fresh seeds on which the best two settings and the default run again in the end.
    jobs
        Runs side by side; as many as there are cores if not given.
    sampler
        What proposes settings: tpe, by what did well so far; or random.
    pruner
        Which trials end early: median, those that are worse than half of the others at the same
        share of their time; halving, all but the best quarter again and again; none.
    storage
        A database that several machines reach, postgresql://USER@HOST/NAME, or a file of SQLite,
        sqlite:///FILE. Without one the study lies in its folder.
    """

    run: Path | None = None
    search: str = ""
    minutes: float | None = None
    trial_minutes: float | None = None
    trials: int | None = None
    seeds: int = 3
    jobs: int | None = None
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["median", "halving", "none"] = "median"
    storage: str | None = None

    @property
    def seconds(self) -> float:
        """Those of the whole search."""
        return 60 * (30.0 if self.minutes is None else self.minutes)

    def __post_init__(self) -> None:
        require_range(self, ("minutes", "trial_minutes"), 0.1, 1_000_000)
        require_range(self, ("trials",), 1, 1_000_000)
        require_range(self, ("seeds",), 1, 1000)
        require_range(self, ("jobs",), 1, 1024)


@dataclass(frozen=True)
class Asked:
    """A whole request: what is varied, on which task, by which options; plain values."""

    task: str
    data: tuple[str, ...]
    values: Mapping[str, Any]  # options of the task and of its training, by their own names
    axes: tuple[Axis, ...]  # those that were asked for
    trial_minutes: float | None
    seeds: int
    sampler: str
    pruner: str

    def parsed(self, params: Mapping[str, Any]) -> tuple[Any, TrainOptions]:
        """The options of a run with these settings. UserError: they do not fit."""
        return parse(self.task, {**self.values, **params})


def asked(task: str, data: tuple[str, ...], values: Mapping[str, Any], how: TuneOptions) -> Asked:
    """A request, checked as far as it can be without a look at the data. Raises UserError."""
    own = by_own_name(task, {n: v for n, v in values.items() if v is not None})
    for name in sorted(own.keys() & SET):
        raise UserError(f"--{name}: of no use to a search")
    if "-" in data:
        raise UserError("tune: standard input can be read only once; name a file")
    axes = parsed(task, how.search)
    for axis in axes:
        if axis.name in own:
            flag = "--" + axis.name.replace("_", "-")
            raise UserError(f"{flag}: is what is searched for; leave it out of one of both")
    if "epochs" in own and how.trial_minutes is not None:
        raise UserError("--epochs and --trial-minutes exclude each other; give one")
    made = Asked(
        task, data, own, axes, how.trial_minutes, how.seeds, how.sampler, how.pruner
    )  # fmt: skip
    settled, training = made.parsed({})
    check_refit(settled, training)
    if not training.validation:
        raise UserError("--validation 0: a search needs something to score")
    for name in settled.cell:
        cells.get(name)
    return made
