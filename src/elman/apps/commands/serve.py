"""`elman serve`: trained models over HTTP."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from elman.apps.commands.arguments import Device
from elman.apps.flags import flags_of, given
from elman.errors import UserError
from elman.options import make
from elman.serve.options import TOKEN, Limits, Listening

T = TypeVar("T")


def serve(
    *runs: Annotated[Path, Parameter(help="Run folders, as train made them.")],
    how: Annotated[Any, Parameter()] = None,
    device: Device = "auto",
) -> None:
    """Answer over HTTP with trained models, until Ctrl-C: OpenAI's interface, rows, sound, music.

    A model is called by the name of its folder.
    """
    if not runs:
        raise UserError("serve: name a RUN, or several")
    values = given(how)
    values.setdefault("token", os.environ.get(TOKEN) or None)
    listening, limits = _part(Listening, values), _part(Limits, values)
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError(f"serve: needs {error.name}; pip install 'elman[serve]'") from None
    from elman.serve.launching import launch

    launch(runs, listening, limits, device)


def _part(kind: type[T], values: dict[str, object]) -> T:
    """Those of the values that `kind` has."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return make(kind, {name: value for name, value in values.items() if name in names})


@functools.cache
def add_options() -> None:
    """Puts the options below the command."""
    panels = (Listening, Group("Listening", sort_key=4)), (Limits, Group("Limits", sort_key=5))
    serve.__annotations__["how"] = flags_of(panels) | None
