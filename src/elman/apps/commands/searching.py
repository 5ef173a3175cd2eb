"""The options by which answers are searched for, below the commands that search."""

from __future__ import annotations

import functools

from cyclopts import Group

from elman import tasks
from elman.apps.commands.evaluate import evaluate
from elman.apps.commands.predict import predict
from elman.apps.flags import flags_of


@functools.cache
def add_decoding() -> None:
    """Puts the options of every task's search below `elman evaluate` and `elman predict`."""
    kinds = {name: tasks.search_of(name) for name in tasks.names()}
    found = flags_of(
        [
            (kind, Group(f"For runs of {name}", sort_key=4))
            for name, kind in kinds.items()
            if kind is not None
        ]
    )
    for command in (evaluate, predict):
        command.__annotations__["decoding"] = found | None
