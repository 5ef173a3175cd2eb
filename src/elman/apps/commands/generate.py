"""`elman generate`: a trained model writes, or composes."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from elman import tasks
from elman.apps import composing, writing
from elman.apps.commands.arguments import Device, RunPath
from elman.apps.flags import flags_of, given, whole
from elman.decode import Sampling, Weights
from elman.errors import UserError
from elman.options import make
from elman.tasks.music.composing.options import Composing

T = TypeVar("T")

TEXT, MUSIC = Group("For runs of text", sort_key=5), Group("For runs of music", sort_key=6)


def generate(
    run: RunPath,
    /,
    *,
    prompt: Annotated[
        str,
        Parameter(
            help="What to go on from: text, or for music a file of MIDI, ABC or rolls.",
            allow_leading_hyphen=True,
        ),
    ] = "",
    how: Annotated[Any, Parameter()] = None,
    state: Annotated[
        Path | None, Parameter(help="Go on from a state that --save-state kept.")
    ] = None,
    save_state: Annotated[Path | None, Parameter(help="Keep the state at the end.")] = None,
    length: Annotated[
        int | None,
        Parameter(help="Tokens to write; 500 if not given.", converter=whole, group=TEXT),
    ] = None,
    weights: Annotated[
        Weights | None,
        Parameter(
            help="How weights are stored meanwhile: float16 and int8 are faster if large.",
            group=TEXT,
        ),
    ] = None,
    stop: Annotated[
        tuple[str, ...],
        Parameter(
            help="End where the model writes TEXT, which is left out; \\n is a line break. May be "
            "given several times.",
            metavar="TEXT",
            negative="",
            show_default=False,
            allow_leading_hyphen=True,
            group=TEXT,
        ),
    ] = (),
    output: Annotated[
        tuple[Path, ...],
        Parameter(
            name=("--output", "-o"),
            help="Write the piece into FILE, by its ending: .mid, .wav, .png, .json. May be given "
            "several times; without any, the notes are printed as text.",
            metavar="FILE",
            negative="",
            show_default=False,
            group=MUSIC,
        ),
    ] = (),
    samples: Annotated[
        int, Parameter(help="Texts, or pieces, to make, one after another.", converter=whole)
    ] = 1,
    device: Device = "auto",
    as_json: Annotated[
        bool,
        Parameter(
            name="--json",
            negative="",
            show_default=False,
            help="Print an object a line: prompt, text, seed, tokens; or prompt, seed, piece.",
        ),
    ] = False,
) -> None:
    """Let a trained model write, or compose, streamed as it is made."""
    values = given(how)
    own = {"length": length, "weights": weights, "stop": stop or None, "output": output or None}
    asked = values | {name: value for name, value in own.items() if value is not None}
    ends = tuple(map(writing.unescaped, stop))
    text = writing.Writing(
        prompt, 500 if length is None else length, ends, samples, state, save_state,
        weights or "float32", as_json,
    )  # fmt: skip
    music = composing.Asked(prompt, output, samples, state, save_state, as_json)
    # Values are checked before PyTorch is loaded; whether they are of use only the run tells.
    sampling, how_composed = _part(Sampling, values), _part(Composing, values)
    from elman.run import api

    trained = api.load(run, device=device)
    if tasks.composing_of(trained.task) is not None:
        _refuse(asked, {"output"}, Composing, trained.task)
        composing.write(trained, music, how_composed, sys.stdout)
    else:
        _refuse(asked, {"length", "weights", "stop"}, Sampling, trained.task)
        writing.write(trained, text, sampling, sys.stdout)


def _part(kind: type[T], values: Mapping[str, object]) -> T:
    """Those of the values that `kind` has."""
    return make(kind, {name: value for name, value in values.items() if name in _names(kind)})


def _names(kind: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


def _refuse(asked: Iterable[str], more: set[str], kind: type[Any], task: str) -> None:
    """UserError where something was asked for that this kind of run has no use for."""
    for name in asked:
        if name not in more | _names(kind):
            raise UserError(f"--{name.replace('_', '-')}: of no use here; the task is {task}")


@functools.cache
def add_options() -> None:
    """Puts the options of sampling and of composing below the command."""
    sampling = (Sampling, Group("Sampling", sort_key=4))
    generate.__annotations__["how"] = flags_of([sampling, (Composing, MUSIC)]) | None
