"""The server's key, by which it knows the states that it gave out."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from elman.errors import RunError

BYTES = 32


def key_of(database: Path) -> bytes:
    """The key beside the database, made at the first use. RunError: it cannot be read or made, or
    is no such key."""
    path = database.with_name(database.name + ".key")
    try:
        if not path.exists():
            _make(path)
        found = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: {error.strerror or error}") from None
    if len(found) != BYTES:
        raise RunError(f"{path}: damaged; restore it, or remove it: states given out are void then")
    return found


def _make(path: Path) -> None:
    """Of several processes that make it at once, one does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
