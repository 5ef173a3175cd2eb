"""`elman generate`: a trained model writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from elman.apps import writing
from elman.apps.commands.arguments import Device, RunPath
from elman.apps.flags import flags, given, whole
from elman.decode import Sampling, Weights
from elman.options import make


def generate(
    run: RunPath,
    /,
    *,
    prompt: Annotated[str, Parameter(help="What to go on from.", allow_leading_hyphen=True)] = "",
    length: Annotated[int, Parameter(help="Tokens to write.", converter=whole)] = 500,
    sampling: Annotated[Any, Parameter()] = None,
    state: Annotated[
        Path | None, Parameter(help="Go on from a state that --save-state kept.")
    ] = None,
    save_state: Annotated[Path | None, Parameter(help="Keep the state at the end.")] = None,
    weights: Annotated[
        Weights,
        Parameter(help="How weights are stored meanwhile: float16 and int8 are faster if large."),
    ] = "float32",
    stop: Annotated[
        tuple[str, ...],
        Parameter(
            help="End where the model writes TEXT, which is left out; \\n is a line break. May be "
            "given several times.",
            metavar="TEXT",
            negative="",
            show_default=False,
            allow_leading_hyphen=True,
        ),
    ] = (),
    samples: Annotated[
        int, Parameter(help="Texts to write, one after another.", converter=whole)
    ] = 1,
    device: Device = "auto",
    as_json: Annotated[
        bool,
        Parameter(
            name="--json",
            negative="",
            show_default=False,
            help="Print an object a line: prompt, text, seed, tokens.",
        ),
    ] = False,
) -> None:
    """Let a trained model write, streamed as it is made."""
    chosen = make(Sampling, given(sampling))
    ends = tuple(map(writing.unescaped, stop))
    asked = writing.Writing(prompt, length, ends, samples, state, save_state, weights, as_json)
    from elman.run import api

    writing.write(api.load(run, device=device), asked, chosen, sys.stdout)


generate.__annotations__["sampling"] = flags(Sampling, Group("Sampling", sort_key=4)) | None
