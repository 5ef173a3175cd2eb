"""From options to a `Job`: a new run from data, or an old one from its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from elman import tasks
from elman.data.batching import Share
from elman.errors import UserError
from elman.options import make, plain
from elman.run import checkpoint, folder
from elman.run.alike import alike
from elman.run.clock import Clock
from elman.run.folder import RunFolder
from elman.run.job import Job
from elman.run.options import TrainOptions, check_refit
from elman.run.parallel import starting
from elman.run.parallel.ranks import ALONE, Ranks
from elman.run.parallel.starting import Said
from elman.run.precision import settle, training
from elman.run.sharing.places import own_folder
from elman.run.tracking.names import check_installed
from elman.tasks import naming
from elman.tasks.task import Budget, Plan, Task
from elman.wording import counted

Say = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Trained:
    """What a run folder holds, read back and checked."""

    task: Task[Any, Any, Any]
    data: tuple[str, ...]
    options: Any
    how: TrainOptions
    folder: RunFolder
    preprocessing: Mapping[str, Any]


def new(
    name: str, data: Sequence[str], options: Any, how: TrainOptions, clock: Clock, say: Say,
    dataset: Any = None, ranks: Ranks = ALONE,
) -> Job:  # fmt: skip
    """Read the data, settle what was left open, build the model and make the run folder.

    Of several `ranks` all read, the first settles, and the others do as it says.

    Nothing is written before all of the input has proved good. `say` receives lines for the user.
    A `dataset` in memory is taken as it is; its run can be loaded, but not resumed.
    """
    task = tasks.get(name)
    data = tuple(data) or task.built_in
    starting.check_asked(ranks, name, data, options, how)
    check_refit(options, how)
    check_installed(how.track)
    if how.run is not None and ranks.first:
        folder.check_free(how.run, force=how.force)
    device = choose_device(how.device, ranks.local)
    if (threads := how.threads or ranks.threads) is not None:
        torch.set_num_threads(threads)
    if dataset is None:
        dataset = ranks.each(lambda: task.read(data, options, how.validation))
    if not ranks.first:
        return _followed(ranks, clock, data, dataset)
    for line in task.examine(dataset).lines():
        say(line)
    torch.manual_seed(how.seed)
    clock.seconds = how.seconds
    left = None if clock.seconds is None else max(1.0, clock.seconds - clock.elapsed)
    budget = Budget(
        left, how.epochs, how.batch_size, how.learning_rate, device, Share(0, ranks.size)
    )
    precision = settle(how, device, teaches=task.teaches_in_bf16)
    how = dataclasses.replace(how, precision=precision.name)
    with training(how):  # a plan measures how fast a network learns
        plan = task.plan(dataset, options, budget)
    settled = dataclasses.replace(
        planned(how, plan), run=None, force=False, threads=torch.get_num_threads()
    )
    why = "; ".join(filter(None, (plan.why, precision.why)))
    say(why)
    if ranks.size > 1:
        say(starting.told(ranks, plan.batch_size))
    if plan.dataset is not None:
        dataset = plan.dataset
    run = how.run or folder.free_name(naming.stem(data, task.name))
    torch.manual_seed(how.seed)
    preprocessing = dataset.preprocessing()
    model = _started(task, preprocessing, plan.options, dataset).to(device)
    job = Job(
        task, data, dataset, plan.options, settled, RunFolder(run), model, device, clock, why, ranks
    )
    if ranks.size > 1:
        ranks.tell(_said(job, preprocessing, read_anew=plan.dataset is not None))
        ranks.each(lambda: None)  # the others have made it, too
        starting.check_data(job)
    stored, copies = naming.stored(data)
    tables = {
        "task": name, "data": stored, "train": plain(settled), name: plain(plan.options)
    }  # fmt: skip
    folder.create(run, tables, preprocessing, copies, force=how.force)
    return job


def planned(how: TrainOptions, plan: Plan[Any]) -> TrainOptions:
    """A training with what its plan settled."""
    return dataclasses.replace(
        how,
        batch_size=plan.batch_size,
        learning_rate=plan.learning_rate,
        cycle=plan.passes if how.cycle is None and how.epochs is None else how.cycle,
    )


def again(
    run: Path, epochs: int | None, minutes: float | None, clock: Clock, say: Say,
    learning_rate: float | None = None, ranks: Ranks = ALONE, track: Sequence[str] | None = None,
) -> Job:  # fmt: skip
    """A run to be gone on with, from its folder; refused where its data has changed.

    `epochs` or `minutes` replace what the run was planned for, so that a finished one goes on;
    `learning_rate` its highest learning rate, `track` its trackers.
    """
    if epochs is not None and minutes is not None:
        raise UserError("--minutes and --epochs exclude each other; give one")
    asked = {"--epochs": epochs, "--minutes": minutes, "--learning-rate": learning_rate}
    ranks.check_alike({"the run": str(run), **asked})
    if not ranks.first:
        return _followed(ranks, clock)
    old = trained(own_folder(run, "elman resume"))
    changed: dict[str, Any] = {}
    if learning_rate is not None:
        changed["learning_rate"] = learning_rate
    if epochs is not None or minutes is not None:
        changed |= {"epochs": epochs, "minutes": minutes}
    if track is not None:
        changed["track"] = tuple(track)
    how = dataclasses.replace(old.how, **changed)
    check_installed(how.track)
    if how.batch_size is None or how.learning_rate is None:
        raise UserError(f"{run / folder.OPTIONS}: damaged (no batch_size or no learning_rate)")
    _check_longer(old.folder, epochs, minutes)
    how = _going_on(old, how, ranks, say)
    if how.threads is not None:
        torch.set_num_threads(how.threads)
    device = choose_device(how.device, ranks.local)
    if how.precision == "bf16" and (lost := settle(how, device, teaches=True)).name == "float32":
        say(f"{lost.why}; this run began with those, and goes on a little differently")
    job = Job(old.task, old.data, None, old.options, how, old.folder, nn.Module(), device, clock)
    if ranks.size > 1:
        ranks.tell(_said(job, old.preprocessing))
    dataset = ranks.each(lambda: read_again(old))
    if old.folder.weights.exists():
        load_model(old, "cpu")  # damaged ones are told before anything is written
    say(old.task.examine(dataset).headline)
    clock.seconds = how.seconds
    torch.manual_seed(how.seed)
    if old.folder.checkpoint.exists():
        model = old.task.build(old.preprocessing, old.options).to(device)
    else:
        model = _started(old.task, old.preprocessing, old.options, dataset).to(device)
    job = dataclasses.replace(job, dataset=dataset, model=model, ranks=ranks)
    starting.check_data(job)
    return job


def _said(job: Job, preprocessing: Mapping[str, Any], *, read_anew: bool = False) -> Said:
    path = job.folder.path
    return Said(job.task.name, job.data, job.options, job.how, path, preprocessing, read_anew)


def _followed(
    ranks: Ranks, clock: Clock, data: tuple[str, ...] = (), dataset: Any = None
) -> Job:  # fmt: skip
    """The job that the first of several processes makes, as another one makes it.

    `data`, which is that of the first unless given, may have been read already.
    """
    said: Said = ranks.tell(None)
    task, how = tasks.get(said.task), said.how
    data = data or said.data
    if how.threads is not None:
        torch.set_num_threads(how.threads)

    def made() -> Job:
        device = choose_device(how.device, ranks.local)
        found = dataset
        if found is None or said.read_anew:
            found = task.read(data, said.options, how.validation)
        if not alike(found.preprocessing(), dict(said.preprocessing)):
            raise starting.other_data(data)
        clock.seconds = how.seconds
        torch.manual_seed(how.seed)
        model = task.build(said.preprocessing, said.options).to(device)
        place = RunFolder(said.path)
        return Job(task, data, found, said.options, how, place, model, device, clock, "", ranks)

    job = ranks.each(made)
    starting.check_data(job)
    return job


def _going_on(old: Trained, how: TrainOptions, ranks: Ranks, say: Say) -> TrainOptions:
    """Threads as the run had them; by another number of processes it goes on as it can."""
    if not old.folder.checkpoint.exists():
        return how
    tensors, _ = checkpoint.read(old.folder.checkpoint)
    before = checkpoint.ranks_in(tensors)
    if before == ranks.size:
        return how
    say(
        f"this run was trained by {counted(before, 'process', 'processes')}, and goes on in "
        f"{ranks.size}: carried states and random numbers begin anew"
    )
    return dataclasses.replace(how, threads=ranks.threads)


def _started(
    task: Task[Any, Any, Any], preprocessing: Mapping[str, Any], options: Any, dataset: Any
) -> nn.Module:
    """A new model as training finds it."""
    model = task.build(preprocessing, options)
    task.start(model, preprocessing, options, dataset)
    return model


def _check_longer(run: RunFolder, epochs: int | None, minutes: float | None) -> None:
    """Refuse to go on until a point that lies behind."""
    if (epochs is None and minutes is None) or not run.checkpoint.exists():
        return
    _, at = checkpoint.read(run.checkpoint)
    for flag, asked, done in (
        ("epochs", epochs, at.get("epoch", 0)),
        ("minutes", minutes, at.get("seconds", 0.0) / 60),
    ):
        if asked is not None and asked < done:
            raise UserError(f"--{flag} {asked}: the run has had {done:.4g} already; give more")


def read_again(run: Trained) -> Any:
    """The data that a run was trained on. Raises UserError where it has changed since."""
    if not run.data:
        raise UserError(f"{run.folder.path}: was imported, and has no data of its own; name DATA")
    dataset = run.task.read(run.data, run.options, run.how.validation)
    if not alike(dataset.preprocessing(), run.preprocessing):
        told = ", ".join(run.data)
        raise UserError(f"{run.folder.path}: the data has changed since the run began: {told}")
    return dataset


def trained(run: Path) -> Trained:
    """A run folder, read and checked. Raises UserError for whatever is wrong with it."""
    place = RunFolder(run)
    tables = place.options()
    where = str(run / folder.OPTIONS)
    task = tasks.get(tables["task"])
    data = tables.get("data")
    if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
        raise UserError(f"{where}: damaged (data is not a list of names)")
    if not isinstance(tables.get(task.name), dict):
        raise UserError(f"{where}: damaged (no table [{task.name}])")
    # An item that is neither absolute nor a name lies in the run folder itself.
    found = tuple(item if item.startswith("name:") else str(run.absolute() / item) for item in data)
    return Trained(
        task,
        found,
        make(tasks.options(task.name), tables[task.name], where=where),
        make(TrainOptions, tables["train"], where=where),
        place,
        place.preprocessing(),
    )


def load_model(run: Trained, device: str) -> nn.Module:
    """The model of a run with its best weights, ready to be used. Raises UserError if damaged."""
    tensors, _ = checkpoint.read(run.folder.weights)
    with torch.device("meta"):  # sizes in a stranger's options cost nothing before they are checked
        outline = run.task.build(run.preprocessing, run.options)
    checkpoint.check_weights(outline, tensors, run.folder.weights)
    model = run.task.build(run.preprocessing, run.options)
    checkpoint.load_weights(model, tensors, run.folder.weights)
    run.task.restore(model, run.options, run.folder.path)
    return model.to(device).eval()


def choose_device(name: str, local: int | None = None) -> str:
    """The device to use: `auto` is a GPU where PyTorch finds one; of several processes of a machine
    each has one, that of its number there. Raises UserError if absent."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if local is not None and name == "cuda" and torch.cuda.is_available():
        if local >= (there := torch.cuda.device_count()):
            raise UserError(
                f"process {local} of this machine finds {counted(there, 'GPU')}; start as many "
                "processes as there are, or give --device cpu"
            )
        torch.cuda.set_device(local)
        return f"cuda:{local}"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"--device {name}: PyTorch finds no GPU here; give --device cpu")
    try:
        torch.empty(0, device=name)
    except RuntimeError as error:
        raise UserError(f"--device {name}: {str(error).splitlines()[0]}") from error
    return name
