"""Parquet and Arrow: what was written is read, a group of rows at a time."""

from __future__ import annotations

import datetime as d
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from contents import COLUMNS, drawn, numbers_of, opened, rows_of

from elman.data.forms.columnar import open_columnar
from elman.data.forms.forms import form_of
from elman.data.forms.other_forms import open_other_form
from elman.data.source import Source
from elman.data.tables.options import TableOptions
from elman.errors import UserError

WRITERS: dict[str, Callable[[pl.DataFrame, Path], Any]] = {
    "parquet": lambda frame, path: frame.write_parquet(path, row_group_size=7),
    "arrow": lambda frame, path: frame.write_ipc(path, record_batch_size=7),
    "arrows": lambda frame, path: frame.write_ipc_stream(path),
}


@pytest.mark.parametrize("form", WRITERS)
def test_what_was_written_is_read(form: str, tmp_path: Path) -> None:
    values, cells = drawn(len(form))
    path = tmp_path / f"a.{form}"
    WRITERS[form](pl.DataFrame(values, schema=COLUMNS, orient="row"), path)
    content = opened(open_columnar, path)
    assert form_of(path) == form
    assert content.columns == tuple(COLUMNS)
    assert rows_of(content) == cells
    assert numbers_of(content) == list(range(1, len(cells) + 1))
    assert rows_of(content) == cells  # and again


def test_types(tmp_path: Path) -> None:
    noon = d.datetime(2021, 3, 28, 12)
    zoned = pl.Series([noon, noon - d.timedelta(days=1), None]).dt.replace_time_zone(
        "Europe/Berlin"
    )
    frame = pl.DataFrame(
        {
            "zoned": zoned,
            "midnights": [d.datetime(2021, 1, 1), None, d.datetime(2021, 1, 2)],
            "fraction": [noon, noon + d.timedelta(milliseconds=5), None],
            "time": [d.time(3), None, d.time(4, 30)],
            "duration": [d.timedelta(hours=1), None, d.timedelta(seconds=2)],
            "float": [1.5, float("nan"), None],
            "whole": [201901.0, float("nan"), 201902.0],
            "category": pl.Series(["a", "b", None], dtype=pl.Categorical),
            "decimal": pl.Series(["1.25", None, "3"]).cast(pl.Decimal(8, 2)),
            "list": [[1, 2], [], None],
            "dates": [[d.date(2021, 1, 1)], None, []],
            "bytes": [b"text", b"\xff\xfe", None],
            "large": pl.Series([2**63, None, 1], dtype=pl.UInt64),
            "translation": [{"de": "gut", "en": "good"}, {"de": None, "en": "b"}, None],
        }
    )  # fmt: skip
    frame.write_parquet(tmp_path / "a.parquet")
    content = opened(open_columnar, tmp_path / "a.parquet")
    columns = dict(zip(content.columns, zip(*rows_of(content), strict=True), strict=True))
    assert columns == {
        "zoned": ("2021-03-28T12:00:00+02:00", "2021-03-27T12:00:00+01:00", None),
        "midnights": ("2021-01-01", None, "2021-01-02"),
        "fraction": ("2021-03-28T12:00:00.000", "2021-03-28T12:00:00.005", None),
        "time": ("03:00:00", None, "04:30:00"),
        "duration": (3600, None, 2),
        "float": (1.5, None, None),
        "whole": (201901, None, 201902),
        "category": ("a", "b", None),
        "decimal": (1.25, None, 3.0),
        "list": ([1, 2], [], None),
        "dates": (["2021-01-01"], None, []),
        "bytes": ("text", "<2 bytes>", None),
        "large": (2**63, None, 1),
        "translation.de": ("gut", None, None),
        "translation.en": ("good", "b", None),
    }
    assert type(columns["whole"][0]) is int


def test_many_rows_come_in_blocks(tmp_path: Path) -> None:
    pl.DataFrame({"x": np.arange(50_000)}).write_parquet(
        tmp_path / "a.parquet", row_group_size=9000
    )
    content = opened(open_columnar, tmp_path / "a.parquet")
    assert [row[0] for row in rows_of(content)] == list(range(50_000))
    assert numbers_of(content) == list(range(1, 50_001))


def test_no_rows_and_two_columns_of_one_name(tmp_path: Path) -> None:
    pl.DataFrame({"x": []}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(UserError, match="holds no rows"):
        opened(open_columnar, tmp_path / "a.parquet")
    pl.DataFrame({"a.b": [1], "a": [{"b": 2}]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(UserError, match=r'two columns are named "a\.b"'):
        opened(open_columnar, tmp_path / "b.parquet")


def test_forms_are_told_by_their_content(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1]})
    frame.write_parquet(tmp_path / "a.csv")
    (tmp_path / "b.xls").write_text("x\ty\n1\t2\n")
    (tmp_path / "c.xls").write_text("\n<html><table><tr><td>1</td></tr></table></html>")
    (tmp_path / "d.parquet").write_bytes(b"")
    (tmp_path / "e.csv").write_text("x,y\n1,2\n")
    (tmp_path / "f.csv").write_bytes("x,y\n1,2\n".encode("utf-16"))
    assert [form_of(tmp_path / name) for name in ("a.csv", "b.xls", "e.csv", "f.csv")] == [
        "parquet", None, None, None,
    ]  # fmt: skip
    assert form_of(tmp_path / "d.parquet") == "parquet"
    with pytest.raises(UserError, match="a page of the web under the name of a spreadsheet"):
        form_of(tmp_path / "c.xls", "c.xls")


@pytest.mark.parametrize(
    ("name", "asked", "what"),
    [
        ("a.parquet", {"sheet": "1"}, "a Parquet file has no sheets; leave out --sheet"),
        ("a.csv", {"query": "SELECT 1"}, "a text is no database; leave out --query"),
        ("a.parquet.gz", {}, "a packed Parquet file; unpack it first"),
    ],
)
def test_options_that_do_not_fit(
    name: str, asked: dict[str, Any], what: str, tmp_path: Path
) -> None:
    import gzip

    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    with pytest.raises(UserError, match=what):
        open_other_form(Source(name, tmp_path / name), TableOptions(**asked))


@pytest.mark.parametrize(
    ("form", "module", "name"),
    [
        ("parquet", "polars", "polars"),
        ("xlsx", "python_calamine", "python-calamine"),
        ("duckdb", "duckdb", "duckdb"),
    ],
)
def test_a_missing_library_is_named(form: str, module: str, name: str, tmp_path: Path) -> None:
    begin = {"parquet": b"PAR1", "duckdb": bytes(8) + b"DUCK", "xlsx": b"PK\x03\x04\0"}[form]
    (tmp_path / f"a.{form}").write_bytes(begin + bytes(100))
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from pathlib import Path\n"
        "from elman.data.source import Source\n"
        "from elman.data.tables.options import TableOptions\n"
        "from elman.data.forms.other_forms import open_other_form\n"
        "from elman.errors import UserError\n"
        f"try: open_other_form(Source('a', Path('a.{form}')), TableOptions())\n"
        "except UserError as error: print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert ended.stdout == f"a: needs {name} to be read; pip install 'elman[tables]'\n"
