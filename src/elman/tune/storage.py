"""Where a study lies: a journal in its folder, or a database; and what can go wrong with that."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from elman.errors import RunError, UserError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

JOURNAL = "journal.log"
SECONDS = 10  # in which a database has to answer
BUSY_SECONDS = 60  # in which a file of SQLite has to be free


def check(url: str | None) -> None:
    """UserError: Optuna is not installed, or `url` names no database that we know."""
    if importlib.util.find_spec("optuna") is None:
        raise UserError("a search for settings needs Optuna: pip install 'elman[tune]'")
    if url is None:
        return
    kind = url.split(":")[0].split("+")[0]
    if kind not in ("postgresql", "sqlite") or "://" not in url:
        fits = "postgresql://USER@HOST/NAME or sqlite:///FILE"
        raise UserError(f"--storage {without_password(url)}: needs {fits}")
    if kind == "postgresql" and importlib.util.find_spec("psycopg") is None:
        raise UserError("PostgreSQL needs psycopg: pip install 'elman[tune]'")


def without_password(url: str) -> str:
    """A URL as it may be shown and kept; the password is for PGPASSWORD or ~/.pgpass."""
    scheme, slashes, rest = url.partition("://")
    who, at, where = rest.rpartition("@")
    return f"{scheme}{slashes}{who.split(':')[0]}{at}{where}"


def lasting(url: str) -> str:
    """The same database from whatever folder."""
    scheme, slashes, path = url.partition(":///")
    if scheme.startswith("sqlite") and slashes and path and not path.startswith("/"):
        return f"{scheme}:///{Path(path).absolute()}"
    return url


def opened(folder: Path, url: str | None) -> BaseStorage:
    """The storage of a study in `folder`, or at `url`. UserError: it cannot be reached."""
    import optuna
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy.pool import NullPool

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with told(folder, url, UserError):
        if url is None:
            path = folder / JOURNAL
            _mend(path)
            try:
                return JournalStorage(JournalFileBackend(str(path), cast(Any, _Lock(path))))
            except (KeyError, ValueError, TypeError, AttributeError) as error:
                raise UserError(f"{path}: damaged ({_why(error)})") from error
        wait = {"timeout": BUSY_SECONDS} if url.startswith("sqlite") else {
            "connect_timeout": SECONDS}  # fmt: skip
        # No connection outlives its use: none is broken when the database has been away.
        return RDBStorage(url, {"connect_args": wait, "poolclass": NullPool})


def reach(folder: Path, url: str) -> None:
    """UserError: the database cannot be reached. Asked before anything is written."""
    opened(folder, url)


@contextlib.contextmanager
def told(folder: Path, url: str | None, kind: type[UserError] | type[RunError]) -> Iterator[None]:
    """Turn what storages raise into one clear line of that kind."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna tells of features that may change
            yield
    except (SQLAlchemyError, StorageInternalError) as error:
        if url is None:
            raise
        where = without_password(url)
        raise kind(f"{where}: the study cannot be reached ({_why(error)})") from error
    except OSError as error:
        if url is not None or str(error.filename) not in map(str, _files(folder)):
            raise
        raise kind(f"{error.filename}: cannot be used ({_why(error)})") from error


def _files(folder: Path) -> tuple[Path, Path]:
    """A journal, and the lock for writing to it."""
    return folder / JOURNAL, (folder / JOURNAL).with_suffix(".lock")


def _why(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    words: Any = getattr(error, "orig", None) or error
    if isinstance(error, OSError):
        words = error.strerror or error
    return " ".join(str(words).split())[:200] or type(error).__name__


def _mend(path: Path) -> None:
    """Cut off a line that a killed process, or one without power, left unfinished: whatever is
    written after it would be lost with it."""
    if not path.exists():
        return
    lock = _Lock(path)
    lock.acquire()
    try:
        with path.open("r+b") as file:
            content = file.read()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                file.truncate(whole)
    finally:
        lock.release()


class _Lock:
    """A lock for writing to a journal that ends with its process, so that none is ever stale
    (optuna#5921): what Optuna's own locks do, which are files that stay."""

    def __init__(self, journal: Path) -> None:
        self._path = journal.with_suffix(".lock")
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        assert self._file is not None
        self._file.close()
