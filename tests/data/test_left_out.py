"""Where every row is left out, nothing is left, and the line says why the first of them was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elman.data.labelled import files as labelled_files
from elman.data.labelled.roles import LabelRoles
from elman.data.pairs import reading as pairs
from elman.data.pairs.roles import PairRoles
from elman.data.tables.content import BadRows
from elman.data.tags import reading as tags
from elman.data.tags.sentence import TagRoles
from elman.data.time_series import series
from elman.data.time_series.options import SeriesOptions
from elman.data.trajectories import trajectories
from elman.data.trajectories.roles import Columns
from elman.errors import UserError

Read = Callable[[list[str], BadRows], Any]
DATA: dict[str, tuple[str, Read]] = {
    "sequences": (
        "text,label\n,a\n,b\n",
        lambda data, bad: labelled_files.read(
            data, LabelRoles(text_columns=("text",), label_columns=("label",)), bad
        ),
    ),
    "pairs": (
        "source,target\n,a\n,b\n",
        lambda data, bad: pairs.read(data, PairRoles("source", "target"), bad),
    ),
    "sentences": (
        '{"tokens": [], "tags": []}\n{"tokens": ["a"], "tags": []}\n',
        lambda data, bad: tags.read(data, TagRoles("tokens", "tags"), bad),
    ),
    "series": (
        "ds,y\n2020-01-01,\n2020-01-02,\n2020-01-03,\n",
        lambda data, bad: series.read(data, SeriesOptions(target=("y",)), bad),
    ),
    "steps": (
        "sequence,x,y\n1,a,1\n1,2,1\n2,b,2\n2,1,2\n",
        lambda data, bad: trajectories.read(
            data, Columns(sequence_column=("sequence",), input_columns=("x",), target=("y",)), bad
        ),
    ),
}


@pytest.mark.parametrize("of", DATA)
def test_what_is_left_out_entirely_is_told_with_its_reason(of: str, tmp_path: Path) -> None:
    content, read = DATA[of]
    path = tmp_path / ("a.jsonl" if content.startswith("{") else "a.csv")
    path.write_text(content)
    with pytest.raises(UserError) as first:
        read([str(path)], BadRows(skip=False))
    reason = str(first.value).partition("; give --skip-bad-rows")[0]
    with pytest.raises(UserError) as none:
        read([str(path)], BadRows(skip=True))
    assert ": holds no " in str(none.value)
    assert str(none.value).endswith(f", as what it has was left out; {reason}")
