"""The database of the sessions: one thread that writes, in transactions of all that waits.

Write-ahead log. What must outlive everything is committed with the log flushed to the disk
(`synchronous=FULL`), once for all requests that wait: it outlives `kill -9`, and a loss of power as
well if the disk keeps what it says it has flushed. Leases, which nobody has to find again, are
committed without. Processes take turns by SQLite's own locks.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, final

from elman.errors import RunError

T = TypeVar("T")
Tidy: TypeAlias = Callable[[sqlite3.Connection], bool]

VERSION = 1
SCHEMA = """
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    model TEXT NOT NULL,
    position INTEGER NOT NULL,
    created REAL NOT NULL,  -- seconds since 1970
    expires REAL NOT NULL,
    seconds REAL NOT NULL,  -- that it lives after each use
    state BLOB NOT NULL,
    holder TEXT,            -- the request that has it
    held_until REAL NOT NULL DEFAULT 0
);
CREATE INDEX sessions_by_end ON sessions (expires);
CREATE TABLE answers (
    session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    answer BLOB NOT NULL,
    PRIMARY KEY (session, key)
);
"""
PATIENCE = 30.0  # seconds that another process may keep the database to itself
AT_ONCE = 256  # requests of one transaction


@dataclass
class _Request:
    act: Callable[[sqlite3.Connection], Any]
    lasting: bool
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@final
class Journal:
    """RunError: the database cannot be opened, or is none of ours."""

    def __init__(self, path: Path, tidy: Tidy, every: float) -> None:
        """`tidy` is called in a transaction of its own about `every` so many seconds, and soon
        again while it tells that there is more to do."""
        self._path, self._tidy, self._every = path, tidy, every
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = _connect(path)
        except (sqlite3.Error, OSError) as error:
            raise RunError(f"{path}: the sessions' database cannot be opened ({error})") from None
        self._thread = threading.Thread(
            target=self._run, args=(connection,), name="elman-sessions", daemon=True
        )
        self._thread.start()

    async def ask(self, act: Callable[[sqlite3.Connection], T], *, lasting: bool = False) -> T:
        """What `act` gives, committed; `lasting` if it must outlive a loss of power. What it raises
        undoes what it did."""
        if self._closed:
            raise RunError("the server is closing")
        loop = asyncio.get_running_loop()
        request = _Request(act, lasting, loop.create_future(), loop)
        self._requests.put(request)
        found: T = await request.done
        return found

    async def close(self) -> None:
        """Ends the thread once all is written that was asked for."""
        self._closed = True
        self._requests.put(None)
        await asyncio.to_thread(self._thread.join)

    # ---- In the journal's thread

    def _run(self, connection: sqlite3.Connection) -> None:
        tidied = time.monotonic()
        while True:
            requests, last = self._next(tidied + self._every - time.monotonic())
            if requests:
                self._answer(connection, requests)
            if last:
                break
            if time.monotonic() - tidied >= self._every and not self._more_to_tidy(connection):
                tidied = time.monotonic()
        connection.close()

    def _next(self, seconds: float) -> tuple[list[_Request], bool]:
        """All requests that wait, once there is one or some seconds are over; and whether they are
        the last."""
        requests: list[_Request] = []
        try:
            one = self._requests.get(timeout=max(seconds, 0))
            while one is not None:
                requests.append(one)
                if len(requests) == AT_ONCE:
                    return requests, False
                one = self._requests.get_nowait()
        except queue.Empty:
            return requests, False
        return requests, True

    def _more_to_tidy(self, connection: sqlite3.Connection) -> bool:
        try:
            connection.execute("PRAGMA synchronous=NORMAL")
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                return self._tidy(connection)
        except sqlite3.Error:  # a full disk: whoever asks for something is told
            return False

    def _answer(self, connection: sqlite3.Connection, requests: list[_Request]) -> None:
        """One transaction of them all."""
        flushed = any(request.lasting for request in requests)
        found: list[tuple[_Request, Any, Exception | None]] = []
        try:
            connection.execute(f"PRAGMA synchronous={'FULL' if flushed else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            for request in requests:
                found.append((request, *_attempt(connection, request)))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            told = RunError(f"{self._path}: the sessions cannot be written ({error})")
            found = [(request, None, told) for request in requests]
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Request, Any, Exception | None]]] = {}
        for one in found:
            by_loop.setdefault(one[0].loop, []).append(one)
        for loop, some in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, some)


def _attempt(connection: sqlite3.Connection, request: _Request) -> tuple[Any, Exception | None]:
    connection.execute("SAVEPOINT one")
    try:
        found = request.act(connection)
    except sqlite3.Error:
        raise  # the database itself fails: nobody's request is done
    except Exception as error:
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return None, error
    connection.execute("RELEASE one")
    return found, None


def _tell(some: list[tuple[_Request, Any, Exception | None]]) -> None:
    for request, found, error in some:
        if request.done.done():  # whoever asked has gone
            continue
        if error is None:
            request.done.set_result(found)
        else:
            request.done.set_exception(error)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    _log_ahead(connection)
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
            raise sqlite3.DatabaseError("it is another program's database")
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")
    elif version != VERSION:
        raise sqlite3.DatabaseError(f"it has version {version}; this server reads {VERSION}")
    connection.execute("COMMIT")
    return connection


def _log_ahead(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for other processes that change to the log at the same time."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
