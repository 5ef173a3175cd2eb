"""Data frames in the place of paths: what is trained, scored and answered is the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import elman
from elman.errors import UserError

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
SMALL: dict[str, Any] = {"hidden_size": 8, "epochs": 1}


def table(seed: int) -> dict[str, list[Any]]:
    draw = np.random.default_rng(seed)
    return {
        "text": [f"{draw.choice(['good', 'bad'])} film {k}" for k in range(60)],
        "label": ["pos" if k % 2 else "neg" for k in range(60)],
    }


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_frame_is_read_as_the_file_that_it_makes(kind: str, tmp_path: Path) -> None:
    make: Callable[[Any], Any] = {"pandas": pandas.DataFrame, "polars": polars.DataFrame}[kind]
    data = table(3)
    path = tmp_path / "a.csv"
    pandas.DataFrame(data).to_csv(path, index=False)
    ours = elman.train("classify", make(data), run=tmp_path / "ours", **SMALL)
    theirs = elman.train("classify", path, run=tmp_path / "theirs", **SMALL)
    assert ours.scores == theirs.scores and ours.baseline == theirs.baseline
    assert ours.evaluate(make(data)).scores == theirs.evaluate(path).scores
    # The run keeps what it learnt from, and goes on without the frame.
    assert elman.load(tmp_path / "ours").evaluate().scores == ours.evaluate().scores
    said, written = io.StringIO(), io.StringIO()
    ours.predict(make({"text": data["text"]}), out=said)
    theirs.predict(path, out=written)
    assert said.getvalue().count("\n") == 60
    answers = [line.split('"predicted": "')[1][:3] for line in said.getvalue().splitlines()]
    assert answers == [line.split(",")[2] for line in written.getvalue().splitlines()[1:]]


def test_dates_of_a_frame_are_the_times_of_its_series(tmp_path: Path) -> None:
    days = pandas.date_range("2021-01-01", periods=80, tz="Europe/Berlin").tz_localize(None)
    frame = pandas.DataFrame({"when": days, "y": np.arange(80.0)})
    run = elman.train("forecast", frame, run=tmp_path / "run", **SMALL)
    out = io.StringIO()
    run.predict(frame, out=out)
    assert "2021-03-22" in out.getvalue()


def test_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="data of type int: needs a path"):
        elman.train("classify", 3, run=tmp_path / "run")
