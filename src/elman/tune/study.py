"""The folder of a search, and the study that it belongs to.

study.json       where the study lies, by which name, and which folder this is
journal.log      the study itself, unless it lies in a database
trials/0007      a run folder, as elman train makes it: of trial 7
again/0002       of the best settings and the default, on fresh seeds
locks/           what processes hold of it at this moment
tuning.json, .md what it came to
report/          pictures, if they were asked for
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elman import metrics
from elman.errors import RunError, UserError
from elman.options import plain, shown
from elman.run import files, folder
from elman.run.many.claims import claimed
from elman.run.many.sharing import Shared
from elman.tune import storage
from elman.tune.options import Asked
from elman.tune.space import Axis

if TYPE_CHECKING:
    from optuna import Study
    from optuna.storages import BaseStorage

PLACE, RESULT, PAGE, REPORT = "study.json", "tuning.json", "tuning.md", "report"
TRIALS, AGAIN, LOCKS = "trials", "again", "locks"
# Attributes of the study: what was asked and planned, when its minutes are over, how many those
# are, how many seconds were left at an interruption, how often the best ran again.
RECORD, DEADLINE, MINUTES, LEFT, ROUND = "elman", "deadline", "minutes", "left", "round"
SECONDS = "seconds"  # attribute of a trial: how long its run took
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What was settled when the search began; plain values."""

    axes: tuple[Axis, ...]
    default: Mapping[str, Any]  # the values on the axes that were planned if nothing is said
    minutes: float | None  # of each run; None where epochs are given
    threads: int  # of each run
    jobs: int  # runs side by side that the time of the last comparison is reckoned with
    score: str
    headline: str  # of the data
    fingerprint: str  # of what was read from the data


@dataclass(frozen=True)
class Search:
    """A search in its folder."""

    path: Path
    url: str | None  # of the database
    token: str  # of the folder: trials of others are not ours to go on with
    study: Study
    asked: Asked
    plan: Plan
    shared: Shared = field(default_factory=Shared)  # by the runs of this process

    @property
    def higher(self) -> bool:
        """Whether more is better."""
        return self.plan.score in metrics.HIGHER

    def again(self) -> Study:
        """The study of the runs on fresh seeds: another each time that a search is prolonged."""
        name = f"{self.study.study_name}, {self.again_folder.name}"
        return _made(name, self.study._storage, self.plan.score)

    @property
    def again_folder(self) -> Path:
        """Where those runs lie."""
        often = int(self.study.user_attrs.get(ROUND, 1))
        return self.path / (AGAIN if often == 1 else f"{AGAIN}-{often}")

    @property
    def deadline(self) -> float:
        """When the minutes are over, by time.time()."""
        return float(self.study.user_attrs[DEADLINE])

    def lock(self, name: str) -> Path:
        return self.path / LOCKS / f"{name}.lock"


def _made(name: str, store: BaseStorage, score: str) -> Study:
    """The study of that name, new where there is none."""
    import optuna

    direction: Any = "maximize" if score in metrics.HIGHER else "minimize"
    return optuna.create_study(
        storage=store, study_name=name, direction=direction, load_if_exists=True
    )


def there(path: Path) -> bool:
    """Whether a folder belongs to a search."""
    return (path / PLACE).is_file()


def check_free(path: Path) -> None:
    """UserError: the place holds something else than a search."""
    if there(path):
        return
    if (path / folder.OPTIONS).exists():
        raise UserError(f"{path}: holds a run, not a search; choose another --run")
    left = [item for item in path.iterdir() if item.name != LOCKS] if path.is_dir() else []
    if path.exists() and (not path.is_dir() or left):
        raise UserError(f"{path}: exists and is not a search; choose another --run")


@contextlib.contextmanager
def beginning(path: Path) -> Iterator[None]:
    """A place in which one process at a time begins a search, or finds it begun. Where it does not
    begin, nothing of the place is left. UserError: it cannot be written."""
    fresh = [one for one in (path, *path.parents) if not one.exists()]
    lock = path / LOCKS / "begin.lock"
    with files.writing(path):
        path.mkdir(parents=True, exist_ok=True)
    with claimed(lock, wait=True):
        try:
            yield
        finally:
            if not there(path):
                with contextlib.suppress(OSError):  # what others have put there stays
                    lock.unlink()
                    for made in (lock.parent, *fresh):
                        made.rmdir()


def create(path: Path, url: str | None, asked: Asked, plan: Plan, minutes: float, ends: float
           ) -> Search:  # fmt: skip
    """A new study, or that of the same name in the database; and the folder's part in it."""
    with storage.told(path, url, UserError):
        store = storage.opened(path, url)
        study = _made(path.name, store, plan.score)
        if RECORD not in study.user_attrs:
            study.set_metric_names([plan.score])
            study.set_user_attr(DEADLINE, ends)
            study.set_user_attr(MINUTES, minutes)
            study.set_user_attr(RECORD, {"asked": as_record(asked), "plan": asdict(plan)})
    kept = None if url is None else storage.without_password(url)
    place = {"storage": kept, "name": path.name, "folder": uuid.uuid4().hex}
    files.replace(path / PLACE, json.dumps(place, indent=1))
    return read(path, url)


def read(path: Path, url: str | None = None) -> Search:
    """The search in a folder, checked; `url` tells the password of its database. Raises UserError
    for whatever is wrong."""
    import optuna

    place = _place(path)
    kept = place["storage"]
    if url is not None and storage.without_password(url) != kept:
        where = kept or f"{path / storage.JOURNAL}"
        raise UserError(f"--storage {storage.without_password(url)}: the study lies in {where}")
    url = url or kept
    storage.check(url)
    with storage.told(path, url, UserError):
        store = storage.opened(path, url)
        try:
            study = optuna.load_study(storage=store, study_name=place["name"])
        except KeyError:
            where = url and storage.without_password(url)
            raise UserError(f"{where or path}: holds no study {place['name']}") from None
        record = study.user_attrs.get(RECORD)
    try:
        assert isinstance(record, dict)
        asked, plan = _asked(record["asked"]), _plan(record["plan"])
        float(study.user_attrs[DEADLINE])
        asked.parsed({})
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path}: its study is damaged ({shown(error)})") from None
    return Search(path, url, place["folder"], study, asked, plan)


def _place(path: Path) -> dict[str, Any]:
    where = path / PLACE
    try:
        with where.open("rb") as file:
            record = json.loads(file.read(MOST_BYTES))
        ours = isinstance(record, dict) and all(
            isinstance(record[name], str) for name in ("name", "folder")
        )
        if not ours or not isinstance(record["storage"], str | None):
            raise ValueError("no names in it")
    except OSError as error:
        raise UserError(f"{where}: {error.strerror or error}") from None
    except (ValueError, KeyError, RecursionError) as error:
        raise UserError(f"{where}: damaged ({shown(error)})") from None
    found: dict[str, Any] = record
    return found


def check_same(search: Search, now: Asked) -> None:
    """UserError where the study is another than the one that is asked for.

    The data may lie elsewhere on another machine: it goes by the names of its files, and by what is
    read from them.
    """
    old, new = (_flat(one) for one in (search.asked, now))
    for name in [*old, *new]:
        if old.get(name) != new.get(name):
            was, came = (shown(one.get(name, "nothing")) for one in (old, new))
            raise UserError(
                f"{search.path}: holds another search ({name}: {was} there, {came} here); "
                "choose another --run"
            )


def check_data(search: Search, headline: str, fingerprint: str) -> None:
    """UserError where the data is not what the study began with."""
    if fingerprint != search.plan.fingerprint:
        was, came = shown(search.plan.headline), shown(headline)
        raise UserError(
            f"{search.path}: holds a search on other data ({was} there, {came} here); "
            "choose another --run"
        )


def fingerprint(kept: Mapping[str, Any], headline: str) -> str:
    """What was read, in a few letters; without fractions, which differ in their last digits from
    one number of threads to another."""
    text = json.dumps([_without_fractions(kept), headline], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_fractions(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _without_fractions(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_fractions(item) for item in value]
    return None if isinstance(value, float) else value


def keep_left(search: Search) -> None:
    """Note how much time is left, at an interruption: a pause does not count."""
    search.study.set_user_attr(LEFT, max(0.0, search.deadline - time.time()))


def prolong(search: Search, minutes: float | None, last: float) -> None:
    """Set the time that is left for a search that nobody works on: what it was at an interruption,
    more where `minutes` in all are more than were promised, and at least `last` seconds."""
    attributes = search.study.user_attrs
    now, ends, old = time.time(), search.deadline, float(attributes[MINUTES])
    if attributes.get(LEFT) is not None:
        ends = now + float(attributes[LEFT])
        search.study.set_user_attr(LEFT, None)
    if minutes is not None and minutes > old:
        ends = max(ends, now) + 60 * (minutes - old)
        search.study.set_user_attr(MINUTES, minutes)
    search.study.set_user_attr(DEADLINE, max(ends, now + last))


def as_record(asked: Asked) -> dict[str, Any]:
    return {
        "task": asked.task,
        "data": list(asked.data),
        "values": _values(asked),
        "search": [axis.text() for axis in asked.axes],
        "trial_minutes": asked.trial_minutes,
        "seeds": asked.seeds,
        "sampler": asked.sampler,
        "pruner": asked.pruner,
    }


def _values(asked: Asked) -> dict[str, Any]:
    """The options as JSON's values, the same however they were written."""
    own, training = (plain(options) for options in asked.parsed({}))
    return {name: own.get(name, training.get(name)) for name in sorted(asked.values)}


def _flat(asked: Asked) -> dict[str, Any]:
    record = as_record(asked)
    names = [item if item.startswith("name:") else Path(item).name for item in asked.data]
    values: dict[str, Any] = record.pop("values")
    return record | {"data": names} | values


def _asked(record: Mapping[str, Any]) -> Asked:
    from elman.tune.space import parsed

    task = record["task"]
    axes = parsed(task, ",".join(record["search"]))
    return Asked(
        task, tuple(map(str, record["data"])), dict(record["values"]), axes,
        record["trial_minutes"], int(record["seeds"]), record["sampler"], record["pruner"],
    )  # fmt: skip


def _plan(record: Mapping[str, Any]) -> Plan:
    axes = tuple(Axis(**{**axis, "choices": tuple(axis["choices"])}) for axis in record["axes"])
    return Plan(**{**record, "axes": axes})


def unreachable(search: Search) -> contextlib.AbstractContextManager[None]:
    """Turns what its storage raises, in the middle of the work, into one clear line."""
    return storage.told(search.path, search.url, RunError)
