"""`elman evaluate`: a run's scores beside those of simple rivals."""

from __future__ import annotations

import time
from typing import Annotated, Any

from cyclopts import Group, Parameter

from elman.apps.commands.arguments import AsJson, Device, RunPath, SkipBadRows, refuse_options
from elman.apps.console import warn
from elman.apps.flags import flags, given
from elman.apps.output import print_scores, tell_left_out
from elman.tasks.adapting import Adapting


def evaluate(
    run: RunPath,
    /,
    *data: Annotated[
        str,
        Parameter(
            help="As for train; without any, the run's own validation part.",
            allow_leading_hyphen=True,
        ),
    ],
    skip_bad_rows: SkipBadRows = False,
    decoding: Any = None,
    adapting: Any = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Score a run beside simple rivals, on its own validation part or on DATA."""
    refuse_options(data, "evaluate")
    from elman.run import api

    began = time.perf_counter()
    trained = api.load(run, device=device)
    how = given(decoding) | given(adapting)
    result = trained.evaluate(*data, skip_bad_rows=skip_bad_rows, **how)
    tell_left_out(result.left_out)
    if result.verdict.startswith("WARNING") or (result.verdict and not as_json):
        warn(result.verdict)
    if result.warning:
        warn(f"WARNING: {result.warning}")
    print_scores(
        trained.task, run, result.compared, time.perf_counter() - began, as_json, result.counted,
        result.left_out.count,
    )  # fmt: skip


evaluate.__annotations__["adapting"] = (
    flags(Adapting, Group("For language models", sort_key=9)) | None
)
