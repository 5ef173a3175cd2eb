"""`elman trace`: one cell, step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from elman import cells
from elman.apps.commands.arguments import AsJson
from elman.errors import UserError


def trace(
    cell: Annotated[str | None, Parameter(help="A cell; see elman cells.")] = None,
    /,
    *,
    file: Annotated[
        Path | None, Parameter(help="Weights, inputs and states, as TOML; else an example.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run one cell step by step and show every intermediate."""
    if cell is not None:
        cells.get(cell)
    if cell is None and file is None:
        raise UserError("trace: name a cell (see elman cells), or give --file")
    from elman.probe import trace as tracing

    if file is not None:
        setup = tracing.read(file, cell)
    else:
        assert cell is not None
        setup = tracing.example(cell)
    steps = tracing.run(setup)
    print(json.dumps(tracing.as_json(steps)) if as_json else tracing.render(steps))
