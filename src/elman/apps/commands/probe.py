"""`elman probe gradients`: the lesson on gradients through time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from elman import cells as known
from elman.apps.commands.arguments import AsJson
from elman.apps.console import warn
from elman.apps.flags import number, whole
from elman.apps.output import print_table
from elman.errors import UserError

app = App(name="probe", help="A lesson: gradients that vanish, explode, and what gates do.",
          sort_key=5)  # fmt: skip


@app.command
def gradients(
    *,
    cells: Annotated[str, Parameter(help="Cells to train, a list.", metavar="A,B,...")] = (
        "rnn,lstm,gru"
    ),
    steps: Annotated[int, Parameter(help="Length of the sequences.", converter=whole)] = 100,
    updates: Annotated[int, Parameter(help="Updates of each network.", converter=whole)] = 600,
    hidden_size: Annotated[int, Parameter(help="Units of each network.", converter=whole)] = 32,
    radius: Annotated[
        float,
        Parameter(
            help="Of an rnn that is to explode: size of the largest eigenvalue of its recurrent "
            "weights.",
            converter=number,
        ),
    ] = 2.0,
    clip: Annotated[
        float, Parameter(help="Scale gradients down to this norm.", converter=number)
    ] = 1.0,
    seed: Annotated[int, Parameter(help="Seed of weights and sequences.", converter=whole)] = 1,
    threads: Annotated[int, Parameter(help="CPU threads.", converter=whole)] = 1,
    output: Annotated[Path, Parameter(help="Folder of the picture and the numbers.")] = Path(
        "lesson"
    ),
    as_json: AsJson = False,
) -> None:
    """Train the adding problem and the copy task for a moment; gradients by lag for each cell."""
    names = tuple(name.strip() for name in cells.split(","))
    for name in names:
        known.get(name)
    if not 1 <= threads <= 1024:
        raise UserError(f"--threads {threads}: needs a value from 1 to 1024")
    if output.exists() and not output.is_dir():
        raise UserError(f"{output}: is a file; choose another --output")
    import torch

    from elman.inspection.lesson import Lesson, teach
    from elman.inspection.lesson.lesson import HEADS, findings, table
    from elman.inspection.lesson.picture import draw
    from elman.run import files
    from elman.tasks import drawing

    lesson = Lesson(names, steps, updates, hidden_size, radius, clip, seed)
    with files.writing(output):
        output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    taught = teach(lesson, warn)
    files.replace(output / "gradients.json", json.dumps(taught.record(), allow_nan=False))
    if drawing.possible():
        draw(taught, output / "gradients.png")
        warn(f"picture {output / 'gradients.png'}")
    if as_json:
        print(json.dumps(taught.record()))
        return
    print_table(HEADS, table(taught))
    for line in findings(taught):
        print(line)
