"""Which columns of a table, keys of an object or arrays hold what; guessed where nobody says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from elman.data.roles import Columns
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.table import Row, Table
from elman.errors import UserError

SEQUENCES = (
    "sequence", "sequence_id", "series", "unique_id", "trajectory", "episode", "run", "trial",
    "id", "序列", "编号",
)  # fmt: skip
TIMES = ("time", "t", "step", "date", "timestamp", "ds", "时间", "日期")
INPUTS = ("x", "inputs", "input", "u")
TARGETS = ("y", "targets", "target", "outputs", "output", "目标")
TARGET_STARTS = ("y_", "target_", "output_")
STATES, STATE_START = ("h0", "initial", "initial_state"), "initial_"
STATICS, STATIC_START = ("static",), "static_"
GUESSED_FROM = 1000  # rows


def settle(
    opened: Table, columns: Columns, *, targets: bool = True
) -> tuple[Columns, tuple[str, ...]]:
    """The columns with those guessed that are not given; and what was guessed.

    Without `targets` their columns need not be there. UserError: a column that is not there.
    """
    asked = [columns.sequence_column or "", *columns.inputs, *columns.states, *columns.statics]
    for name in [*asked, *(columns.targets if targets else ())]:
        if name:
            opened.column(name)
    for name in columns.inputs:
        if name in columns.targets:
            raise UserError(
                f'"{name}" is an input and a target; to feed past targets back, give --feedback'
            )
    if None not in (
        columns.sequence_column, columns.input_columns, columns.target_columns,
        columns.state_columns, columns.static_columns,
    ):  # fmt: skip
        return replace(columns, header=_header(opened, columns)), ()
    quiet = BadRows(skip=True)
    rows = [row for row, _ in zip(opened.rows(quiet), range(GUESSED_FROM), strict=False)]
    if not rows:
        raise UserError(f"{opened.shown}: holds no rows")
    return _Guess(opened, rows, columns).settle()


def _header(opened: Table, columns: Columns) -> bool | None:
    """Whether tables have one; objects and arrays say nothing of that."""
    return columns.header if opened.form == "json" else opened.header


class _Guess:
    """What the columns are by their names and by what the first rows hold in them."""

    def __init__(self, opened: Table, rows: Sequence[Row], given: Columns) -> None:
        self.opened, self.given = opened, given
        self.lists = has_lists(rows[0])
        self.sequence = given.sequence_column
        if self.sequence is None:
            self.sequence = "" if self.lists else self._sequence(rows)
        known = {self.sequence, *given.inputs, *given.targets, *given.states, *given.statics}
        ids = (*TIMES, *SEQUENCES)
        self.free = [
            name
            for name in opened.columns
            if name not in known and name.lower() not in ids and _holds_numbers(rows, name)
        ]

    def settle(self) -> tuple[Columns, tuple[str, ...]]:
        given = self.given
        states, statics = given.state_columns, given.static_columns
        if states is None:
            states = self._take(STATES, (STATE_START,))
        if statics is None:
            statics = self._take(STATICS, (STATIC_START,))
        targets = given.target_columns or self._targets(states)
        inputs = given.input_columns
        if inputs is None:
            inputs = self._take(INPUTS, ()) if self.lists else ()
            inputs = inputs or tuple(name for name in self.free if name not in targets)
        settled = replace(
            given, sequence_column=self.sequence, input_columns=inputs, target_columns=targets,
            state_columns=states, static_columns=statics, header=_header(self.opened, given),
        )  # fmt: skip
        return settled, self._told(settled)

    def _sequence(self, rows: Sequence[Row]) -> str:
        names = {name.lower(): name for name in reversed(self.opened.columns)}
        for name in (names[guess] for guess in SEQUENCES if guess in names):
            # A number for each row tells no sequences apart.
            if len({str(row.values.get(name)) for row in rows}) < max(2, len(rows)):
                return name
        return ""

    def _take(self, names: Sequence[str], starts: tuple[str, ...]) -> tuple[str, ...]:
        """The free columns of these names, or that begin so; they are free no longer."""
        taken = _named(self.free, names, starts)
        if not starts:
            taken = taken[:1]
        self.free = [name for name in self.free if name not in taken]
        return taken

    def _targets(self, states: Sequence[str]) -> tuple[str, ...]:
        begun = [name[len(STATE_START) :] for name in states if name.startswith(STATE_START)]
        # The first state may be the first value of a target.
        pool = [n for n in self.opened.columns if n in self.free or n in self.given.states]
        found = tuple(name for name in pool if name in begun)
        found = found or _named(pool, TARGETS, TARGET_STARTS) or tuple(self.free[-1:])
        if not found:
            raise UserError(
                f"{self.opened.shown}: no column of numbers is left for a target among "
                f"{', '.join(self.opened.columns[:20])}; give --target-columns"
            )
        self.free = [name for name in self.free if name not in found]
        return found

    def _told(self, settled: Columns) -> tuple[str, ...]:
        given, told = self.given, []
        if given.sequence_column is None and not self.lists:
            name = settled.sequence_column
            told.append(f'sequences by "{name}"' if name else "all rows as one sequence")
        if given.header is None and settled.header is False:
            told.append("no header")
        for what in ("input", "target", "state", "static"):
            names = getattr(settled, f"{what}_columns")
            if getattr(given, f"{what}_columns") is None and (names or what == "input"):
                told.append(f"{what}s {', '.join(names) or 'none'}")
        return (f"taken: {'; '.join(told)}",) if told else ()


def _named(pool: Sequence[str], names: Sequence[str], starts: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these names, or that begin so."""
    return tuple(n for n in pool if n.lower() in names or n.lower().startswith(starts))


def has_lists(row: Row) -> bool:
    """Whether a row is a whole sequence."""
    return any(isinstance(value, list | np.ndarray) for value in row.values.values())


def _holds_numbers(rows: Sequence[Row], name: str) -> bool:
    values = [row.values.get(name) for row in rows]
    there = [value for value in values if not is_empty(value)]
    # Most, not all: a word among numbers is a mistake, to be told where it is read.
    numbers = sum(table.is_number(v) or isinstance(v, list | np.ndarray) for v in there)
    return numbers > len(there) / 2


def is_empty(value: object) -> bool:
    """Whether a cell holds no value."""
    return value is None or (isinstance(value, str) and value.strip().lower() in ("", "nan", "na"))
