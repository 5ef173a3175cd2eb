"""What is done to the sessions in the database, each in a transaction of the journal.

A session that a request has is leased: by a name, that of a worker and a number of its own, until
a time that the worker puts off as long as it lives.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from elman.serve.contract import Refused, Session

LEASE = 45.0  # seconds after which a session is free whose worker stands still
SWEPT = 200  # expired sessions that are removed at once, so that nobody waits long
ANSWERS = 64  # that are kept for retries of a session's newest inputs
COLUMNS = "id, model, position, created, expires, seconds, state"


@dataclass(frozen=True)
class Row:
    id: str
    model: str
    position: int
    created: float
    expires: float
    seconds: float
    state: bytes

    def session(self) -> Session:
        return Session(self.id, self.model, self.position, self.created, self.expires)


def insert(db: sqlite3.Connection, row: Row, most: int, now: float) -> None:
    """Refused: there are as many as there may be."""
    if count(db, now) >= most:
        (first,) = db.execute(
            "SELECT min(expires) FROM sessions WHERE expires > ?", (now,)
        ).fetchone()
        wait = max(1, min(60, round((first or now) - now)))
        raise Refused(429, "too_many_sessions", f"{most:,} sessions are alive, and no more may be; "
                      "delete one, or wait until one expires", retry_after=wait)  # fmt: skip
    db.execute("DELETE FROM sessions WHERE id = ?", (row.id,))  # one that has expired
    db.execute(
        f"INSERT INTO sessions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.id, row.model, row.position, row.created, row.expires, row.seconds, row.state),
    )


def find(db: sqlite3.Connection, id: str, now: float) -> Row:
    """Refused: it is not there, or has expired."""
    row = alive(db, id, now)
    if row is None:
        raise Refused(404, "session_not_found", "no such session; it may have expired", "session")
    return row


def alive(db: sqlite3.Connection, id: str, now: float) -> Row | None:
    found = db.execute(
        f"SELECT {COLUMNS} FROM sessions WHERE id = ? AND max(expires, held_until) > ?", (id, now)
    ).fetchone()
    return None if found is None else Row(*found)


def hold(
    db: sqlite3.Connection, id: str, holder: str, now: float, is_dead: Callable[[str], bool]
) -> Row:
    """Lease a session. Refused: it is not there, or a request has it whose worker is not dead."""
    row = find(db, id, now)
    query = "SELECT holder FROM sessions WHERE id = ? AND held_until > ?"
    for (other,) in db.execute(query, (id, now)).fetchall():
        if not is_dead(other.split(".")[0]):
            raise in_use()
    db.execute(
        "UPDATE sessions SET holder = ?, held_until = ? WHERE id = ?", (holder, now + LEASE, id)
    )
    return row


def in_use() -> Refused:
    return Refused(
        409, "session_in_use", "another request has this session; send it again when that has "
        "ended, or fork the session", "session",
    )  # fmt: skip


def renew(db: sqlite3.Connection, holders: list[str], now: float) -> None:
    """Put off the end of leases."""
    db.executemany(
        "UPDATE sessions SET held_until = ? WHERE holder = ?",
        [(now + LEASE, holder) for holder in holders],
    )


def release(db: sqlite3.Connection, id: str, holder: str, now: float) -> None:
    """From now on it lives for as long as it lives after a use."""
    db.execute(
        "UPDATE sessions SET holder = NULL, held_until = 0, expires = ? + seconds "
        "WHERE id = ? AND holder = ?",
        (now, id, holder),
    )


def keep(
    db: sqlite3.Connection, id: str, holder: str, position: int, state: bytes, now: float
) -> Session:
    """Refused: the lease has ended, and perhaps another request has the session."""
    found = db.execute(
        "UPDATE sessions SET position = ?, state = ?, expires = ? + seconds, held_until = ? "
        f"WHERE id = ? AND holder = ? RETURNING {COLUMNS}",
        (position, state, now, now + LEASE, id, holder),
    ).fetchall()
    if not found:
        raise in_use()
    return Row(*found[0]).session()


def put(
    db: sqlite3.Connection, id: str, model: str, position: int, state: bytes, now: float
) -> Session:
    """Refused: it is not there, of another model, or a request has it."""
    row = find(db, id, now)
    if row.model != model:
        raise Refused(400, "invalid_state", f"the session is of the model {row.model}", "state")
    found = db.execute(
        "UPDATE sessions SET position = ?, state = ?, expires = ? + seconds "
        f"WHERE id = ? AND held_until <= ? RETURNING {COLUMNS}",
        (position, state, now, id, now),
    ).fetchall()
    if not found:
        raise in_use()
    db.execute("DELETE FROM answers WHERE session = ?", (id,))
    return Row(*found[0]).session()


def delete(db: sqlite3.Connection, id: str, now: float) -> None:
    """Refused: it is not there, or a request has it."""
    find(db, id, now)
    if not db.execute("DELETE FROM sessions WHERE id = ? AND held_until <= ?", (id, now)).rowcount:
        raise in_use()


def count(db: sqlite3.Connection, now: float) -> int:
    (found,) = db.execute("SELECT count(*) FROM sessions WHERE expires > ?", (now,)).fetchone()
    return int(found)


def sweep(db: sqlite3.Connection, now: float) -> bool:
    """Remove some that have expired. → whether there may be more."""
    removed = db.execute(
        "DELETE FROM sessions WHERE id IN "
        "(SELECT id FROM sessions WHERE expires <= ? AND held_until <= ? LIMIT ?)",
        (now, now, SWEPT),
    ).rowcount
    return removed == SWEPT


def answer(db: sqlite3.Connection, id: str, key: str, told: bytes) -> None:
    """Keep what an input was answered with, for a retry; of a session the newest alone."""
    db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (id, key, told))
    db.execute(
        "DELETE FROM answers WHERE session = ? AND rowid NOT IN "
        "(SELECT rowid FROM answers WHERE session = ? ORDER BY rowid DESC LIMIT ?)",
        (id, id, ANSWERS),
    )


def answered(db: sqlite3.Connection, id: str, key: str) -> bytes | None:
    found = db.execute(
        "SELECT answer FROM answers WHERE session = ? AND key = ?", (id, key)
    ).fetchone()
    return None if found is None else bytes(found[0])
