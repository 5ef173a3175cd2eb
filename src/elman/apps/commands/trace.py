"""`elman trace`: one cell, or one layer of a run, step by step, forward and backward."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from elman import cells
from elman.apps.commands.arguments import AsJson, refuse_options
from elman.apps.flags import whole
from elman.errors import UserError

LAST = 3  # steps of a run that are shown
UNITS = (0, 1, 2)  # of a run


def trace(
    cell: Annotated[str | None, Parameter(help="A cell, see elman cells; or a run folder.")] = None,
    /,
    *data: Annotated[
        str,
        Parameter(
            help="Of a run, data to take a sequence from; its validation part if not given.",
            allow_leading_hyphen=True,
        ),
    ],
    backward: Annotated[
        bool,
        Parameter(
            negative="", show_default=False,
            help="Go back through the steps too: every gradient by its equation, checked.",
        ),
    ] = False,
    file: Annotated[
        Path | None, Parameter(help="Weights, inputs, states, targets, as TOML; else an example.")
    ] = None,
    text: Annotated[
        str | None, Parameter(help="Of a run: a text to read.", show_default=False)
    ] = None,
    row: Annotated[
        int | None,
        Parameter(help="Of a run: which draw of a sequence; 0 if not given.", converter=whole),
    ] = None,
    layer: Annotated[
        int | None,
        Parameter(help="Of a run: which recurrent layer, from 0.", converter=whole),
    ] = None,
    units: Annotated[
        str | None,
        Parameter(help="Units to show, a list: 0,1,2; of a cell all if not given.",
                  metavar="A,B,..."),
    ] = None,
    last: Annotated[
        int | None,
        Parameter(help=f"Show so many steps of the end; of a run {LAST}.", converter=whole),
    ] = None,
    latex: Annotated[
        bool, Parameter(negative="", show_default=False, help="Print a LaTeX document.")
    ] = False,
    markdown: Annotated[
        bool, Parameter(negative="", show_default=False, help="Print Markdown.")
    ] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Run one cell, or one layer of a run, step by step and show every intermediate."""
    refuse_options(data, "trace")
    if sum((latex, markdown, as_json)) > 1:
        raise UserError("--latex, --markdown and --json exclude each other; give one")
    of_run = cell is not None and cell not in cells.names() and Path(cell).exists()
    if cell is None and file is None:
        raise UserError("trace: name a cell (see elman cells) or a run folder, or give --file")
    if cell is not None and not of_run:
        cells.get(cell)
    for flag, value in (("text", text), ("row", row), ("layer", layer), ("DATA", data or None)):
        if value is not None and not of_run:
            raise UserError(f"{flag if flag == 'DATA' else f'--{flag}'}: is for a run folder")
    if of_run and file is not None:
        raise UserError("--file: is for a cell; a run has its own weights")
    for flag, number in (("row", row), ("layer", layer), ("last", last)):
        if number is not None and number < (flag == "last"):
            raise UserError(f"--{flag} {number}: needs a value from {int(flag == 'last')}")
    if text is not None and (data or row is not None or not text):
        raise UserError("--text: needs some text, and neither DATA nor --row beside it")
    shown = _shown_units(units)
    if of_run:
        assert cell is not None
        made, loss = _of_run(Path(cell), data, text, row or 0, layer or 0, shown or UNITS,
                             last or LAST, backward=backward)  # fmt: skip
    else:
        made, loss = _of_cell(cell, file, shown, last, backward=backward), {}
    from elman.probe import trace as tracing

    if as_json:
        record: dict[str, Any] = {**tracing.as_json(made.steps), **loss}
        if made.backward is not None:
            record |= tracing.backward_json(made.backward) | loss
        print(json.dumps(record))
        return
    write = tracing.latex if latex else tracing.markdown if markdown else tracing.render_shown
    sys.stdout.write(write(made) + "\n")


def _shown_units(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--units {text[:60]}: needs whole numbers, as 0,1,2") from None
    if min(found) < 0:
        raise UserError(f"--units {text[:60]}: needs values from 0")
    return found


def _of_cell(
    cell: str | None, file: Path | None, units: tuple[int, ...], last: int | None, *, backward: bool
) -> Any:
    from elman.probe import trace as tracing

    if file is not None:
        setup = tracing.read(file, cell)
    else:
        assert cell is not None
        setup = tracing.example(cell)
    steps = tracing.run(setup)
    found = tracing.backward(setup) if backward else None
    return tracing.Shown(setup.cell, steps, found, units, last)


def _of_run(
    path: Path, data: tuple[str, ...], text: str | None, row: int, layer: int,
    units: tuple[int, ...], last: int, *, backward: bool,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    from elman.inspection.traced import trace_of
    from elman.probe import trace as tracing
    from elman.run import api

    found = trace_of(api.load(path, device="cpu"), *data, text=text, row=row, layer=layer)
    setup = found.setup
    H = setup.states[setup.cell.states[0]].shape[-1]
    units = units if units != UNITS else tuple(u for u in UNITS if u < H)
    steps = tracing.run(setup)
    back = tracing.backward(setup) if backward else None
    gradient = None if back is None else tracing.whole(back, "weight_ih")
    notes = (
        f"{found.name}, {setup.cell.name} of {H} units, over {found.what}: "
        f"{len(steps)} steps, of which the last {min(last, len(steps))} are shown",
        found.agrees(tracing.values(steps, setup.cell.states[0]), gradient),
    )
    record = {"layer": found.name, "what": found.what, "loss": found.loss, "run": str(path)}
    return tracing.Shown(setup.cell, steps, back, units, last, found.labels, notes), record
