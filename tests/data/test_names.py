"""Columns are known by their names in the languages in which people write their tables."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from elman.data.labelled.looks import LABELS
from elman.data.labelled.roles import TEXTS, UNKNOWN, settle
from elman.data.source import resolve
from elman.data.tables.table import Table, open_table
from elman.data.time_series.time_names import STRONG


def table(path: Path, names: tuple[str, ...], rows: int = 30) -> Table:
    """The first column holds dates, the second and third what either could be."""
    cells = (
        f"2020-01-{k + 1:02},word{k % 7} x{k % 5},{'ab'[k % 2]}{k % 3} c{k}" for k in range(rows)
    )
    path.write_text("\n".join([",".join(names), *cells]) + "\n", encoding="utf-8")
    return open_table(resolve([str(path)])[0])


# Each name once with a partner, the lists going round.
@pytest.mark.parametrize(("label", "text"), list(zip(LABELS, itertools.cycle(TEXTS), strict=False)))
def test_labels_and_texts_by_name(tmp_path: Path, label: str, text: str) -> None:
    for names in ((text, label), (label, text)):
        opened = table(tmp_path / "x.csv", ("day", *names))
        roles, told = settle(opened, UNKNOWN)
        assert (roles.label_columns, roles.text_columns) == ((label,), (text,))
        assert "not used: day, which holds dates" in told


@pytest.mark.parametrize("text", TEXTS)
def test_texts_by_name(tmp_path: Path, text: str) -> None:
    roles, _ = settle(table(tmp_path / "x.csv", ("day", text.title(), "標籤")), UNKNOWN)
    assert roles.text_columns == (text.title(),)


def test_no_name_stands_twice() -> None:
    for names in (LABELS, TEXTS, STRONG):
        assert len(set(names)) == len(names)
