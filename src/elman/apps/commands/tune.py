"""`elman tune`: good settings for a task, found in so many minutes; or a study, gone on with."""

from __future__ import annotations

import functools
import json
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Group, Parameter

from elman import tasks
from elman.apps.commands.arguments import AsJson, refuse_options
from elman.apps.console import Passing, warn
from elman.apps.flags import flags, given, number, whole
from elman.apps.output import print_table
from elman.apps.process import STARTED
from elman.errors import UserError, unknown_name
from elman.options import make
from elman.run.options import TrainOptions
from elman.tune import storage
from elman.tune.options import SET, TuneOptions, asked

if TYPE_CHECKING:
    from elman.tune.study import Search

app = App(
    name="tune",
    help="Search for good settings: elman tune text hamlet.txt --minutes 30",
    usage="Usage: elman tune TASK [DATA...] [OPTIONS], or elman tune STUDY [OPTIONS]",
    sort_key=5,
)
Report = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="Draw which options mattered, each by itself and all together, into STUDY/report.",
    ),
]


@app.default
def go_on(
    study: Annotated[Path, Parameter(help="The folder of a study.")],
    /,
    *,
    minutes: Annotated[
        float | None,
        Parameter(help="Go on until so many minutes in all.", converter=number),
    ] = None,
    trials: Annotated[
        int | None, Parameter(help="At most so many trials in all.", converter=whole)
    ] = None,
    jobs: Annotated[int | None, Parameter(help="Runs side by side.", converter=whole)] = None,
    storage: Annotated[
        str | None, Parameter(help="Its database again, where that wants a password.")
    ] = None,
    report: Report = False,
    as_json: AsJson = False,
) -> None:
    """Join a search that is at work, or go on with one that was interrupted."""
    from elman.tune import storage as storages

    storages.check(storage)
    values = {"minutes": minutes, "trials": trials, "jobs": jobs}
    how = make(TuneOptions, {name: v for name, v in values.items() if v is not None})
    from elman.tune import api
    from elman.tune.study import there

    if not there(study):
        if "/" not in str(study) and not study.exists():
            raise unknown_name("task, and no study of that name is here:", str(study),
                               tasks.names())  # fmt: skip
        raise UserError(f"{study}: not a study; the folder of one holds study.json")
    passing = Passing(sys.stderr)
    search = api.go_on(study, how.minutes, storage, passing.say)
    _complete(search, how, passing, report=report, as_json=as_json)


def _tune_command(task: str) -> Callable[..., None]:
    """`elman tune TASK`: the flags of `elman train TASK` and those of a search."""

    def tune(
        *data: str, how: Any = None, own: Any = None, training: Any = None, report: bool = False,
        as_json: bool = False,
    ) -> None:  # fmt: skip
        refuse_options(data, "tune", task)
        options = make(TuneOptions, given(how))
        storage.check(options.storage)
        values = given(own) | given(training)
        asked(task, data, values, options)
        from elman.tune import api

        began = time.time() - (time.perf_counter() - STARTED)
        now = asked(task, api.lasting(data), values, options)
        passing = Passing(sys.stderr)
        search = api.begin(now, options, began, passing.say)
        _complete(search, options, passing, report=report, as_json=as_json)

    tune.__annotations__ = {
        "data": Annotated[
            str,
            Parameter(
                help="As for train; without any, the built-in data set.",
                allow_leading_hyphen=True,
            ),
        ],
        "how": flags(TuneOptions, Group("Search", sort_key=1)) | None,
        "own": flags(tasks.options(task), Group("Model and data", sort_key=3)) | None,
        "training": _training_flags() | None,
        "report": Report,
        "as_json": AsJson,
        "return": None,
    }
    tune.__doc__ = (
        f"{tasks.summary(task)}\n\nTrains with many settings, and tells the best of them beside "
        "the default on fresh seeds."
    )
    return tune


def _complete(
    search: Search, how: TuneOptions, passing: Passing, *, report: bool, as_json: bool
) -> None:
    """Work on a search to its end, and print what it came to."""
    from elman.tune import api
    from elman.tune.result import as_record, notes, table, worse_than_rival

    try:
        result = api.complete(search, how, passing.say, pictures=report)
    except KeyboardInterrupt:
        again = shlex.join(["elman", "tune", str(search.path)])
        raise KeyboardInterrupt(f"interrupted; go on with: {again}") from None
    if warning := worse_than_rival(result):
        warn(warning)
    if as_json:
        print(json.dumps(as_record(result)))
        return
    print_table(*table(result))
    for line in notes(result):
        print(line)


@functools.cache
def _training_flags() -> Any:
    return flags(TrainOptions, Group("Training", sort_key=2), SET)


@functools.cache
def add_tasks() -> None:
    """Puts every task below `elman tune`: only there, as making their flags takes time."""
    for name in tasks.names():
        usage = f"Usage: elman tune {name} [DATA...] [OPTIONS]"
        app.command(_tune_command(name), name=name, usage=usage)
