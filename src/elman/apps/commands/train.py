"""`elman train`, `elman resume`: a model trained to its end, or gone on with."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Group, Parameter

from elman import tasks
from elman.apps.commands.arguments import AsJson, RunPath, refuse_options
from elman.apps.console import Console, warn
from elman.apps.flags import LIST, flags, given, number, whole
from elman.apps.output import print_scores
from elman.apps.process import STARTED
from elman.data.telling import telling
from elman.errors import UserError
from elman.options import read_toml, shown
from elman.run.options import TrainOptions, by_own_name, parse

if TYPE_CHECKING:
    from elman.run.clock import Clock
    from elman.run.job import Job
    from elman.run.parallel.ranks import Ranks

app = App(name="train", help="Train a model: elman train text hamlet.txt --minutes 5", sort_key=1)


@functools.cache
def _training_flags() -> Any:
    return flags(TrainOptions, Group("Training", sort_key=1))


def _train_command(name: str) -> Callable[..., None]:
    """`elman train NAME`: its flags are the fields of the task's options and of the training's."""

    def train(
        *data: str, own: Any = None, training: Any = None, config: Path | None = None,
        as_json: bool = False,
    ) -> None:  # fmt: skip
        refuse_options(data, "train", name)
        stored, values = ([], {}) if config is None else _configured(config, name)
        if given(training).keys() & {"minutes", "epochs"}:
            # A flag replaces what the file says of the other.
            values = {k: v for k, v in values.items() if k not in ("minutes", "epochs")}
        options, how = parse(name, values | given(own) | given(training))
        from elman.run import prepare

        _complete(
            lambda clock, say, ranks: prepare.new(
                name, data or stored, options, how, clock, say, ranks=ranks
            ),
            as_json,
        )

    train.__annotations__ = {
        "data": Annotated[
            str,
            Parameter(
                help="Files, folders, globs, - for standard input, name:NAME; .gz and .zst too. "
                "Without any, the built-in data set.",
                allow_leading_hyphen=True,
            ),
        ],
        "own": flags(tasks.options(name), Group("Model and data", sort_key=2)) | None,
        "training": _training_flags() | None,
        "config": Annotated[
            Path | None,
            Parameter(
                help="Options from a TOML file, as a run's options.toml; flags go before it.",
            ),
        ],
        "as_json": AsJson,
        "return": None,
    }
    train.__doc__ = (
        f"{tasks.summary(name)}\n\nWhat is not given is chosen from the data and the time."
    )
    return train


@functools.cache
def add_tasks() -> None:
    """Puts every task below `elman train`: only there, as making their flags takes time."""
    for name in tasks.names():
        usage = f"Usage: elman train {name} [DATA...] [OPTIONS]"
        app.command(_train_command(name), name=name, usage=usage)


def resume(
    run: RunPath,
    /,
    *,
    epochs: Annotated[
        int | None, Parameter(help="Go on until so many epochs in all.", converter=whole)
    ] = None,
    minutes: Annotated[
        float | None, Parameter(help="Go on until so many minutes in all.", converter=number)
    ] = None,
    learning_rate: Annotated[
        float | None,
        Parameter(help="Another highest learning rate, for a run that failed.", converter=number),
    ] = None,
    track: Annotated[
        str | None,
        Parameter(help="Other trackers than until now, after commas; none for none.", metavar=LIST),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was interrupted, exactly where it stood."""
    from elman.run import prepare

    trackers = None if track is None else () if track == "none" else track.split(",")
    _complete(
        lambda clock, say, ranks: prepare.again(
            run, epochs, minutes, clock, say, learning_rate, ranks, trackers
        ),
        as_json,
    )


def _complete(
    make_job: Callable[[Clock, Callable[[str], None], Ranks], Job], as_json: bool
) -> None:
    """Train to the end, showing it, and print the scores; of several processes the first does."""
    from elman.run import api
    from elman.run.clock import Clock
    from elman.run.parallel.joining import joined

    with joined() as ranks, Console(quiet=not ranks.first) as console:
        with telling(console.read):
            job = make_job(Clock(None, started=STARTED), console.say, ranks)
        if not ranks.first:
            api.take_part(job, api.silent)
            return
        path = job.folder.path
        console.say(f"run folder {path}")
        try:
            run = api.complete(job, console.listen, console.say)
        except KeyboardInterrupt:
            again = f"{ranks.command} resume {shlex.quote(str(path))}"
            raise KeyboardInterrupt(f"interrupted; go on with: {again}") from None
    if not as_json:
        for line in run.advice:
            warn(line)
    print_scores(
        run.task, run.path, run.folder.verdict(), run.folder.scores().get("seconds", 0.0), as_json
    )


def _configured(path: Path, task: str) -> tuple[list[str], dict[str, Any]]:
    """The data and the options that a TOML file holds, flat or in tables as a run's options.toml.

    Its paths of data start from its own folder.
    """
    tables = read_toml(path)
    if tables.get("task", task) != task:
        raise UserError(f"{path}: is for the task {shown(tables['task'])}, not {task}")
    values: dict[str, Any] = {}
    for name, value in tables.items():
        if name not in ("task", "data"):
            values |= (
                value if name in ("train", task) and isinstance(value, dict) else {name: value}
            )
    data = tables.get("data", [])
    data = data if isinstance(data, list) else [data]
    if not all(isinstance(item, str) for item in data):
        raise UserError(f"{path}: data = {shown(data)}: needs names of files")
    names = [d if d in ("", "-") or d.startswith("name:") else str(path.parent / d) for d in data]
    try:
        values = by_own_name(task, values)
        parse(task, values)  # good by itself: what is wrong afterwards is told of a flag
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return names, values
