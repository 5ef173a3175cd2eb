"""`elman compare`: cells, or values of another option, side by side on one task."""

from __future__ import annotations

import functools
import json
import shlex
import sys
from collections.abc import Callable
from typing import Annotated, Any

from cyclopts import App, Group, Parameter

from elman import tasks
from elman.apps.commands.arguments import AsJson, refuse_options
from elman.apps.console import Passing
from elman.apps.flags import flags, given
from elman.apps.output import print_table
from elman.comparison.options import SET, CompareOptions, asked
from elman.options import make
from elman.run.options import TrainOptions

app = App(
    name="compare",
    help="Compare cells: elman compare text hamlet.txt --cells lstm,gru --minutes 1",
    sort_key=5,
)


def _compare_command(task: str) -> Callable[..., None]:
    """`elman compare TASK`: the flags of `elman train TASK` and those of a comparison."""

    def compare(
        *data: str, how: Any = None, own: Any = None, training: Any = None, as_json: bool = False
    ) -> None:
        refuse_options(data, "compare", task)
        options = make(CompareOptions, given(how))
        asked(task, data, given(own) | given(training), options)
        from elman.comparison import api, page
        from elman.comparison.result import as_record, notes, table

        now = asked(task, api.lasting(data), given(own) | given(training), options)
        passing = Passing(sys.stderr)
        if options.run is None:
            options = make(CompareOptions, given(how) | {"run": str(api.free_folder(now))})
        words = [*sys.argv[1:], *(() if given(how).get("run") else ("--run", str(options.run)))]
        try:
            result = api.race(now, options, passing.say, page.command_of(words))
        except KeyboardInterrupt:
            again = shlex.join(["elman", *words])
            raise KeyboardInterrupt(f"interrupted; go on with: {again}") from None
        if as_json:
            print(json.dumps(as_record(result)))
            return
        print_table(*table(result))
        for line in notes(result):
            print(line)

    compare.__annotations__ = {
        "data": Annotated[
            str,
            Parameter(
                help="As for train; without any, the built-in data set.",
                allow_leading_hyphen=True,
            ),
        ],
        "how": flags(CompareOptions, Group("Comparison", sort_key=1)) | None,
        "own": flags(tasks.options(task), Group("Model and data", sort_key=3), ("cell",)) | None,
        "training": _training_flags() | None,
        "as_json": AsJson,
        "return": None,
    }
    compare.__doc__ = (
        f"{tasks.summary(task)}\n\nTrains each cell with several seeds and tells the differences, "
        "with their intervals."
    )
    return compare


@functools.cache
def _training_flags() -> Any:
    return flags(TrainOptions, Group("Training", sort_key=2), SET)


@functools.cache
def add_tasks() -> None:
    """Puts every task below `elman compare`: only there, as making their flags takes time."""
    for name in tasks.names():
        usage = f"Usage: elman compare {name} [DATA...] [OPTIONS]"
        app.command(_compare_command(name), name=name, usage=usage)
