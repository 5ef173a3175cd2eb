"""The folder of a comparison: what was asked and settled, a run folder for each run, the result.

plan.json            what was asked, and every variant with its settled options
runs/lstm-1          a run folder, as elman train makes it: of lstm, with seed 1
runs/lstm-1.failed   why that run came to nothing, if it did
comparison.json      scores of each run, differences and their intervals
comparison.md, .png  the same as one table and one picture
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elman import tasks
from elman.comparison.options import Asked, Question
from elman.comparison.planning import Variant
from elman.errors import UserError
from elman.options import make, plain, shown
from elman.run import files, folder
from elman.run.folder import RunFolder
from elman.run.options import TrainOptions

PLAN, RESULT, PAGE, PICTURE = "plan.json", "comparison.json", "comparison.md", "comparison.png"
RUNS = "runs"
MOST_BYTES = 1_000_000
MOST_VARIANTS = 1000


@dataclass(frozen=True)
class Planned:
    """One run of a comparison: which variant, with which seed, in which folder."""

    variant: Variant
    seed: int
    path: Path

    @property
    def name(self) -> str:
        return f"{self.variant.name}, seed {self.seed}"

    @property
    def failure(self) -> Path:
        """The file that says why the run came to nothing."""
        return self.path.with_name(self.path.name + ".failed")

    @property
    def lock(self) -> Path:
        """The file that is locked while a process works on the run."""
        return self.path.with_name(self.path.name + ".lock")

    def done(self) -> bool:
        """Whether it has ended, well or not."""
        return self.failure.exists() or all(
            (self.path / name).is_file() for name in (folder.SCORES, "report.md")
        )

    def scores(self) -> dict[str, Any]:
        """What scores.json holds; empty before the end. UserError: damaged, or of another run."""
        if not self.path.exists() or self.failure.exists():
            return {}
        place = RunFolder(self.path)
        tables, task = place.options(), place.options()["task"]
        if tables.get(task) != self.variant.options or tables["train"].get("seed") != self.seed:
            raise UserError(f"{self.path}: not a run of this comparison; choose another --run")
        return place.scores()


@dataclass(frozen=True)
class Comparison:
    """A comparison in its folder."""

    path: Path
    asked: Asked
    variants: tuple[Variant, ...]

    def runs(self, seeds: int) -> list[Planned]:
        """So many runs of each variant, all variants of a seed before the next seed."""
        first = self.asked.parsed(self.asked.question.values[0])[1].seed
        names = _file_names([variant.name for variant in self.variants])
        return [
            Planned(variant, seed, self.path / RUNS / f"{name}-{seed}")
            for seed in range(first, first + seeds)
            for variant, name in zip(self.variants, names, strict=True)
        ]


def options_of(task: str, run: Planned) -> tuple[Any, TrainOptions]:
    """What a run is trained by. UserError: plan.json is damaged."""
    where = f"{run.path.parent.parent / PLAN}"
    training = {**run.variant.training, "seed": run.seed, "run": str(run.path)}
    return (
        make(tasks.options(task), run.variant.options, where=where),
        make(TrainOptions, training, where=where),
    )


def create(path: Path, asked: Asked, variants: Sequence[Variant]) -> Comparison:
    """A new folder with its plan. UserError: the place holds something, or cannot be written."""
    check_free(path)
    with files.writing(path):
        (path / RUNS).mkdir(parents=True, exist_ok=True)
    record = {"asked": _plain(asked), "variants": [asdict(v) for v in variants]}
    files.replace(path / PLAN, json.dumps(record, indent=1, ensure_ascii=False))
    return read(path)


def check_free(path: Path) -> None:
    """UserError: the place holds something, or cannot be written."""
    if not (path / PLAN).exists() and (path / folder.OPTIONS).exists():
        raise UserError(f"{path}: holds a run, not a comparison; choose another --run")
    left = [item for item in path.iterdir() if item.name != RUNS] if path.is_dir() else []
    if path.exists() and (not path.is_dir() or left):
        raise UserError(f"{path}: exists and is not a comparison; choose another --run")


def there(path: Path) -> bool:
    """Whether a folder holds a comparison, or what is left of one."""
    return (path / PLAN).exists()


def read(path: Path) -> Comparison:
    """The comparison in a folder, checked: a stranger may have made it. UserError: damaged."""
    where = path / PLAN
    try:
        with where.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError("too large")
        record = json.loads(content)
        return _read(path, record)
    except OSError as error:
        raise UserError(f"{where}: {error.strerror or error}") from None
    except UserError as error:
        raise UserError(f"{where}: damaged ({error})") from None
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{where}: damaged ({shown(error)})") from None


def check_same(comparison: Comparison, now: Asked) -> None:
    """UserError where a folder holds another comparison than the one that is asked for."""
    old, new = _flat(comparison.asked), _flat(now)
    for name in [*old, *new]:
        if old.get(name) != new.get(name):
            was, came = (shown(one.get(name, "nothing")) for one in (old, new))
            raise UserError(
                f"{comparison.path}: holds another comparison ({name}: {was} there, {came} here); "
                "choose another --run"
            )


def _flat(asked: Asked) -> dict[str, Any]:
    record = _plain(asked)
    values = record.pop("values")
    return record | {name: values[name] for name in sorted(values)}


def _plain(asked: Asked) -> dict[str, Any]:
    """A request as JSON's values, the same however its options were written."""
    return {
        "task": asked.task,
        "data": list(asked.data),
        "compared": asked.question.name,
        "between": list(asked.question.values),
        "equal": asked.equal,
        "values": {name: _value(asked, name) for name in asked.values},
    }


def _value(asked: Asked, name: str) -> Any:
    own, training = (plain(options) for options in asked.parsed(asked.question.values[0]))
    return own.get(name, training.get(name))


def _read(path: Path, record: Any) -> Comparison:
    asked = record["asked"]
    if asked["equal"] not in ("weights", "minutes"):
        raise ValueError("equal is neither weights nor minutes")
    texts = [asked["task"], asked["compared"], *asked["data"], *asked["between"]]
    if not all(isinstance(text, str) for text in texts) or len(texts) > MOST_VARIANTS:
        raise ValueError("asked holds no names")
    if not isinstance(asked["values"], dict):
        raise ValueError("values are no table")
    question = Question(asked["compared"], tuple(asked["between"]))
    found = Asked(asked["task"], tuple(asked["data"]), question, asked["equal"], asked["values"])
    for value in question.values:
        found.parsed(value)
    variants = tuple(_variant(one) for one in record["variants"])
    if tuple(v.name for v in variants) != question.values:
        raise ValueError("its variants are not those that were asked for")
    return Comparison(path, found, variants)


def _variant(record: Mapping[str, Any]) -> Variant:
    options, training, count = record["options"], record["training"], record["weights"]
    if type(count) is not int or count < 1:
        raise ValueError("weights is no count")
    if not isinstance(options, dict) or not isinstance(training, dict):
        raise ValueError("options are no table")
    widths = options.get("hidden_size")
    if not isinstance(widths, list) or not all(type(width) is int for width in widths):
        raise ValueError("no hidden_size")
    for name in ("threads", "batch_size", "learning_rate"):
        if type(training.get(name)) not in (int, float):
            raise ValueError(f"no {name}")
    return Variant(record["name"], options, training, count)


def _file_names(texts: Sequence[str]) -> list[str]:
    """Names of folders, all different."""
    names = [re.sub(r"[^\w.-]+", "-", text).strip("-.") or "value" for text in texts]
    if len(set(names)) < len(names):
        return [f"{name}-{k}" for k, name in enumerate(names, 1)]
    return names
