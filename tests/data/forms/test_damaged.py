"""Damaged files of every form end in a table or in one line: never in a traceback, an abort, or a
complaint of some library. `python damaging.py FILE COUNT` tries more."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from contents import COLUMNS, drawn, write_ods, write_xls, write_xlsx

VALUES, CELLS = drawn(0)
ROWS = [COLUMNS, *VALUES]
FRAME = pl.DataFrame(VALUES, schema=COLUMNS, orient="row")


def write_sqlite(path: Path) -> None:
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE t (a, b, c, d, e, f)")
    base.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", CELLS * 5)
    base.commit()
    base.close()


def write_duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as base:
        base.execute("CREATE TABLE t AS SELECT i, i / 2 AS x, 'w' || i AS w FROM range(500) r(i)")


FORMS: dict[str, tuple[int, Callable[[Path], Any]]] = {
    "xlsx": (300, lambda path: write_xlsx(path, ROWS)),
    "ods": (300, lambda path: write_ods(path, ROWS)),
    "sqlite": (300, write_sqlite),
    "xls": (40, lambda path: write_xls(path, ROWS)),
    "duckdb": (80, write_duckdb),
    "parquet": (80, FRAME.write_parquet),
    "arrow": (80, FRAME.write_ipc),
    "arrows": (80, FRAME.write_ipc_stream),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="reads each file in a process of its own")
@pytest.mark.parametrize("form", FORMS)
def test_damage_is_told_in_one_line(form: str, tmp_path: Path) -> None:
    count, write = FORMS[form]
    write(tmp_path / f"whole.{form}")
    script = Path(__file__).with_name("damaging.py")
    ended = subprocess.run(
        [sys.executable, script, f"whole.{form}", str(count)],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    how = {
        word: int(times)
        for times, word in (line.split(" ", 1) for line in ended.stdout.splitlines())
    }
    assert set(how) <= {"table", "line"}, ended.stdout
    assert sum(how.values()) == count
    assert how["line"] > count / 5
