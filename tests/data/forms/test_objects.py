"""JSON in its forms, and the way back from columns to objects."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from contents import numbers_of, rows_of
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.forms.objects import (
    SURVEYED,
    flattened,
    nested_in,
    open_objects,
    unflattened,
)
from elman.data.tables.content import BadRows, Content
from elman.errors import UserError

LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.integers())
KEYS = st.text("ab.数 ", max_size=4)
RECORDS = st.dictionaries(
    KEYS,
    st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=8),
    max_size=4,
)


def read(text: str, piece: int = 5, lines: bool = False) -> Content:
    """A text that comes in small pieces."""
    return open_objects(
        "F", lambda: (text[k : k + piece] for k in range(0, len(text), piece)), lines=lines
    )


@given(RECORDS)
def test_the_way_back(record: dict[str, Any]) -> None:
    flat = flattened(record)
    assert unflattened(flat, nested_in(record, flat)) == record


def test_what_is_parted() -> None:
    record = {"data": {"text": "a", "meta": {"n": 1}}, "pm2.5": 3, "odd": {"a.b": 1}, "l": [{}]}
    flat = flattened(record)
    assert flat == {
        "data.text": "a", "data.meta.n": 1, "pm2.5": 3, "odd": {"a.b": 1}, "l": [{}],
    }  # fmt: skip
    answer = flat | {"prediction": "up"}
    assert unflattened(answer, nested_in(record, flat)) == record | {"prediction": "up"}


@settings(max_examples=40)
@given(
    st.lists(st.tuples(LEAVES, st.integers()).map(list), min_size=1, max_size=6),
    st.sampled_from([None, 1, 4]),
    st.integers(1, 30),
)
def test_every_form_holds_the_same(right: list[list[Any]], indent: int | None, piece: int) -> None:
    records = [{"a": a, "数": n} for a, n in right]
    columns = {name: [record[name] for record in records] for name in ("a", "数")}
    split = {"columns": ["a", "数"], "index": [1], "data": right}
    by_row = {n: {str(k): v for k, v in enumerate(c)} for n, c in columns.items()}
    forms = [
        "\n".join(json.dumps(record) for record in records) + "\n",
        json.dumps(records, indent=indent, ensure_ascii=False),
        json.dumps({"version": 1, "rows": records}, indent=indent),
        json.dumps(columns, indent=indent),
        json.dumps(split, indent=indent),
        json.dumps(by_row, indent=indent),
        "\n".join(json.dumps(record, indent=indent) for record in records),
    ]
    for text in forms:
        content = read(text, piece)
        assert content.columns == ("a", "数")
        assert rows_of(content) == right


def test_lines_and_rows_are_counted() -> None:
    lines = read('{"a": 1}\n\n{"a": 2}\r\n{"a": 3}')
    assert (lines.unit, numbers_of(lines)) == ("line", [1, 3, 4])
    array = read('[\n{"a": 1},\n\n{"a": 2}]')
    assert (array.unit, numbers_of(array)) == ("row", [1, 2])
    pretty = read('{\n"a": 1\n}\n{\n"a": 2\n}\n')
    assert (pretty.unit, numbers_of(pretty)) == ("line", [1, 4])


def test_a_line_is_a_record_where_the_name_says_so() -> None:
    text = '{"tokens": ["a", "b"], "tags": ["X", "Y"]}'
    assert rows_of(read(text, lines=True)) == [[["a", "b"], ["X", "Y"]]]
    assert rows_of(read(text)) == [["a", "X"], ["b", "Y"]]


def test_columns_are_those_of_the_first_records() -> None:
    texts = ['{"a": 1, "data": null}', '{"data": {"text": "x"}, "b": 2}']
    texts += ['{"a": 3}'] * (SURVEYED - 2) + ['{"late": 1, "a": {"deep": 2}}']
    content = read("\n".join(texts), 10_000)
    assert content.columns == ("a", "data.text", "b")
    assert content.nested == {"data.text"}
    rows = rows_of(content)
    assert rows[:3] == [[1, None, None], [None, "x", 2], [3, None, None]]
    assert rows[-1] == [{"deep": 2}, None, None]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[1, 2]", "not a JSON object on one line"),
        ("{a: 1}", "not a JSON object on one line"),
        ('{"a": "\\ud800"}', "not a JSON object on one line"),
        ('{"a": ' + "9" * 400 + "}", "not a JSON object on one line"),
        ('{"a": ' + "[" * 90 + "]" * 90 + "}", "not a JSON object on one line"),
        ('{"a": ' + "[" * 9000 + "]" * 9000 + "}", "not a JSON object on one line"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_bad_lines(line: str, told: str, place: int) -> None:
    lines = ['{"a": 1}', '{"a": 2}']
    lines.insert(place, line)
    content = read("\n".join(lines), 100, lines=line.startswith("["))
    with pytest.raises(UserError, match=f"F, line {place + 1}: {told}; give --skip-bad-rows"):
        rows_of(content)
    bad = BadRows(skip=True)
    assert rows_of(content, bad) == [[1], [2]]
    assert (bad.count, bad.first) == (1, [f"F, line {place + 1}: {told}"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "F: holds no rows"),
        ("[]", "F: holds no rows"),
        ("[1, 2]", "F, row 1: not a JSON object"),
        ('[{"a": 1}', "F, line 1: no JSON: the file ends too early where ',' should be"),
        ('[{"a": 1}\n{"a": 2}]', "F, line 2: no JSON: found '{' where ',' should be"),
        ('[{"a": 1},\n{"a": }]', "F, line 2: no JSON: Expecting value"),
        ('[{"a": 1}] x', "F, line 1: something after the end of the array"),
        ("[" * 5000, "F, line 1: out of bounds"),
        ("3\n4", "F, line 1: not a JSON object on one line"),
    ],
)
def test_what_is_no_table(text: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        rows_of(read(text))
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)


def test_numbers_that_json_has_no_way_to_write() -> None:
    assert rows_of(read('{"a": NaN}\n{"a": -Infinity}\n{"a": 1}')) == [[None], [-float("inf")], [1]]


def test_any_damage_is_one_line() -> None:
    draw = random.Random(0)
    records = [{"a": {"b": k}, "c": [1.5, "ü"]} for k in range(5)]
    whole = [json.dumps(records, indent=1), "\n".join(map(json.dumps, records)),
             json.dumps({"rows": records})]  # fmt: skip
    read_well = 0
    for k in range(900):
        letters = list(whole[k % 3])
        for _ in range(draw.choice([1, 1, 3])):
            place = draw.randrange(len(letters))
            letters[place : place + draw.randrange(3)] = draw.choices('{}[]",:\\ \n0eN', k=1)
        text = "".join(letters[: draw.randrange(len(letters))] if k % 5 == 0 else letters)
        try:
            content = read(text, 7)
            assert all(len(row) == len(content.columns) for row in rows_of(content))
            read_well += 1
        except UserError as error:
            assert "\n" not in str(error)
    assert 50 < read_well < 850


def test_arrays_are_streamed() -> None:
    record = json.dumps({"text": "word " * 200})

    def texts() -> Iterator[str]:
        yield "[" + record
        for _ in range(20_000):
            yield ",\n" + record
        yield "]"

    tracemalloc.start()
    content = open_objects("F", texts)
    count = sum(len(block.cells) for block in content.blocks(BadRows(skip=False)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_001
    assert peak < 20 * len(record) * 1000 + (1 << 23)  # of 20 MB a block, not all of it
