"""JSON as a table: an object a line, arrays of objects, columns as lists; objects within objects
are parted into columns, by dots.

{"data": {"text": "gut"}, "label": "up"}     data.text, label
{"data": [{"x": 1}, {"x": 2}]}               x, two rows
{"x": [1, 2], "y": ["a", "b"]}               x and y, two rows
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain, islice
from typing import Any, NamedTuple

from elman.data.forms.json_texts import LARGEST, BadJson, JsonText, TooLong, object_of
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.data.tables.delimited import line_blocks
from elman.errors import UserError

SURVEYED = 1000  # records in whose keys the columns are found
DEEPEST = 8  # objects within objects that become columns
MOST_COLUMNS = 16_384
NO_OBJECT = "not a JSON object"
NO_OBJECT_ON_LINE = "not a JSON object on one line"

Texts = Callable[[], Iterable[str]]


class Found(NamedTuple):
    """One record: the number of its line or row, and its object or what is wrong with it."""

    number: int
    value: Any


def flattened(record: Mapping[str, Any], depth: int = DEEPEST) -> dict[str, Any]:
    """A record with the objects within it parted: {"a": {"b": 1}} gives {"a.b": 1}.

    An object stays whole where a dot within its keys, or a key that is there already, would make
    the way back ambiguous.
    """
    if not any(isinstance(value, dict) for value in record.values()):
        return dict(record)
    flat: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, dict) and value and depth and not any("." in k for k in value):
            within = {f"{key}.{name}": item for name, item in flattened(value, depth - 1).items()}
            if not within.keys() & record.keys() and "." not in key:
                flat.update(within)
                continue
        flat[key] = value
    return flat


def nested_in(record: Mapping[str, Any], flat: Mapping[str, Any]) -> set[str]:
    """The names of `flat`, which is the record flattened, that stand within objects."""
    return set(flat.keys() - record.keys())


def unflattened(values: Mapping[str, Any], nested: Collection[str]) -> dict[str, Any]:
    """A record with its objects within objects again: `nested` are the names parted by dots."""
    record: dict[str, Any] = {}
    for name, value in values.items():
        if name not in nested:
            record[name] = value
            continue
        *path, last = name.split(".")
        into = record
        for key in path:
            inner = into.setdefault(key, {})
            if not isinstance(inner, dict):
                break
            into = inner
        else:
            into[last] = value
            continue
        record[name] = value
    return record


def open_objects(shown: str, texts: Texts, *, lines: bool = False) -> Content:
    """JSON as a table; `texts` gives its text from the beginning each time, piece by piece.

    `lines`: it is an object a line, whatever a single one may look like. UserError: no JSON, no
    records.
    """
    text = JsonText(shown, texts())
    first = text.peek()
    if not first:
        raise UserError(f"{shown}: holds no rows")
    if first == "[" and not lines:
        return _content(shown, partial(_of_array, shown, texts, None), "row")
    if first != "{" or lines:
        return _content(shown, partial(_of_lines, shown, texts), "line")
    try:
        begin = text.place
        value = text.value()
        several = "\n" in text.buffer[begin : text.place].strip()
        if not text.peek():
            return _single(shown, texts, value)
    except TooLong:
        return _large(shown, texts)
    except BadJson:
        several = False
    read = _of_stream if several else _of_lines
    return _content(shown, partial(read, shown, texts), "line")


def _single(shown: str, texts: Texts, value: Mapping[str, Any]) -> Content:
    """A file of one object: a list of records, a list for each column, or one record."""
    lists = {key: items for key, items in value.items() if isinstance(items, list) and items}
    records = [key for key, items in lists.items() if all(isinstance(i, dict) for i in items)]
    if len(records) == 1:
        return _content(shown, lambda: _numbered(value[records[0]]), "row")
    if value.keys() >= {"columns", "data"} and _is_split(lists):  # as pandas writes it
        names = [str(name) for name in value["columns"]]
        rows = [dict(zip(names, row, strict=True)) for row in value["data"]]
        return _content(shown, lambda: _numbered(rows), "row")
    columns = lists if len(lists) == len(value) else _of_index(value)
    if columns and len({len(items) for items in columns.values()}) == 1:
        made = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return _content(shown, lambda: _numbered(made), "row")
    return _content(shown, lambda: iter([Found(1, value)]), "line")


def _is_split(lists: Mapping[str, list[Any]]) -> bool:
    width = len(lists.get("columns", ()))
    rows = lists.get("data", ())
    return bool(width) and all(isinstance(row, list) and len(row) == width for row in rows)


def _of_index(value: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Columns that are objects by row number, as pandas writes them: {"x": {"0": 1, "1": 2}}."""
    if not all(isinstance(items, dict) and items for items in value.values()):
        return {}
    if any(list(items) != [str(k) for k in range(len(items))] for items in value.values()):
        return {}
    return {key: list(items.values()) for key, items in value.items()}


def _large(shown: str, texts: Texts) -> Content:
    """One object that is too long to be a record: a list of records, or a list for each column."""
    text = JsonText(shown, texts())
    try:
        for key in text.members():
            if text.peek() != "[":
                text.value()
                continue
            text.take("[")
            if text.peek() == "{":
                return _content(shown, partial(_of_array, shown, texts, key), "row")
            break
        whole = JsonText(shown, texts())
        return _single(shown, texts, whole.value(LARGEST))
    except (BadJson, TooLong) as error:
        raise UserError(f"{shown}, line {error.line:,}: {error.told}") from None


def _numbered(records: Iterable[Any]) -> Iterator[Found]:
    return (Found(number, record) for number, record in enumerate(records, start=1))


def _of_lines(shown: str, texts: Texts) -> Iterator[Found]:
    lines = chain.from_iterable(line_blocks(shown, texts()))
    for line, text in enumerate(lines, start=1):
        if not text.isspace():
            value = object_of(text)
            yield Found(line, NO_OBJECT_ON_LINE if value is None else value)


def _of_stream(shown: str, texts: Texts) -> Iterator[Found]:
    """Objects one after another, each over several lines."""
    text = JsonText(shown, texts())
    try:
        while text.peek():
            line = text.line
            yield Found(line, _checked(text))
    except (BadJson, TooLong) as error:
        raise UserError(f"{shown}, line {error.line:,}: {error.told}") from None


def _of_array(shown: str, texts: Texts, key: str | None) -> Iterator[Found]:
    """The objects of an array, or of the array that stands under a key."""
    text = JsonText(shown, texts())
    try:
        if key is not None:
            for name in text.members():
                if name == key:
                    break
                text.value()
        text.take("[")
        number = 0
        while text.peek() != "]":
            if number:
                text.take(",")
            number += 1
            yield Found(number, _checked(text))
        text.take("]")
        if key is None and text.peek():
            raise BadJson(text.line, "something after the end of the array")
    except (BadJson, TooLong) as error:
        raise UserError(f"{shown}, line {error.line:,}: {error.told}") from None


def _checked(text: JsonText) -> Any:
    begin = text.peek()
    value = text.value()
    return value if begin == "{" and isinstance(value, dict) else NO_OBJECT


def _content(shown: str, read: Callable[[], Iterator[Found]], unit: str) -> Content:
    """The table of these records. UserError: there is none."""
    names: dict[str, None] = {}
    nested: set[str] = set()
    alone: set[str] = set()  # that hold something of their own
    first_bad = ""
    for number, value in islice(read(), SURVEYED):
        if not isinstance(value, dict):
            first_bad = first_bad or f"{shown}, {unit} {number:,}: {value}"
            continue
        flat = flattened(value)
        names.update(dict.fromkeys(flat))
        nested |= nested_in(value, flat)
        alone.update(name for name, cell in flat.items() if cell is not None)
        if len(names) > MOST_COLUMNS:
            raise UserError(f"{shown}: more than {MOST_COLUMNS:,} columns; give fewer keys")
    if not names:
        raise UserError(first_bad or f"{shown}: holds no rows")
    # {"data": null} beside {"data": {"text": …}} is an object that is missing.
    objects = {name.rsplit(".", k)[0] for name in nested for k in range(1, name.count(".") + 1)}
    columns = tuple(name for name in names if name not in objects or name in alone)

    def blocks(bad: BadRows) -> Iterator[Block]:
        numbers: list[int] = []
        cells: list[list[Any]] = []
        for number, value in read():
            if not isinstance(value, dict):
                if cells:  # so that whoever reads knows between which rows the bad one is
                    yield Block(numbers, cells)
                    numbers, cells = [], []
                bad.add(f"{shown}, {unit} {number:,}", value)
                continue
            flat = flattened(value)
            get = flat.get if flat.keys() == value.keys() else {**value, **flat}.get
            numbers.append(number)
            cells.append([get(name) for name in columns])
            if len(cells) == AT_ONCE:
                yield Block(numbers, cells)
                numbers, cells = [], []
        if cells:
            yield Block(numbers, cells)

    return Content(columns, blocks, unit, nested=frozenset(nested))
