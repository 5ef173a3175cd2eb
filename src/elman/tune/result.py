"""What a search came to: the best settings beside the default on fresh seeds, and what to run."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from elman import metrics
from elman.metrics import Scores
from elman.run.many.differences import Difference, paired
from elman.tune import again
from elman.tune.study import Search
from elman.wording import counted, readable

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


@dataclass(frozen=True)
class Row:
    """A setting that ran on fresh seeds, its scores there, and by how much they differ from those
    of the default on the same seeds."""

    trial: int
    params: Mapping[str, Any]
    value: float | None  # of the trial by which it was chosen
    by_seed: Mapping[int, float]
    runs: Mapping[int, str]  # their folders
    difference: Difference | None = None

    @property
    def mean(self) -> float:
        return mean(self.by_seed.values())


@dataclass(frozen=True)
class Result:
    """The result of a search, as far as it has come."""

    search: Search
    trials: Mapping[str, int]  # how many ended, and how
    rows: tuple[Row, ...]  # the default first; empty before the first has ended
    wanted: int  # runs on fresh seeds
    rivals: Mapping[str, Scores]  # of the first score, the chosen one first

    @property
    def ended(self) -> int:
        return sum(len(row.by_seed) for row in self.rows)

    @property
    def winner(self) -> Row | None:
        """The row with the best mean, of those with as many seeds as any."""
        most = max((len(row.by_seed) for row in self.rows), default=0)
        full = [row for row in self.rows if most and len(row.by_seed) == most]
        sign = -1 if self.search.higher else 1
        return min(full, key=lambda row: sign * row.mean, default=None)

    @property
    def run(self) -> str:
        """The folder of the winner's best run."""
        row, sign = self.winner, -1 if self.search.higher else 1
        if row is None:
            return ""
        return row.runs[min(row.by_seed, key=lambda seed: sign * row.by_seed[seed])]

    def command(self) -> str:
        """The command line that trains with the winner's settings."""
        return command(self.search, self.winner.params) if self.winner else ""


def gathered(search: Search) -> Result:
    """The result so far."""
    study = search.again()
    ended = [t for t in study.get_trials(deepcopy=False) if t.value is not None]
    trials: dict[str, int] = {}
    for trial in search.study.get_trials(deepcopy=False):
        name = trial.state.name.lower()
        trials[name] = trials.get(name, 0) + 1
    if again.CHOSEN not in study.user_attrs:
        return Result(search, trials, (), 0, {})
    planned = again.planned(search, study)
    rows = [_row(search, number, planned, ended) for number in study.user_attrs[again.CHOSEN]]
    default = rows[0].by_seed
    told = [
        Row(row.trial, row.params, row.value, row.by_seed, row.runs,
            paired(row.by_seed, default, len(rows) - 1))
        for row in rows[1:]
    ]  # fmt: skip
    rivals = next((t.user_attrs.get("rivals") for t in ended), None)
    return Result(search, trials, (rows[0], *told), len(planned), rivals or {})


def _row(
    search: Search, number: int, planned: Sequence[again.Again], ended: Sequence[FrozenTrial]
) -> Row:
    own = [
        (planned[t.number].seed, t)
        for t in ended
        if t.number < len(planned) and planned[t.number].candidate == number
    ]
    return Row(
        number,
        dict(again.params_of(search, number)),
        again.value_of(search, number),
        {seed: t.value for seed, t in own if t.value is not None},
        {seed: t.user_attrs["run"] for seed, t in own},
    )


def command(search: Search, params: Mapping[str, Any]) -> str:
    """`elman train` with these settings, for as long as a trial."""
    asked, words = search.asked, ["elman", "train", search.asked.task]
    words += [_from_here(item) for item in asked.data]
    values = {**asked.values, **params}
    if search.plan.minutes is not None:
        values["minutes"] = search.plan.minutes
    for name, value in values.items():
        flag = "--" + name.replace("_", "-")
        if value in ("true", "false") or isinstance(value, bool):
            words.append(f"{flag}={str(value).lower()}")
        else:
            words += [flag, told(value)]
    return shlex.join(words)


def told(value: Any) -> str:
    """A value as a flag takes it."""
    if isinstance(value, list | tuple):
        return ",".join(map(told, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _from_here(item: str) -> str:
    path = Path(item)
    if item.startswith("name:") or not path.is_relative_to(Path.cwd()):
        return item
    return str(path.relative_to(Path.cwd()))


def settings(params: Mapping[str, Any]) -> str:
    """Settings in a line."""
    return ", ".join(f"{name} {told(value)}" for name, value in params.items())


def as_record(result: Result) -> dict[str, Any]:
    """The result as JSON's values: what tuning.json and `--json` hold."""
    search = result.search
    return {
        "task": search.asked.task,
        "data": list(search.asked.data),
        "folder": str(search.path),
        "search": [axis.text() for axis in search.plan.axes],
        "minutes": search.plan.minutes,
        "score": search.plan.score,
        "more_is_better": search.higher,
        "trials": dict(result.trials),
        "runs": result.wanted,
        "ended": result.ended,
        "interval": {
            "level": 0.95,
            "kind": "Student's, of paired differences from the default over fresh seeds",
            "together": f"Bonferroni, {max(0, len(result.rows) - 1)}",
        },
        "settings": [_record(row) for row in result.rows],
        "rivals": dict(result.rivals),
        "verdict": verdict(result),
        "command": result.command(),
        "run": result.run,
    }


def _record(row: Row) -> dict[str, Any]:
    return {
        "trial": row.trial,
        "default": row.trial == 0,
        "params": dict(row.params),
        "value": row.value,
        "by_seed": {str(seed): value for seed, value in row.by_seed.items()},
        "runs": {str(seed): path for seed, path in row.runs.items()},
        "difference": None if row.difference is None else asdict(row.difference),
    }


def table(result: Result) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the one table."""
    score = result.search.plan.score.replace("_", " ")
    heads = ("setting", score, "minus default", "95 %", "seeds", "as a trial")
    rows = [_cells(row) for row in result.rows]
    for name, scores in result.rivals.items():
        value = scores.get(result.search.plan.score)
        if value is not None:
            rows.append((name, readable(value), "", "", "", ""))
    return heads, rows


def _cells(row: Row) -> tuple[str, ...]:
    values, d = list(row.by_seed.values()), row.difference
    spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return (
        "default" if row.trial == 0 else f"trial {row.trial}",
        readable(mean(values)) + spread if values else "",
        "" if d is None else f"{d.mean:+.4f}",
        "" if d is None else _between(d),
        str(len(values)),
        "" if row.value is None else readable(row.value),
    )


def _between(d: Difference) -> str:
    if d.low_together is None or d.high_together is None:
        return "not known"
    return f"{d.low_together:+.4f} to {d.high_together:+.4f}"


def verdict(result: Result) -> str:
    """Whether anything is gained over the default, in a sentence."""
    winner = result.winner
    if winner is None:
        return "No run on fresh seeds has ended; nothing is told."
    if len(result.rows) == 1:
        return "No other setting than the default came to its end; more minutes may find one."
    score = result.search.plan.score.replace("_", " ")
    seeds = counted(len(winner.by_seed), "fresh seed")
    if winner.trial == 0:
        return f"Nothing is gained: on {seeds} no setting is better than the default by {score}."
    d = winner.difference
    if d is None or not d.sure:
        return (
            f"Trial {winner.trial} is better than the default on {seeds}, but by no more than "
            "chance could make it."
        )
    return f"Trial {winner.trial} is better than the default by {score} on {seeds}, surely."


def notes(result: Result) -> list[str]:
    """What a reader of the table has to know."""
    search, count = result.search, result.trials
    lines = [verdict(result)]
    others = ", ".join(
        f"{count[name]} {said}"
        for name, said in (("pruned", "ended early"), ("fail", "came to nothing"),
                           ("running", "at work"))
        if count.get(name)
    )  # fmt: skip
    each = "" if search.plan.minutes is None else f", runs of {search.plan.minutes:g} minutes"
    lines.append(
        counted(sum(count.values()), "trial") + (f" ({others})" if others else "") + each
        + f". 95 %: Student's interval over the seeds, of {max(1, len(result.rows) - 1)} "
        "differences together; a trial's own score is flattered by the choice."
    )  # fmt: skip
    if result.ended < result.wanted:
        lines.append(f"{result.ended} of {result.wanted} runs on fresh seeds have ended.")
    for row in result.rows[1:]:
        lines.append(f"trial {row.trial}: {settings(row.params)}")
    if result.rows:
        lines.append(f"default: {settings(result.rows[0].params)}")
    if result.winner:
        lines += [f"run folder {result.run}", f"run: {result.command()}"]
    else:
        again_with = shlex.join(["elman", "tune", str(search.path)])
        lines.append(f"with more minutes it goes on: {again_with} --minutes …")
    return lines


def worse_than_rival(result: Result) -> str:
    """A warning where the simple rival beats what was found; empty where not."""
    if result.winner is None or not result.rivals:
        return ""
    name, scores = next(iter(result.rivals.items()))
    score = result.search.plan.score
    value, own = scores.get(score), result.winner.mean
    if value is None or metrics.better(score, own, value):
        return ""
    return f"WARNING: {name} is no worse: {readable(value)} against {readable(own)}"
