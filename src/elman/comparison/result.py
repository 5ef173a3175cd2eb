"""What a comparison came to: scores of each run, and each variant's difference from the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import mean, stdev
from typing import Any

from elman import metrics
from elman.comparison.place import Comparison, Planned
from elman.comparison.planning import Variant
from elman.comparison.sizes import NEAR
from elman.errors import UserError
from elman.metrics import Scores
from elman.run.many.differences import Difference, paired
from elman.wording import counted, readable


@dataclass(frozen=True)
class Ended:
    """How one run ended: its scores, or why there are none."""

    seed: int
    scores: Scores
    seconds: float
    epochs: int
    failure: str = ""


@dataclass(frozen=True)
class Row:
    """A variant, its runs that have ended, and its first score less that of the first variant."""

    variant: Variant
    runs: tuple[Ended, ...]
    difference: Difference | None = None

    def by_seed(self, score: str) -> dict[int, float]:
        return {run.seed: run.scores[score] for run in self.runs if score in run.scores}


@dataclass(frozen=True)
class Result:
    """The result of a comparison, as far as it has come."""

    comparison: Comparison
    score: str  # the one that decides, empty before any run has ended
    wanted: int  # runs in all
    rows: tuple[Row, ...]

    @property
    def ended(self) -> int:
        return sum(len(row.runs) for row in self.rows)

    @property
    def told(self) -> int:
        """How many differences are told together."""
        return len(self.rows) - 1


def gathered(comparison: Comparison, seeds: int) -> Result:
    """The result of the runs that have ended. UserError: a run folder is damaged."""
    planned = comparison.runs(seeds)
    found = {v.name: [_ended(run) for run in planned if run.variant is v and run.done()]
             for v in comparison.variants}  # fmt: skip
    scored = (run.scores for runs in found.values() for run in runs if run.scores)
    score = next((name for scores in scored for name in scores), "")
    rows = [Row(v, tuple(found[v.name])) for v in comparison.variants]
    first = rows[0].by_seed(score)
    others = [
        Row(row.variant, row.runs, paired(row.by_seed(score), first, len(rows) - 1))
        for row in rows[1:]
    ]
    return Result(comparison, score, len(planned), (rows[0], *others))


def _ended(run: Planned) -> Ended:
    if run.failure.exists():
        try:
            why = run.failure.read_text(encoding="utf-8", errors="replace")[:1000]
        except OSError as error:
            raise UserError(f"{run.failure}: {error.strerror or error}") from None
        return Ended(run.seed, {}, 0.0, 0, " ".join(why.split()) or "failed")
    record = run.scores()
    return Ended(run.seed, record["scores"], record["seconds"], record.get("epochs", 0))


def as_record(result: Result) -> dict[str, Any]:
    """The result as JSON's values: what comparison.json and `--json` hold."""
    comparison = result.comparison
    return {
        "task": comparison.asked.task,
        "data": list(comparison.asked.data),
        "compared": comparison.asked.question.name,
        "equal": comparison.asked.equal,
        "folder": str(comparison.path),
        "score": result.score,
        "more_is_better": result.score in metrics.HIGHER,
        "runs": result.wanted,
        "ended": result.ended,
        "interval": {
            "level": 0.95,
            "kind": "Student's, of paired differences over seeds",
            "together": f"Bonferroni, {result.told}",
        },
        "variants": [_row(row) for row in result.rows],
    }


def _row(row: Row) -> dict[str, Any]:
    v = row.variant
    return {
        "name": v.name,
        "hidden_size": v.options["hidden_size"],
        "weights": v.weights,
        "learning_rate": v.training["learning_rate"],
        "batch_size": v.training["batch_size"],
        "runs": [asdict(run) for run in row.runs],
        "difference": None if row.difference is None else asdict(row.difference),
    }


HEADS = ("units", "weights", "learning rate", "runs")


def table(result: Result) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of the one table."""
    name, first = result.score.replace("_", " ") or "score", result.rows[0].variant.name
    heads = (
        result.comparison.asked.question.name, *HEADS, name, f"minus {first}",
        "95 %, alone", f"95 %, all {result.told} together" if result.told > 1 else "95 %",
        "seconds",
    )  # fmt: skip
    rows = [_cells(row, result) for row in result.rows]
    if result.told == 1:  # alone and together are the same
        keep = [k for k in range(len(heads)) if k != len(heads) - 3]
        return tuple(heads[k] for k in keep), [tuple(row[k] for k in keep) for row in rows]
    return heads, rows


def _cells(row: Row, result: Result) -> tuple[str, ...]:
    v, values = row.variant, list(row.by_seed(result.score).values())
    d = row.difference
    failed = sum(bool(run.failure) for run in row.runs)
    runs = f"{len(row.runs)}" + (f", {failed} failed" if failed else "")
    seconds = [run.seconds for run in row.runs if not run.failure]
    return (
        v.name, v.units, f"{v.weights:,}", f"{v.training['learning_rate']:.3g}", runs,
        _spread(values),
        "" if d is None else f"{d.mean:+.4f}",
        "" if d is None else _between(d.low, d.high),
        "" if d is None else _between(d.low_together, d.high_together),
        f"{mean(seconds):.0f}" if seconds else "",
    )  # fmt: skip


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    if not all(map(math.isfinite, values)):
        return readable(mean(values))
    return readable(mean(values)) + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _between(low: float | None, high: float | None) -> str:
    return "not known" if low is None or high is None else f"{low:+.4f} to {high:+.4f}"


def notes(result: Result) -> list[str]:
    """What a reader of the table has to know."""
    asked, rows = result.comparison.asked, result.rows
    first = rows[0].variant
    lines = []
    if result.ended < result.wanted:
        lines.append(f"{result.ended} of {counted(result.wanted, 'run')} have ended.")
    lines += [f"{v.name}, seed {run.seed}: {run.failure}"
              for v, runs in ((row.variant, row.runs) for row in rows)
              for run in runs if run.failure]  # fmt: skip
    if asked.equal == "weights":
        worst = max(rows, key=lambda row: abs(row.variant.weights - first.weights)).variant
        off = worst.weights / first.weights - 1
        lines.append(
            f"Layers are as wide as bring the weights nearest to those of {first.name}; "
            f"at most {abs(off):.2%} off, {worst.name}."
        )
        if abs(off) > NEAR:
            lines.append(
                f"WARNING: {worst.name} has {off:+.1%} weights: layers of {worst.units} units are "
                "too narrow to come nearer; give a larger --hidden-size."
            )
    else:
        lines.append("Every run has the same minutes; layers are as they were asked for.")
    lines.append(_verdict(result))
    lines.append(
        "± is the standard deviation over seeds. Differences are paired: the same seed is the same "
        "data in the same order. Intervals are Student's; those together are widened by "
        "Bonferroni. They tell of the chance in training, not in what was scored."
    )
    return [line for line in lines if line]


def _verdict(result: Result) -> str:
    """Which variants differ from the first by more than chance could make them."""
    higher, first = result.score in metrics.HIGHER, result.rows[0].variant.name
    better, worse, open_ = list[str](), list[str](), list[str]()
    for row in result.rows[1:]:
        d = row.difference
        if d is None or not d.sure:
            open_.append(row.variant.name)
        else:
            (better if (d.mean > 0) == higher else worse).append(row.variant.name)
    parts = [
        f"{kind} than {first}: {', '.join(names)}"
        for kind, names in (("better", better), ("worse", worse))
        if names
    ]
    if open_:
        parts.append(f"not to be told from {first} by so few runs: {', '.join(open_)}")
    return f"With 95 %, all differences together, {'; '.join(parts)}." if result.score else ""
