"""Databases are read and nothing else: tables, views, queries; whatever would write is refused."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from contents import COLUMNS, drawn, numbers_of, opened, rows_of

from elman.data.forms import databases
from elman.data.forms.databases import open_database
from elman.data.tables.content import BadRows
from elman.errors import UserError

NAMES = ("sales", 'with "quotes" and spaces', "表", "order", "select; drop table x")
WRITES = (
    "INSERT INTO sales VALUES (1, 'x')",
    "DROP TABLE sales",
    "ATTACH 'other.db' AS other",
    "CREATE TABLE t AS SELECT 1",
    "DELETE FROM sales",
    "UPDATE sales SET x = 1",
    "PRAGMA user_version = 3",
    "VACUUM INTO 'copy.db'",
    "WITH a AS (SELECT 1, 'x') INSERT INTO sales SELECT * FROM a",
    "/* SELECT */ DROP TABLE sales",
    "-- SELECT\nDROP TABLE sales",
    "COPY sales TO 'out.csv'",
    "SELECT 1; DROP TABLE sales",
    "SELECT load_extension('x')",
    "SELECT * FROM read_csv('/etc/hosts')",
    "SELECT * FROM '/etc/hosts'",
    "INSTALL httpfs",
    "SET enable_external_access = true",
)


def sqlite(path: Path, *tables: str) -> Path:
    base = sqlite3.connect(path)
    for name in tables:
        quoted = '"' + name.replace('"', '""') + '"'
        base.execute(f"CREATE TABLE {quoted} (x INTEGER, word TEXT)")
        base.executemany(f"INSERT INTO {quoted} VALUES (?, ?)", [(1, "a"), (2, name)])
    base.commit()
    base.close()
    return path


def duck(path: Path, *tables: str) -> Path:
    with duckdb.connect(str(path)) as base:
        for name in tables:
            quoted = '"' + name.replace('"', '""') + '"'
            base.execute(f"CREATE TABLE {quoted} (x INTEGER, word TEXT)")
            base.executemany(f"INSERT INTO {quoted} VALUES (?, ?)", [(1, "a"), (2, name)])
    return path


MAKERS = pytest.mark.parametrize("make", [sqlite, duck])


@MAKERS
@pytest.mark.parametrize("name", NAMES)
def test_names_of_tables_are_names(make: Any, name: str, tmp_path: Path) -> None:
    content = opened(open_database, make(tmp_path / "a.db", name))
    assert content.columns == ("x", "word")
    assert rows_of(content) == [[1, "a"], [2, name]]
    assert numbers_of(content) == [1, 2]


@MAKERS
def test_which_table(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", "sales", "表")
    assert rows_of(opened(open_database, path, table="表"))[1] == [2, "表"]
    assert rows_of(opened(open_database, path, table="SALES"))[1] == [2, "sales"]
    with pytest.raises(
        UserError, match='several tables; give one of them by --table: "sales", "表"'
    ):
        opened(open_database, path)
    with pytest.raises(UserError, match='no table "sale"; did you mean "sales"'):
        opened(open_database, path, table="sale")
    with pytest.raises(UserError, match="--table and --query at once"):
        opened(open_database, path, table="sales", query="SELECT 1")
    with pytest.raises(UserError, match="holds no tables"):
        opened(open_database, make(tmp_path / "b.db"))


@MAKERS
def test_queries(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path / "a.db", "sales")
    for query in (
        "SELECT word, x * 10 AS ten FROM sales ORDER BY x DESC",
        "  -- what sells\n WITH s AS (SELECT * FROM sales) "
        "SELECT word, x * 10 ten FROM s ORDER BY x DESC;",
    ):
        content = opened(open_database, path, query=query)
        assert content.columns == ("word", "ten")
        assert rows_of(content) == [["sales", 20], ["a", 10]]
    with pytest.raises(UserError, match='two columns are named "x"; name one by AS'):
        opened(open_database, path, query="SELECT x, x FROM sales")
    with pytest.raises(UserError, match="holds no rows"):
        opened(open_database, path, query="SELECT * FROM sales WHERE x > 5")
    with pytest.raises(UserError, match=r"says: .*nosuch"):
        opened(open_database, path, query="SELECT nosuch FROM sales")
    with pytest.raises(UserError, match="an empty query"):
        opened(open_database, path, query=" -- nothing")


@MAKERS
@pytest.mark.parametrize("query", WRITES)
def test_whatever_writes_is_refused(
    make: Any, query: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path / "a.db", "sales")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(UserError) as caught:
        opened(open_database, path, query=query)
    assert "\n" not in str(caught.value)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_query_that_writes_by_the_way_is_told_as_such(tmp_path: Path) -> None:
    query = "WITH a AS (DELETE FROM sales RETURNING *) SELECT * FROM a"
    with pytest.raises(UserError, match="the query would do more than read; a query reads: it"):
        opened(open_database, duck(tmp_path / "a.db", "sales"), query=query)


@MAKERS
def test_a_query_that_never_ends(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "a.db", "sales")
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "
    monkeypatch.setattr(databases, "PATIENCE_S", 0.2)
    with pytest.raises(UserError, match=r"no rows within 0\.2 s; bound the query"):
        opened(open_database, path, query=endless + "count(*) c FROM n")
    monkeypatch.setattr(databases, "PATIENCE_S", 20.0)
    monkeypatch.setattr(databases, "MOST_ROWS", 30_000)
    many = "SELECT a.x, b.x y FROM " + ", ".join(f"sales {c}" for c in "abcdefghijklmnop")
    with pytest.raises(UserError, match="gives more than 30,000 rows; end it with a LIMIT"):
        opened(open_database, path, query=many)
    assert numbers_of(opened(open_database, path, query=many + " LIMIT 30000"))[-1] == 30_000


def test_rows_without_end_are_bounded_and_tables_may_be_larger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as base, base:
        base.execute("CREATE TABLE t (n)")
        base.executemany("INSERT INTO t VALUES (?)", [(k,) for k in range(50)])
    monkeypatch.setattr(databases, "MOST_ROWS", 40)
    rows = "with recursive r(n) as (select 1 union all select n + 1 from r) "
    endless = rows + "select n as ds, n as y from r"
    with pytest.raises(UserError, match="more than 40 rows; end it with a LIMIT"):
        opened(open_database, path, query=endless)
    assert len(rows_of(opened(open_database, path))) == 50
    monkeypatch.setattr(databases, "LARGEST_TABLE", 40)
    with pytest.raises(UserError, match="more than 40 rows; give a --query with a LIMIT"):
        opened(open_database, path)


def test_types_of_duckdb(tmp_path: Path) -> None:
    values, cells = drawn(3)
    with duckdb.connect(str(tmp_path / "a.duckdb")) as base:
        kinds = ("DATE", "TIMESTAMP", "INTEGER", "DOUBLE", "VARCHAR", "BOOLEAN")
        columns = ", ".join(f'"{n}" {k}' for n, k in zip(COLUMNS, kinds, strict=True))
        base.execute(f"CREATE TABLE t ({columns})")
        base.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", values)
        base.execute("CREATE VIEW v AS SELECT day FROM t")
    assert rows_of(opened(open_database, tmp_path / "a.duckdb", table="t")) == cells
    days = rows_of(opened(open_database, tmp_path / "a.duckdb", table="v"))
    assert days == [[row[0]] for row in cells]
    query = "SELECT 1.50::DECIMAL(5,2) d, [1, NULL] l, {'a': DATE '2021-01-01'} s, 'nan'::DOUBLE n"
    content = opened(open_database, tmp_path / "a.duckdb", query=query)
    assert rows_of(content) == [[1.5, [1, None], {"a": "2021-01-01"}, None]]


def test_texts_of_sqlite_that_are_no_utf_8(tmp_path: Path) -> None:
    base = sqlite3.connect(tmp_path / "a.db")
    base.execute("CREATE TABLE t (x, y)")
    base.execute("INSERT INTO t VALUES (1, 'gut'), (2, CAST(x'ff41' AS TEXT)), (3, x'ff41')")
    base.commit()
    base.close()
    content = opened(open_database, tmp_path / "a.db")
    with pytest.raises(UserError, match=re.escape('a.db, row 2: a text that is no UTF-8, in "y"')):
        rows_of(content)
    bad = BadRows(skip=True)
    assert rows_of(content, bad) == [[1, "gut"], [3, "<2 bytes>"]]
    assert bad.count == 1


def test_changes_that_are_not_written_yet_are_told(tmp_path: Path) -> None:
    path = sqlite(tmp_path / "a.db", "sales")
    (tmp_path / "a.db-wal").write_bytes(b"x" * 100)
    content = opened(open_database, path)
    assert "a.db-wal" in content.facts[0]
    assert len(rows_of(content)) == 2
