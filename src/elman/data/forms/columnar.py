"""Parquet files, Arrow files (Feather) and Arrow streams as tables; and whatever else polars holds.

day: date, when: datetime[μs, UTC], translation: struct[2]
"2021-03-01", "2021-03-01T04:30:00+00:00", translation.de, translation.en
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from elman.data.forms.cells import Manner, text_of
from elman.data.forms.extras import library
from elman.data.forms.forms import Form, form_of
from elman.data.forms.rehearsal import damaged, rehearse
from elman.data.source import Source
from elman.data.tables.content import AT_ONCE, BadRows, Block, Content
from elman.data.tables.options import TableOptions
from elman.errors import UserError

if TYPE_CHECKING:
    import polars as pl

DEEPEST = 8  # structs within structs that become columns
MOST_COLUMNS = 16_384
CLOCKS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%.3f", "%Y-%m-%dT%H:%M:%S%.6f")
TIMES = ("%H:%M:%S", "%H:%M:%S", "%H:%M:%S%.3f", "%H:%M:%S%.6f")
DAY_US = 86_400_000_000
EXACT = float(1 << 53)


class Planned(NamedTuple):
    """Columns and how their cells are made, none of which is made yet."""

    columns: tuple[str, ...]
    plan: pl.LazyFrame
    by_hand: Sequence[int]  # places of the columns that polars cannot make into cells itself

    def batches(self) -> Iterator[pl.DataFrame]:
        """The rows, many at once."""
        for batch in self.plan.collect_batches(chunk_size=AT_ONCE, maintain_order=True):
            yield from batch.iter_slices(AT_ONCE)

    def blocks(self) -> Iterator[Block]:
        """The rows as cells."""
        number = 1
        for batch in self.batches():
            columns = [series.to_list() for series in batch]
            for k in self.by_hand:
                columns[k] = [_value(value) for value in columns[k]]
            yield Block(range(number, number + batch.height), list(zip(*columns, strict=True)))
            number += batch.height


def open_columnar(source: Source, asked: TableOptions = TableOptions()) -> Content:  # noqa: B008
    """A columnar file as a table; structs are parted into columns, by dots.

    UserError: a damaged file, no rows, two columns of one name.
    """
    form = form_of(source.path, source.shown) or "parquet"
    polars = library("polars", "polars", source.shown)
    rehearse(source.shown, form, source.path)
    with _told(source.shown, form):
        made = planned(source.shown, scanned(polars, source.path))

    def blocks(bad: BadRows) -> Iterator[Block]:
        blocks = made.blocks()
        while True:
            with _told(source.shown, form):
                block = next(blocks, None)
            if block is None:
                return
            yield block

    return Content(made.columns, blocks)


def content_of_lazy(shown: str, frame: pl.LazyFrame) -> Content:
    """The rows of a frame of polars. UserError: it has none, two columns of one name."""
    made = planned(shown, frame)
    return Content(made.columns, lambda bad: made.blocks())


def scanned(polars: ModuleType, path: Path) -> pl.LazyFrame:
    """A columnar file, of which nothing is read yet but what columns it has."""
    match form_of(path):
        case "arrow":
            frame = polars.scan_ipc(path, glob=False)
        case "arrows":
            frame = polars.read_ipc_stream(path).lazy()
        case _:
            frame = polars.scan_parquet(path, glob=False)
    return frame  # type: ignore[no-any-return]


@contextmanager
def _told(shown: str, form: Form) -> Iterator[None]:
    """Turns what a damaged file raises into one line."""
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        known = isinstance(error, OSError | ValueError | TypeError | ArithmeticError | MemoryError)
        if known or type(error).__module__.split(".")[0] in ("polars", "pyo3_runtime"):
            raise damaged(shown, form) from None
        raise


def planned(shown: str, frame: pl.LazyFrame) -> Planned:
    """How the cells of a frame are made. It is read once. UserError: as above."""
    import polars as pl

    flat = _flat(shown, frame.collect_schema())
    fine, count = _fineness(frame, flat)
    if not count:
        raise UserError(f"{shown}: holds no rows")
    plan = frame.select(
        _cell(column, kind, fine[name]).alias(name) for name, (column, kind) in flat.items()
    )
    kinds = [kind for _, kind in flat.values()]
    by_hand = [k for k, kind in enumerate(kinds) if kind.is_nested() or kind == pl.Binary]
    return Planned(tuple(flat), plan, by_hand)


def _value(value: Any) -> Any:
    return text_of(value) if isinstance(value, bytes) else Manner().cell(value)


def _flat(shown: str, schema: pl.Schema) -> dict[str, tuple[pl.Expr, pl.DataType]]:
    """Every column by its name, those of structs parted."""
    import polars as pl

    flat: dict[str, tuple[pl.Expr, pl.DataType]] = {}

    def add(name: str, column: pl.Expr, kind: pl.DataType, depth: int) -> None:
        if isinstance(kind, pl.Struct) and depth < DEEPEST and kind.fields:
            for field in kind.fields:
                within = column.struct.field(field.name)
                add(f"{name}.{field.name}", within, field.dtype, depth + 1)  # type: ignore[arg-type]
            return
        if name in flat:
            raise UserError(f'{shown}: two columns are named "{name}"; rename one')
        flat[name] = column, kind
        if len(flat) > MOST_COLUMNS:
            raise UserError(f"{shown}: more than {MOST_COLUMNS:,} columns")

    for name, kind in schema.items():
        add(name, pl.col(name), kind, 0)
    if not flat:
        raise UserError(f"{shown}: holds no columns")
    return flat


def _fineness(
    frame: pl.LazyFrame, flat: dict[str, tuple[pl.Expr, pl.DataType]]
) -> tuple[dict[str, int], int]:
    """How finely the moments of each column are written; of floats, 0 where all are whole. And the
    number of rows."""
    import polars as pl

    asked = [pl.len().alias("rows")]
    for k, (column, kind) in enumerate(flat.values()):
        if isinstance(kind, pl.Datetime | pl.Time):
            if isinstance(kind, pl.Datetime):
                column = column.dt.replace_time_zone(
                    None, ambiguous="earliest", non_existent="null"
                )
                within = column.dt.cast_time_unit("us").to_physical() % DAY_US
            else:
                within = column.to_physical() // 1000
            asked += [
                (within % step != 0).any().alias(f"{k} {step}") for step in (DAY_US, 10**6, 1000)
            ]
        elif isinstance(kind, pl.Duration):
            asked.append((column.dt.total_microseconds() % 10**6 != 0).any().alias(f"{k} 1"))
        elif kind.is_float():
            whole = (
                column.is_null()
                | column.is_nan()
                | ((column == column.round()) & (column.abs() < EXACT))
            )
            asked.append((~whole).any().alias(f"{k} 1"))
    found = frame.select(asked).collect().row(0, named=True)
    fine = {
        name: sum(bool(found.get(f"{k} {step}")) for step in (DAY_US, 10**6, 1000, 1))
        for k, name in enumerate(flat)
    }
    return fine, found["rows"]


def _cell(column: pl.Expr, kind: pl.DataType, fine: int) -> pl.Expr:
    """A column as cells."""
    import polars as pl

    if isinstance(kind, pl.Datetime):
        zone = "%:z" if kind.time_zone is not None and fine else ""
        return column.dt.strftime(CLOCKS[fine] + zone)
    if isinstance(kind, pl.Time):
        return column.dt.strftime(TIMES[fine])
    if isinstance(kind, pl.Date):
        return column.dt.strftime(CLOCKS[0])
    if isinstance(kind, pl.Duration):
        return column.dt.total_microseconds() / 1e6 if fine else column.dt.total_seconds()
    if kind.is_decimal():
        return column.cast(pl.Float64)
    if kind.is_float():
        column = column.fill_nan(None)
        return column if fine else column.cast(pl.Int64)
    if isinstance(kind, pl.Categorical | pl.Enum):
        return column.cast(pl.String)
    return column
