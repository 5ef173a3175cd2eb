"""The tables of verdicts and promises: rows that can be trained, and what was had in them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from elman import tasks
from elman.data.built_in.named import NAMED, members

BENCH = Path(__file__).parent.parent / "bench"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


verdicts = script("verdicts")


def record(**changed: Any) -> dict[str, Any]:
    return {
        "name": "walk", "task": "forecast", "size": "3 series", "promise": True, "minutes": 2.0,
        "wall": 118.0, "processor": 90.2, "error": "", "tested": True, "epochs": 7, "ended": "",
        "scores": {"mase": 1.25, "mae": 3}, "line": "It used 1:58 of 2:00, for 7 epochs.",
        "rivals": {"last | value": {"mase": 1.5, "mae": 4}, "mean": {"mase": 2.0, "mae": 4}},
        "gain": {"low": -0.5, "high": 0.75, "unit": "series", "units": 3},
    } | changed  # fmt: skip


def test_every_row_names_a_task_and_data_once_and_ten_sizes_stand_for_the_promise() -> None:
    rows = verdicts.rows()
    assert len({row.name for row in rows}) == len(rows)
    assert {row.task for row in rows} <= set(tasks.names())
    for row in rows:
        for item in (*row.data, *row.named):
            if item.startswith("name:"):
                assert all(name in NAMED for name in members(item.removeprefix("name:"))), item
    promised = [row for row in rows if row.promise]
    assert len(promised) >= 10 and {row.task for row in promised} == {row.task for row in rows}
    # What comes with Elman is trained on, whatever else lies at hand.
    built_in = {name for name, entry in NAMED.items() if entry.url is None}
    assert built_in <= {i.removeprefix("name:") for row in rows for i in row.data}


def test_data_is_found_by_its_folder_its_name_or_not_at_all(tmp_path: Path) -> None:
    own = verdicts.Row("a", "text", "", ("text/a.txt",), ("name:hamlet",), ("text/b.txt",))
    assert verdicts.found(own, None, tmp_path) == (["name:hamlet"], [])
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").touch()
    assert verdicts.found(own, tmp_path, tmp_path) == ([str(tmp_path / "text" / "a.txt")], [])
    bare = verdicts.Row("a", "text", "", ("text/c.txt",))
    assert verdicts.found(bare, tmp_path, tmp_path) is None


def test_the_tables_tell_scores_rivals_interval_and_time() -> None:
    failed = record(name="bad", error="it broke | here", promise=False)
    lines = verdicts.verdict_table([record(), failed, record(gain=None)])
    assert all(line.count("|") - line.count("\\|") == 10 for line in lines), lines
    whole = lines[2]
    for told in ("mase, test", "| 1.2500 |", "**last \\| value 1.5000**; mean 2.0000",
                 "-0.5000 to 0.7500", "| 7 |", "1:58 of 2:00", "| 90 |"):  # fmt: skip
        assert told in whole, told
    assert "it broke" in lines[3] and "not counted" in lines[4]
    promises = verdicts.promise_table([record(), failed])
    assert len(promises) == 3 and "| 98% |" in promises[2] and "for 7 epochs" in promises[2]


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ({}, True), ({"wall": 107.0}, False), ({"wall": 107.0, "ended": "nothing better"}, True),
        ({"wall": 127.0}, False), ({"wall": 127.0, "ended": "nothing better"}, False),
        ({"error": "x"}, False),
    ],
)  # fmt: skip
def test_a_promise_is_kept_by_the_clock_or_by_a_reason(changed: Any, kept: bool) -> None:
    assert verdicts.kept_promises([record(**changed)]) == ([] if kept else ["walk"])


def test_a_row_that_fails_is_told_with_its_error_and_its_processes_are_measured(
    tmp_path: Path,
) -> None:
    (tmp_path / "rows").mkdir()
    row = verdicts.Row("none", "regress", "nothing", ("none.csv",))
    found = verdicts.measured(row, [str(tmp_path / "none.csv")], [], 0.1, 1, tmp_path)
    assert "no file" in found["error"] and found["wall"] > found["processor"] / 4 > 0
    assert "none.csv --minutes 0.1" in found["command"] and str(tmp_path) not in found["command"]
