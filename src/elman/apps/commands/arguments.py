"""What several commands take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token, UnknownOptionError

from elman.apps.app import app

AsJson = Annotated[
    bool,
    Parameter(
        name="--json",
        negative="",
        show_default=False,
        help="Print one JSON object on standard output.",
    ),
]
SkipBadRows = Annotated[
    bool,
    Parameter(
        negative="", show_default=False, help="Leave out rows that are wrong, and count them."
    ),
]
RunPath = Annotated[
    Path,
    Parameter(help="A run folder, a package (.zip) of one, or hf:user/name@revision on a hub."),
]
Device = Annotated[str, Parameter(help="auto, cpu, cuda or cuda:N.")]


def refuse_options(data: Sequence[str], *command: str) -> None:
    """Cyclopts takes - for an option, so DATA lets everything pass, and options are told here."""
    for item in data:
        if item.startswith("-") and item != "-":
            _, apps, _ = app.parse_commands(command)
            known = apps[-1].assemble_argument_collection()
            raise UnknownOptionError(
                token=Token(value=item, source="cli"),
                argument_collection=known,
                command_chain=command,
            )
