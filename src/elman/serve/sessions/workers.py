"""Which workers live: each keeps a file beside the database locked, and the system lets go of it
when the worker dies, however it dies."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import final

from elman.errors import RunError

try:
    import fcntl
except ImportError:  # Windows: leases end with their time alone
    fcntl = None  # type: ignore[assignment]


@final
class Worker:
    """This process, as the others know it. RunError: its file cannot be made."""

    def __init__(self, database: Path) -> None:
        self._database, self.name = database, secrets.token_hex(8)
        try:
            self._file = self._locked()
            for path in database.parent.glob(f"{database.name}.worker-*"):
                self.is_dead(path.name.rpartition("-")[2])
        except OSError as error:
            raise RunError(f"{database}: {error.strerror or error}") from None

    def is_dead(self, name: str) -> bool:
        """Whether the worker of this name is surely no more; its file is removed then."""
        if fcntl is None or name == self.name:
            return False
        try:
            file = os.open(self._path(name), os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._path(name).unlink(missing_ok=True)
        except OSError:
            return False
        finally:
            os.close(file)
        return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._path(self.name).unlink()
        os.close(self._file)

    def _locked(self) -> int:
        """The file, which another may have taken for a dead worker's before it was locked."""
        while True:
            file = os.open(self._path(self.name), os.O_CREAT | os.O_RDWR, 0o600)
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file).st_nlink:
                return file
            os.close(file)

    def _path(self, name: str) -> Path:
        return self._database.with_name(f"{self._database.name}.worker-{name}")
