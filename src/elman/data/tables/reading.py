"""What was understood of a table: one value, told before training, kept with the model, applied
unchanged to whatever comes later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from elman.data.encodings import encodings
from elman.data.tables.options import TableOptions
from elman.data.tables.profile import Profile
from elman.errors import UserError
from elman.options import make

if TYPE_CHECKING:
    from elman.data.dates.dates import Dates
    from elman.data.tables.numerals import Mark, Numerals

# Names of a column that holds nothing but the number of its row. Those without a name are the index
# of a data frame.
ROW_NUMBERS = frozenset(
    {"", "unnamed: 0", "index", "no", "no.", "nr", "nr.", "row", "rownum", "row_number", "#",
     "序号", "编号", "行号", "番号", "번호"}
)  # fmt: skip


MARKS: Mapping[str, Mark] = {"point": ".", "comma": ","}


@dataclass(frozen=True)
class Column:
    """What a column holds, judged by all its cells.

    `numerals` and `dates` say how its numbers and dates are written. Whole numbers such as 201201
    may be both; a column of words has neither. `passed_over` says why nothing is read from it.
    """

    name: str
    numerals: Numerals | None = None
    dates: Dates | None = None
    passed_over: str = ""  # "empty", "the row number"


@dataclass(frozen=True)
class Reading:
    """How a table is written, and what each of its columns holds."""

    encoding: str = "utf-8"
    separator: str = ","
    quoted: bool = True  # quotation marks hold cells together
    header: bool = True
    sheet: str | None = None  # of a spreadsheet, table and query of a database, as asked for
    table: str | None = None
    query: str | None = None
    columns: tuple[Column, ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name; one that is not known holds words."""
        return next((c for c in self.columns if c.name == name), Column(name))

    def of(self, names: Sequence[str]) -> Reading:
        """The same for a table with these columns, in their order."""
        return replace(self, columns=tuple(self.column(name) for name in names))

    def facts(self) -> tuple[str, ...]:
        """How it is written, for the user, as far as that is not the plainest way."""
        told = []
        if not self.encoding.startswith("utf-8") and (how := encodings.told(self.encoding)):
            told.append(f"read as {how}")
        numbers: dict[str, list[str]] = {}
        for column in self.columns:
            if column.numerals is not None and (how := column.numerals.told()):
                numbers.setdefault(how, []).append(column.name)
            if column.passed_over:
                name = f'"{column.name}"' if column.name else "the column without a name"
                told.append(f"passed over: {name}, {column.passed_over}")
        told += [f"{how}: {', '.join(names[:8])}" for how, names in numbers.items()]
        return tuple(told)

    def to_json(self) -> dict[str, Any]:
        """As plain values, tuples as lists."""
        return {**asdict(self), "columns": [_plain(column) for column in self.columns]}


def reading_from_json(data: Any) -> Reading:
    """The reading that gave this `to_json`. UserError where it is damaged."""
    from elman.data.dates.dates import Dates
    from elman.data.tables.numerals import Numerals

    where = "preprocessing.json: damaged reading"
    if data is None:
        raise UserError(
            "preprocessing.json: no reading of tables, as in runs of an earlier version; train "
            "again"
        )
    try:
        columns = tuple(
            Column(
                str(one["name"]),
                None if (n := one["numerals"]) is None else make(Numerals, dict(n), where=where),
                None if (d := one["dates"]) is None else make(Dates, dict(d), where=where),
                str(one["passed_over"]),
            )
            for one in data["columns"]
        )
        sheet, table, query = (data[name] for name in ("sheet", "table", "query"))
        if not all(one is None or isinstance(one, str) for one in (sheet, table, query)):
            raise ValueError("a sheet, table or query that is no text")
        return Reading(
            str(data["encoding"]), str(data["separator"]), bool(data["quoted"]),
            bool(data["header"]), sheet, table, query, columns,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{where} ({error})") from None


def read_columns(
    profiles: Sequence[Profile], asked: TableOptions, *, separator: str
) -> tuple[Column, ...]:
    """What each column holds, by all its cells. What one leaves open, as 1,234 or 1.234 do, another
    one tells, or the `separator` of cells: where it is a semicolon, commas are likely to stand
    before fractions; where it is a comma, points do. It is empty where no mark parts them."""
    from elman.data.dates.dates import dates_of
    from elman.data.tables.numerals import numerals_of

    dates = {p.name: dates_of(p, asked.date_format) for p in profiles}
    if asked.date_format is not None and not any(dates.values()):
        raise UserError(
            f"--date-format {asked.date_format}: no column holds dates written so; the columns are "
            f"{', '.join(p.name for p in profiles[:20])}"
        )
    sure = {name for name, found in dates.items() if found is not None and found.sure}
    numeric = [p for p in profiles if p.name not in sure]
    mark: Mark | None = None if asked.decimal is None else MARKS[asked.decimal]
    numerals = {p.name: numerals_of(p, mark) for p in numeric}
    there = [found for found in numerals.values() if found is not None]
    commas = any(found.decimal == "," and not found.assumed for found in there)
    points = any(
        found.decimal == "." and not found.assumed and _fraction(p)
        for p in numeric
        if (found := numerals[p.name]) is not None
    )
    for p in numeric:
        found = numerals[p.name]
        if mark is not None or found is None or not found.assumed:
            continue
        if points or (separator == "," and not commas and not found.groups):
            numerals[p.name] = replace(found, assumed=False)
        elif commas or separator == ";":
            numerals[p.name] = numerals_of(p, ",") or found
    return tuple(
        Column(p.name, numerals.get(p.name), dates[p.name], _passed_over(p)) for p in profiles
    )


def _fraction(profile: Profile) -> bool:
    """Whether some cell has a fraction after a point."""
    return any("." in shape for shape in profile.shapes)


def _passed_over(profile: Profile) -> str:
    if not profile.present:
        return "empty"
    if profile.counts_up and profile.name.lower() in ROW_NUMBERS:
        return "the row number"
    return ""


def _plain(column: Column) -> dict[str, Any]:
    def listed(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: listed(v) for k, v in value.items()}
        return [listed(v) for v in value] if isinstance(value, list | tuple) else value

    made: dict[str, Any] = listed(asdict(column))
    return made
