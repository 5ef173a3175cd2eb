"""Data frames of pandas and polars, tables of Arrow, data sets of Hugging Face, and plain Python
columns and records, known by how they behave: none of these libraries is imported.

pandas.DataFrame({"ds": …, "y": …}), {"ds": […], "y": […]}, [{"ds": …, "y": …}, …]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from elman.data.forms.cells import Cell, Manner, cells_of
from elman.data.forms.extras import library
from elman.data.forms.objects import MOST_COLUMNS, SURVEYED, flattened, nested_in
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.errors import UserError

NO_RECORD = "not a record: a dict of column names to values"


def is_frame(data: object) -> bool:
    """Whether this is a table in memory rather than the name of one."""
    return _origin(data) != "" or _is_columns(data) or _is_records(data)


def open_frame(data: Any, shown: str = "data") -> Content:
    """A table in memory as one of cells; its rows are counted from 1.

    UserError: nothing that is known as a table, no rows, columns of unequal length or of one name.
    """
    match _origin(data):
        case "pandas":
            return _of_columns(shown, *_pandas(shown, data))
        case "polars" | "arrow":
            return _of_polars(shown, data)
        case "datasets":
            return _of_records(shown, _dataset(shown, data))
    if _is_columns(data):
        columns = [_values(column) for column in data.values()]
        return _of_columns(shown, [str(name) for name in data], columns)
    if _is_records(data):
        return _of_records(shown, _Records(data, {}))
    if isinstance(data, Mapping) and any(_origin(part) for part in data.values()):
        several = ", ".join(f'"{name}"' for name in data)
        raise UserError(f"{shown}: several tables ({several}); give one of them")
    raise UserError(
        f"{shown}: {type(data).__name__} is no table; give a data frame, a dict of columns or a "
        "list of dicts"
    )


def _origin(data: object) -> str:
    """What kind of foreign table this is; empty where it is none."""
    if hasattr(data, "collect_schema") and hasattr(data, "lazy"):
        return "polars"
    if all(hasattr(data, name) for name in ("columns", "dtypes", "index", "iloc")):
        return "pandas"
    if isinstance(data, Mapping):
        return ""
    if hasattr(data, "column_names") and hasattr(data, "features") and hasattr(data, "__iter__"):
        return "datasets"
    return "arrow" if hasattr(data, "__arrow_c_stream__") else ""


def _is_columns(data: object) -> bool:
    """A dict of columns; of tables by their split, as `datasets` gives them, it is none."""
    return (
        isinstance(data, Mapping)
        and bool(data)
        and all(_is_column(column) for column in data.values())
    )


def _is_column(data: object) -> bool:
    if isinstance(data, str | bytes | Mapping) or _origin(data):
        return False
    return isinstance(data, Sequence) or (hasattr(data, "__len__") and hasattr(data, "__iter__"))


def _is_records(data: object) -> bool:
    return isinstance(data, list | tuple) and bool(data) and isinstance(data[0], Mapping)


def _values(column: Any) -> Sequence[Any]:
    """The values of a column: a list, an array, a series."""
    for give in ("to_list", "tolist"):  # of polars; of pandas, numpy and array
        if callable(method := getattr(column, give, None)):
            return _moments(column) or list(method())
    return list(column)


def _moments(column: Any) -> list[Any]:
    """The moments of numpy's and pandas' columns without a zone, written at once."""
    kind = getattr(column, "dtype", None)
    if getattr(kind, "kind", "") != "M" or getattr(kind, "tz", None) is not None:
        return []
    values = column.to_numpy() if hasattr(column, "to_numpy") else column
    if values.ndim != 1 or not len(values):
        return []
    micro = values.astype("datetime64[us]").astype("int64")
    present = micro[values == values]
    digits, unit = 0, "us"
    for step, name, length in ((86_400_000_000, "D", 10), (10**6, "s", 19), (1000, "ms", 23)):
        if not (present % step).any():
            digits, unit = length, name
            break
    texts = values.astype(f"datetime64[{unit}]").astype(f"U{digits or 26}").tolist()
    return [None if text == "NaT" else text for text in texts]


def _pandas(shown: str, frame: Any) -> tuple[list[str], list[Sequence[Any]]]:
    """The names and the values of a frame of pandas. An index that is more than a row number is a
    column, or several."""
    names: list[str] = []
    columns: list[Sequence[Any]] = []
    index = frame.index
    own = [
        ".".join(str(part) for part in (name if isinstance(name, tuple) else (name,)) if str(part))
        for name in frame.columns
    ]
    levels = [index.get_level_values(k) for k in range(index.nlevels)]
    for k, level in enumerate(levels):
        counts = getattr(level.dtype, "kind", "") in "iu"
        if counts if level.name is None else str(level.name) in own:
            continue
        default = "index" if len(levels) == 1 else f"index {k + 1}"
        names.append(default if level.name is None else str(level.name))
        columns.append(_values(level))
    for k, named in enumerate(own):
        names.append(named)
        columns.append(_values(frame.iloc[:, k]))
    return names, columns


def _of_polars(shown: str, data: Any) -> Content:
    polars = library("polars", "polars", shown)
    from elman.data.forms.columnar import content_of_lazy

    frame = data if _origin(data) == "polars" else polars.DataFrame(data)
    return content_of_lazy(shown, frame.lazy())


def _of_columns(shown: str, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> Content:
    if not names or not len(columns[0]):
        raise UserError(f"{shown}: holds no rows")
    for name, times in Counter(names).items():
        if times > 1:
            raise UserError(f'{shown}: two columns are named "{name}"; rename one')
    for name, column in zip(names, columns, strict=True):
        if len(column) != len(columns[0]):
            raise UserError(
                f'{shown}: "{name}" has {len(column):,} rows, "{names[0]}" {len(columns[0]):,}'
            )
    cells = [_checked(shown, name, c) for name, c in zip(names, columns, strict=True)]
    if any(isinstance(cell, dict) for column in cells for cell in column[:SURVEYED]):
        records = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
        return _of_records(shown, _Records(records, {}))
    length = len(cells[0])

    def blocks(bad: BadRows) -> Iterator[Block]:
        for begin in range(0, length, AT_ONCE):
            end = min(begin + AT_ONCE, length)
            rows = list(zip(*(column[begin:end] for column in cells), strict=True))
            yield Block(range(begin + 1, end + 1), rows)

    return Content(tuple(names), blocks)


def _checked(shown: str, name: str, values: Sequence[Any]) -> list[Cell]:
    try:
        return cells_of(values)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError(f'{shown}, column "{name}": no cells of a table ({error})') from None


class _Records:
    """Records that can be gone through again and again, and the words of columns of labels."""

    def __init__(self, records: Iterable[Any], words: Mapping[str, Sequence[str]]) -> None:
        self.records, self.words = records, words


def _dataset(shown: str, data: Any) -> _Records:
    """A data set of Hugging Face; labels kept as numbers are given by their words."""
    features = data.features or {}
    words = {
        name: list(feature.names)
        for name, feature in features.items()
        if isinstance(getattr(feature, "names", None), list)
    }
    return _Records(data, words)


def _of_records(shown: str, data: _Records) -> Content:
    """Records, of which each may lack some columns. UserError: one is no record, there is none."""
    names: dict[str, None] = {}
    nested: set[str] = set()
    manners: dict[str, Manner] = {}
    count = 0
    for number, record in enumerate(data.records, start=1):
        count = number
        if not isinstance(record, Mapping):
            raise UserError(f"{shown}, row {number:,}: {NO_RECORD}")
        flat = flattened(record)
        if number <= SURVEYED:
            names.update(dict.fromkeys(flat))
            nested |= nested_in(record, flat)
            if len(names) > MOST_COLUMNS:
                raise UserError(f"{shown}: more than {MOST_COLUMNS:,} columns")
        for name, value in flat.items():
            if type(value) not in (str, int, float, bool, list):
                manners.setdefault(name, Manner()).see((value,))
    if not names:
        raise UserError(f"{shown}: holds no rows" if not count else f"{shown}: holds no columns")

    def cell(name: str, value: Any) -> Cell:
        if name in data.words and isinstance(value, int):
            return data.words[name][value] if 0 <= value < len(data.words[name]) else None
        return manners.get(name, _PLAIN).cell(value)

    def blocks(bad: BadRows) -> Iterator[Block]:
        records = iter(data.records)
        begin = 1
        while some := list(islice(records, AT_ONCE)):
            rows = [[cell(name, flat.get(name)) for name in names] for flat in map(flattened, some)]
            yield Block(range(begin, begin + len(rows)), rows)
            begin += len(rows)

    return Content(tuple(map(str, names)), blocks, nested=frozenset(nested))


_PLAIN = Manner()
