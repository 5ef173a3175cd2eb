"""`elman inspect`: what a run's network keeps, forgets and looks at."""

from __future__ import annotations

import json
from typing import Annotated

from cyclopts import Parameter

from elman.apps.commands.arguments import AsJson, Device, RunPath, SkipBadRows, refuse_options
from elman.apps.console import warn
from elman.apps.output import tell_left_out
from elman.data.tables.content import BadRows
from elman.errors import UserError


def inspect(
    run: RunPath,
    /,
    *data: Annotated[
        str,
        Parameter(
            help="As for train; without any, the run's own validation part.",
            allow_leading_hyphen=True,
        ),
    ],
    only: Annotated[
        str | None, Parameter(help="Sections of the page alone, a list: gradients,gates.")
    ] = None,
    unit: Annotated[
        tuple[str, ...],
        Parameter(
            negative="",
            show_default=False,
            help="Seek units that fire on a regular expression over the text, on label:NAME, or "
            "that follow position, line-position or bracket-depth; may be given several times.",
            consume_multiple=False,
        ),
    ] = (),
    seconds: Annotated[float, Parameter(help="Time that looking may take.")] = 40.0,
    size: Annotated[int | None, Parameter(help="Sequences to look at.", show_default=False)] = None,
    seed: Annotated[int, Parameter(help="Draws the sequences.")] = 0,
    skip_bad_rows: SkipBadRows = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Look inside a run: gradients through time, gates, memory; one page in its folder."""
    refuse_options(data, "inspect")
    if not 1 <= seconds <= 86_400:
        raise UserError(f"--seconds {seconds:g}: needs a value from 1 to 86400")
    if size is not None and not 1 <= size <= 4096:
        raise UserError(f"--size {size}: needs a value from 1 to 4096")
    if seed < 0:
        raise UserError(f"--seed {seed}: needs a value from 0")
    from elman import inspection
    from elman.run import api

    bad = BadRows(skip_bad_rows)
    sections = [name.strip() for name in only.split(",")] if only else []
    made = inspection.inspect_run(
        api.load(run, device=device), *data, seconds=seconds, only=sections, size=size, seed=seed,
        bad=bad, units=unit,
    )  # fmt: skip
    tell_left_out(bad)
    if as_json:
        print(json.dumps(made.record()))
        return
    print("\n".join(made.findings) if made.findings else "Nothing stands out.")
    warn(f"page {made.page}")
