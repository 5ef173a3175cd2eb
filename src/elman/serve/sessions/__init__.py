"""Sessions: where runs stand, kept between requests, restarts and workers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from elman.run.trained import Run
from elman.serve.sessions.store import SessionStore


def open_sessions(
    database: Path, models: Mapping[str, Run], most: int, most_bytes: int
) -> SessionStore:
    """The sessions kept in `database`, at most `most` of all workers, each of at most `most_bytes`.

    The file and the key beside it are made where they are missing. RunError: they cannot be opened.
    """
    return SessionStore(database, models, most, most_bytes)
