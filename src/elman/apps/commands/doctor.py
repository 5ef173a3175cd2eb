"""`elman doctor`: what training would read."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from elman.apps.commands.arguments import AsJson, refuse_options
from elman.errors import UserError


def doctor(
    *data: Annotated[
        str,
        Parameter(help="Files, folders, globs, name:NAME, as train.", allow_leading_hyphen=True),
    ],
    task: Annotated[
        str | None, Parameter(help="What to read it for; the likely task if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what training would read: for which task, how much, and what is odd about it."""
    refuse_options(data, "doctor")
    if not data and task is None:
        raise UserError("doctor: name DATA, or a --task for its built-in set")
    from elman.run.doctor import examine

    found = examine(task, data)
    if as_json:
        print(json.dumps(asdict(found), ensure_ascii=False))
        return
    print(f"task {found.task}: {found.why}")
    for line in found.page.lines():
        print(line)
