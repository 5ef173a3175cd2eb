"""What one column leaves open, the others and the separator tell; only real doubts are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from elman.data.source import resolve
from elman.data.tables.reading import Reading
from elman.data.tables.table import open_table


def read(path: Path, text: str) -> Reading:
    path.write_text(text, encoding="utf-8")
    return open_table(resolve([str(path)])[0]).examined.reading


THREE = ("100.041", "99.506", "12.345")


@pytest.mark.parametrize(
    ("separator", "other", "decimal", "doubted"),
    [
        (",", "a", ".", False),  # a comma that parts cells is no decimal mark beside them
        ("\t", "a", ".", True),
        ("|", "a", ".", True),
        ("\t", "1.5", ".", False),
        ("|", "2.5", ".", False),
        (";", "a", ",", False),
        (";", "1.5", ".", False),
        ("\t", "1,5", ",", False),
    ],
)
def test_three_decimals_are_doubted_only_where_nothing_tells(
    tmp_path: Path, separator: str, other: str, decimal: str, doubted: bool
) -> None:
    rows = [f"{a}{separator}{a}{separator}{other}{k}\n" for k, a in enumerate(THREE)]
    reading = read(tmp_path / "x.csv", separator.join(("y", "z", "w")) + "\n" + "".join(rows))
    facts = [fact for fact in reading.facts() if "--decimal comma" in fact]
    assert len(facts) == doubted  # once for both columns
    for name in "yz":
        numerals = reading.column(name).numerals
        assert numerals is not None
        assert numerals.number("100.041") == (100.041 if decimal == "." else 100041)


def test_numbers_of_json_are_not_doubted(tmp_path: Path) -> None:
    rows = "".join(f'{{"y": {a}}}\n' for a in THREE)
    assert read(tmp_path / "x.jsonl", rows).facts() == ()
