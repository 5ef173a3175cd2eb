"""`elman lab`: the page on this machine."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from elman.apps.flags import whole
from elman.errors import UserError

HIGHEST_PORT = 65_535


def lab(
    *,
    runs: Annotated[Path, Parameter(help="The folder of runs that the page shows.")] = Path("runs"),
    port: Annotated[
        int, Parameter(help="Port to listen at; 0 for one that is free.", converter=whole)
    ] = 8010,
    open: Annotated[
        bool, Parameter(name="--open", negative="--no-open", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Train, watch, write and look inside on a page in the browser, until Ctrl-C.

    Only this machine reaches it, and only who has the address with its token; the environment
    variable ELMAN_TOKEN sets one that stays the same.
    """
    if not 0 <= port <= HIGHEST_PORT:
        raise UserError(f"--port {port}: needs a value from 0 to {HIGHEST_PORT:,}")
    if find_spec("nicegui") is None:
        raise UserError("lab: needs nicegui; pip install 'elman[lab]'")
    from elman.apps.lab.launching import launch
    from elman.serve.options import TOKEN

    launch(runs, port, os.environ.get(TOKEN) or None, opens=open)
