"""Tables of SQLite and DuckDB files, and what a query tells of them; nothing is ever written.

SELECT day, sum(sold) AS sold FROM sales GROUP BY day
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from elman.data.forms.cells import Manner
from elman.data.forms.extras import library
from elman.data.forms.forms import form_of
from elman.data.forms.rehearsal import damaged
from elman.data.source import Source
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.data.tables.options import TableOptions
from elman.errors import UserError

if TYPE_CHECKING:
    from types import ModuleType

    import duckdb

PATIENCE_S = 120.0  # for a query to give its next rows
MOST_ROWS = 20_000_000  # that a query may give; one that never ends gives rows for ever
LARGEST_TABLE = 100_000_000  # rows
LONGEST_CELL = 1 << 24  # bytes
STEPS = 100_000  # of SQLite's machine, between two looks at the clock
READING = ("select", "with", "values", "from", "table")  # how a query begins that reads
MEMORY = "1GB"  # of DuckDB
_DAMAGED = (
    "not a database", "malformed", "disk I/O", "corrupt", "Corrupt", "IO Error", "Serialization",
    "INTERNAL", "FATAL",
)  # fmt: skip
_WRITING = ("not authorized", "readonly", "prohibited", "attached in read-only mode")
_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\(", re.DOTALL)
_ALLOWED = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
_FORBIDDEN = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}


class Undecodable(bytes):
    """A text of SQLite that is no UTF-8."""


class Cursor(Protocol):
    """What SQLite and DuckDB have in common."""

    @property
    def description(self) -> Any: ...
    def fetchmany(self, size: int) -> list[Any]: ...


@dataclass(frozen=True)
class Base:
    """A database that is opened anew for each reading of it."""

    shown: str
    run: Callable[[str, Callable[[Cursor], Iterator[Any]]], Iterator[Any]]

    def rows(self, query: str, *, asked: bool = False) -> Iterator[list[Any]]:
        """What a query tells, many rows at once. The first item is the names of the columns.
        UserError: more rows than a query that was `asked`, or a table, may have."""
        most = MOST_ROWS if asked else LARGEST_TABLE
        what = "the query gives more" if asked else "more"
        advice = "end it with a LIMIT" if asked else "give a --query with a LIMIT"

        def read(cursor: Cursor) -> Iterator[Any]:
            yield [column[0] for column in cursor.description or ()]
            count = 0
            while rows := cursor.fetchmany(AT_ONCE):
                count += len(rows)
                if count > most:
                    raise UserError(f"{self.shown}: {what} than {most:,} rows; {advice}")
                yield rows

        return self.run(query, read)


def open_database(source: Source, asked: TableOptions = TableOptions()) -> Content:  # noqa: B008
    """A table of a database, or what a query tells: the only table where nothing is asked for.

    UserError: several tables and none named, no such table, a query that would write or is none,
    a damaged file, no rows.
    """
    if asked.table is not None and asked.query is not None:
        raise UserError(f"{source.shown}: --table and --query at once; give one of them")
    is_duck = form_of(source.path, source.shown) == "duckdb"
    base = _duckdb(source) if is_duck else _sqlite(source)
    if asked.query is not None:
        _check_query(source.shown, asked.query)
        query = asked.query
    else:
        tables = _tables(base, is_duck)
        query = f"SELECT * FROM {tables[_chosen(source.shown, list(tables), asked.table)]}"
    rows = partial(base.rows, query, asked=asked.query is not None)
    return _content(base.shown, rows, _facts(source))


def _content(
    shown: str, read: Callable[[], Iterator[list[Any]]], facts: tuple[str, ...]
) -> Content:
    reading = read()
    names = tuple(next(reading))
    if not names:
        raise UserError(f"{shown}: the query tells nothing; {_ADVICE}")
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f'{shown}: two columns are named "{min(twice)}"; name one by AS')
    manners = [Manner() for _ in names]
    count = 0
    for rows in reading:
        count += len(rows)
        for manner, column in zip(manners, zip(*rows, strict=True), strict=True):
            manner.see(column)
    if not count:
        raise UserError(f"{shown}: holds no rows")

    def blocks(bad: BadRows) -> Iterator[Block]:
        number = 1
        for rows in islice(read(), 1, None):
            numbers: Sequence[int] = range(number, number + len(rows))
            number += len(rows)
            if any(type(cell) is Undecodable for row in rows for cell in row):
                numbers, rows = _decodable(shown, names, numbers, rows, bad)
                if not rows:
                    continue
            columns = zip(manners, zip(*rows, strict=True), strict=True)
            yield Block(
                numbers, list(zip(*(m.cells(column) for m, column in columns), strict=True))
            )

    return Content(names, blocks, facts=facts)


def _decodable(
    shown: str, names: Sequence[str], numbers: Sequence[int], rows: Sequence[Any], bad: BadRows
) -> tuple[list[int], list[Any]]:
    kept = []
    for number, row in zip(numbers, rows, strict=True):
        broken = next((k for k, cell in enumerate(row) if type(cell) is Undecodable), None)
        if broken is None:
            kept.append((number, row))
        else:
            bad.add(f"{shown}, row {number:,}", f'a text that is no UTF-8, in "{names[broken]}"')
    return [number for number, _ in kept], [row for _, row in kept]


_ADVICE = "a query reads: it begins with SELECT or WITH"


def _check_query(shown: str, query: str) -> None:
    place = 0
    while skipped := _COMMENT.match(query, place):
        place = skipped.end()
    word = re.match(r"\w+", query[place:])
    if word is None:
        raise UserError(f"{shown}: an empty query; {_ADVICE}")
    if word[0].lower() not in READING:
        raise UserError(f"{shown}: {word[0].upper()} is not run; {_ADVICE}")


def _chosen(shown: str, tables: Sequence[str], asked: str | None) -> str:
    listed = ", ".join(f'"{name}"' for name in tables[:20])
    listed += f" and {len(tables) - 20:,} more" if len(tables) > 20 else ""
    if not tables:
        raise UserError(f"{shown}: holds no tables")
    if asked is None:
        if len(tables) > 1:
            raise UserError(f"{shown}: several tables; give one of them by --table: {listed}")
        return tables[0]
    if asked in tables:
        return asked
    same = [name for name in tables if name.lower() == asked.lower()]
    if len(same) == 1:
        return same[0]
    near = difflib.get_close_matches(asked, tables, n=1)
    meant = f'; did you mean "{near[0]}"?' if near else ";"
    raise UserError(f'{shown}: no table "{asked}"{meant} tables: {listed}')


def _tables(base: Base, is_duck: bool) -> dict[str, str]:
    """Tables and views, each with how a query names it."""
    query = (
        "SELECT table_schema, table_name FROM information_schema.tables "
        "WHERE table_catalog = current_database() ORDER BY ALL"
        if is_duck
        else "SELECT 'main', name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    found = [row for rows in islice(base.rows(query), 1, None) for row in rows]
    return {
        name if schema == "main" else f"{schema}.{name}": f"{_quoted(schema)}.{_quoted(name)}"
        for schema, name in found
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _facts(source: Source) -> tuple[str, ...]:
    log = source.path.with_name(source.path.name + "-wal")
    if not (log.is_file() and log.stat().st_size):
        return ()
    return (f"changes that another program has not yet written into it ({log.name}) are not read",)


def _sqlite(source: Source) -> Base:
    uri = source.path.absolute().as_uri() + "?mode=ro&immutable=1"
    shown = source.shown

    def allow(action: int, first: str | None, second: str | None, *rest: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FORBIDDEN:
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY

    def decoded(text: bytes) -> str | Undecodable:
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError:
            return Undecodable(text)

    def run(query: str, read: Callable[[Cursor], Iterator[Any]]) -> Iterator[Any]:
        clock = _Clock()
        with _told(shown, "SQLite", clock), closing(_connected(uri)) as base:
            base.execute("PRAGMA query_only = ON")
            base.execute("PRAGMA trusted_schema = OFF")
            base.execute("PRAGMA cell_size_check = ON")
            base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)
            base.text_factory = decoded
            base.set_authorizer(allow)
            base.set_progress_handler(clock.is_over, STEPS)
            clock.start()
            reading = read(base.execute(query))
            for item in reading:
                yield item
                clock.start()

    return Base(shown, run)


def _connected(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


class _Clock:
    """How long a query has taken since it last gave rows."""

    def __init__(self) -> None:
        self.ran_out = False
        self._began = 0.0

    def start(self) -> None:
        self._began = time.monotonic()

    def is_over(self) -> int:
        """Not 0 once the time is over: SQLite then gives up."""
        self.ran_out = self.ran_out or time.monotonic() - self._began > PATIENCE_S
        return int(self.ran_out)


def _duckdb(source: Source) -> Base:
    duckdb = library("duckdb", "duckdb", source.shown)
    shown = source.shown

    def run(query: str, read: Callable[[Cursor], Iterator[Any]]) -> Iterator[Any]:
        clock = _Clock()
        with _told(shown, "DuckDB", clock), closing(connected(duckdb, str(source.path))) as base:
            statements = base.extract_statements(query)
            kinds = [statement.type for statement in statements]
            if len(kinds) != 1:
                raise UserError(f"{shown}: {len(kinds)} statements; give one query")
            if kinds[0] != duckdb.StatementType.SELECT:
                raise UserError(f"{shown}: {kinds[0].name} is not run; {_ADVICE}")
            with _interrupted(base, clock):
                reading = read(base.execute(statements[0]))
                names = next(reading)
            yield names
            while True:
                with _interrupted(base, clock):
                    rows = next(reading, None)
                if rows is None:
                    return
                yield rows

    return Base(shown, run)


def connected(duckdb: ModuleType, path: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB file that can only be read, by a process that can reach no other."""
    config = {
        "enable_external_access": "false",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": MEMORY,
        "lock_configuration": "true",
    }
    return duckdb.connect(path, read_only=True, config=config)  # type: ignore[no-any-return]


@contextmanager
def _interrupted(base: duckdb.DuckDBPyConnection, clock: _Clock) -> Iterator[None]:
    """A query that gives no rows for too long is given up."""

    def give_up() -> None:
        clock.ran_out = True
        base.interrupt()

    timer = threading.Timer(PATIENCE_S, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def _told(shown: str, name: str, clock: _Clock) -> Iterator[None]:
    """Turns what a database says into one line."""
    try:
        yield
    except (UserError, GeneratorExit):
        raise
    except (UnicodeDecodeError, MemoryError):  # the name of a table, a length
        raise damaged(shown, "sqlite" if name == "SQLite" else "duckdb") from None
    except Exception as error:
        if type(error).__module__.split(".")[0] not in ("sqlite3", "duckdb", "_duckdb"):
            raise
        if clock.ran_out:
            raise UserError(f"{shown}: no rows within {PATIENCE_S:g} s; bound the query") from None
        said = " ".join(str(error).split("\n\n")[0].split("LINE 1:")[0].split())
        if "one statement" in said:
            raise UserError(f"{shown}: several statements; give one query") from None
        if any(word in said for word in _WRITING):
            raise UserError(f"{shown}: the query would do more than read; {_ADVICE}") from None
        if any(word in said for word in _DAMAGED) and "lock" not in said:
            raise damaged(shown, "sqlite" if name == "SQLite" else "duckdb") from None
        raise UserError(f"{shown}: {name} says: {said}; check the file and the query") from None
