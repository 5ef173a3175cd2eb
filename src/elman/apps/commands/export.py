"""`elman export`: a run as files that need no Elman, with a certificate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from elman.apps.commands.arguments import AsJson, RunPath
from elman.apps.console import warn
from elman.apps.flags import whole
from elman.errors import UserError


def export(
    run: RunPath,
    /,
    *,
    to: Annotated[
        Literal["onnx", "c"],
        Parameter(help="ONNX with a Python file that runs it, or one C99 file and its header."),
    ],
    output: Annotated[
        Path | None, Parameter(help="Folder to write; RUN/onnx or RUN/c if not given.")
    ] = None,
    precision: Annotated[
        Literal["float32", "int8", "bf16"],
        Parameter(help="How weights are stored; bf16 is for c alone."),
    ] = "float32",
    name: Annotated[str, Parameter(help="Of the files and, in C, of functions.")] = "model",
    seed: Annotated[int, Parameter(help="Draws what both are compared by.", converter=whole)] = 0,
    force: Annotated[
        bool, Parameter(negative="", show_default=False, help="Replace an older export.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a run as ONNX or C, proved to be the same network before it is kept."""
    if not name.isascii() or not name.isidentifier():
        raise UserError(f"--name {name}: needs letters, digits and _, and no digit first")
    if seed < 0:
        raise UserError(f"--seed {seed}: needs a value from 0")
    from elman.run import api

    trained = api.load(run, device="cpu")
    if output is None and trained.path != run.absolute():  # unpacked, or from a hub
        raise UserError(f"{run}: is no folder that an export could lie in; give --output FOLDER")
    made = trained.export(to, output, precision=precision, name=name, seed=seed, force=force)
    if as_json:
        print(json.dumps({"path": str(made.path)} | made.record, ensure_ascii=False))
        return
    for file, about in made.record["files"].items():
        print(made.path / file, f"{about['bytes']:,} bytes", sep="  ")
    print(made.path / "certificate.json")
    for line in made.told:
        warn(line)
