"""Which columns of a table, keys of an object or arrays hold what; guessed where nobody says."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from elman.data.tables.content import BadRows
from elman.data.tables.reading import Column
from elman.data.tables.table import Row, Table
from elman.data.trajectories.roles import NONE, Columns
from elman.errors import UserError

SEQUENCES = (
    "sequence", "sequence_id", "series", "unique_id", "trajectory", "episode", "run", "trial",
    "id", "序列", "编号", "編號", "系列", "시퀀스", "sequenz", "serie", "série", "séquence",
    "secuencia",
    "sequência", "sequenza", "последовательность", "серия",
)  # fmt: skip
# Names that tell one thing from another: unit_nr, patient_id, Machine.
IDENTITY = re.compile(
    r"(?:.*[_ .-])?(?:id|nr|no|unit|subject|patient|user|machine|engine|session|device|vehicle|"
    r"customer|person|record|episode|run|trial|batch|store|item|symbol)"
    r"(?:[_ .-]?(?:id|nr|no|num|number))?"
    r"|.*(?:编号|患者|病人|设备|用户|序列|編號|設備|用戶|機器|装置|ユーザー|환자|장치|기계)"
    r"|(?:.*[_ .-])?(?:maschine|gerät|anlage|fahrzeug|kunde|machine|appareil|véhicule|client|"
    r"máquina|dispositivo|vehículo|cliente|paciente|veículo|macchina|paziente|станок|машина|"
    r"устройство|пациент|клиент)"
)  # fmt: skip
TIMES = (
    "time", "t", "step", "date", "datetime", "timestamp", "ds", "time_step", "timestep", "cycle",
    "cycles", "time_cycles", "time_in_cycles", "tick", "frame", "seconds", "时间", "日期", "周期",
    "时刻", "步", "時間", "日期時間", "時刻", "日付", "日時", "ステップ", "날짜", "시간", "일시",
    "단계",
    "datum", "zeit", "zeitstempel", "zeitpunkt", "zyklus", "schritt", "horodatage", "temps",
    "fecha", "tiempo", "ciclo", "paso", "passo", "дата", "время", "шаг", "цикл",
)  # fmt: skip
INPUTS = ("x", "inputs", "input", "u")
TARGETS = (
    "y", "targets", "target", "outputs", "output", "目标", "目標", "目的変数", "목표", "타깃",
    "ziel",
    "zielwert", "cible", "objetivo", "alvo", "obiettivo", "цель",
)  # fmt: skip
TARGET_STARTS = ("y_", "target_", "output_")
STATES, STATE_START = ("h0", "initial", "initial_state"), "initial_"
STATICS, STATIC_START = ("static",), "static_"
LISTS = frozenset({"list", "ndarray"})
COUNTED = 4  # first columns, of which one may number the steps
TRIED = 8  # columns that may tell sequences apart, together with others


def settle(
    opened: Table, columns: Columns, *, targets: bool = True
) -> tuple[Columns, tuple[str, ...]]:
    """The columns with those guessed that are not given; and what was guessed.

    Without `targets` their columns need not be there. UserError: a column that is not there.
    """
    asked = [
        *columns.sequence, columns.time, *columns.inputs, *columns.states, *columns.statics,
    ]  # fmt: skip
    for name in [*asked, *(columns.targets if targets else ())]:
        if name:
            opened.column(name)
    for name in columns.inputs:
        if name in columns.targets:
            raise UserError(
                f'"{name}" is an input and a target; to feed past targets back, give --feedback'
            )
    if None not in (
        columns.sequence_column, columns.time_column, columns.input_columns, columns.target,
        columns.state_columns, columns.static_columns,
    ):  # fmt: skip
        return columns, ()
    return _Guess(opened, columns).settle()


class _Guess:
    """What the columns are, by their names and by all that they hold."""

    def __init__(self, opened: Table, given: Columns) -> None:
        self.opened, self.given = opened, given
        reading, self.profiles = opened.examined
        self.columns = {column.name: column for column in reading.columns}
        self.lists = any(LISTS & p.typed.keys() for p in self.profiles.values())
        named = {*given.sequence, given.time, *given.inputs, *given.targets}
        self.named = named | {*given.states, *given.statics}
        self.time = self._time()
        self.sequence = self._sequence()
        if given.sequence_column is None and given.time_column is None and not self.time:
            self.sequence, self.time = self._counted() or (self.sequence, self.time)
        known = {*self.sequence, self.time, *self.named}
        self.free = [
            name for name, column in self.columns.items()
            if name not in known and name.lower() not in TIMES and self._holds_numbers(column)
            and not (name.lower() in SEQUENCES and not self.lists)
        ]  # fmt: skip

    def settle(self) -> tuple[Columns, tuple[str, ...]]:
        given = self.given
        states, statics = given.state_columns, given.static_columns
        if states is None:
            states = self._take(STATES, (STATE_START,))
        if statics is None:
            statics = self._take(STATICS, (STATIC_START,))
        targets = given.target or self._targets(states)
        inputs = given.input_columns
        if inputs is None:
            inputs = self._take(INPUTS, ()) if self.lists else ()
            inputs = inputs or tuple(name for name in self.free if name not in targets)
        settled = replace(
            given, sequence_column=self.sequence, time_column=self.time or NONE[0],
            input_columns=inputs, target=targets, state_columns=states, static_columns=statics,
        )  # fmt: skip
        return settled, self._told(settled)

    def _holds_numbers(self, column: Column) -> bool:
        profile = self.profiles[column.name]
        if column.passed_over or (column.dates is not None and column.dates.sure):
            return False
        return column.numerals is not None or bool(LISTS & profile.typed.keys())

    def _time(self) -> str:
        """The column by which steps are put in order; empty where there is none."""
        if self.given.time_column is not None or self.lists:
            return self.given.time
        free = [c for c in self.columns.values() if c.name not in self.named and not c.passed_over]
        sure = [c.name for c in free if c.dates is not None and c.dates.sure]
        by_name = [c.name for c in free if c.name.lower() in TIMES and (c.numerals or c.dates)]
        strange = [c.name for c in free if c.name.lower() in TIMES and not (c.numerals or c.dates)]
        if strange and not sure and not by_name:
            seen = next(iter(self.profiles[strange[0]].first.values())).cell
            raise UserError(
                f'{self.opened.shown}: "{strange[0]}" holds no dates that are understood, such as '
                f"{seen[:40]!r}; name another --time-column, or none to keep the rows as they stand"
            )
        found = [n for n in sure if n.lower() in TIMES] or sure or by_name
        whole = (n for n in found if not self.profiles[n].missing)
        return next(whole, found[0] if found else "")

    def _sequence(self) -> tuple[str, ...]:
        """The columns that tell sequences apart: those of usual names, or that must do so for times
        to come once only."""
        if self.given.sequence_column is not None:
            return self.given.sequence
        if self.lists:
            return ()
        for usual in SEQUENCES:
            for name, profile in self.profiles.items():
                # A number for each row tells no sequences apart.
                if name.lower() == usual and len(profile.distinct) < max(2, profile.count):
                    return (name,)
        candidates = [name for name in self.profiles if self._may_tell_apart(name)]
        if not self.time:
            return next(((n,) for n in candidates if IDENTITY.fullmatch(n.lower())), ())
        cells = self._cells((self.time, *candidates))
        times = _codes(cells[self.time])
        if len(np.unique(times)) == len(times):
            return ()
        codes = {name: _codes(cells[name]) for name in candidates}
        # What is the same for many rows on end tells sequences apart rather than what changes.
        ranked = sorted(
            candidates,
            key=lambda n: (
                IDENTITY.fullmatch(n.lower()) is None, int((np.diff(codes[n]) != 0).sum()),
            ),
        )[:TRIED]  # fmt: skip
        for size in (1, 2, 3):
            for names in itertools.combinations(ranked, size):
                if _unique([times, *(codes[name] for name in names)]):
                    return tuple(name for name in self.columns if name in names)
        return self._one_sequence(cells[self.time])

    def _counted(self) -> tuple[tuple[str, ...], str] | None:
        """Of tables without such names: a column that numbers the steps, from the start again
        whenever the one before it changes."""
        whole = [n for n in list(self.columns)[:COUNTED] if self._may_tell_apart(n)]
        if self.lists or len(whole) < 2 or self.sequence:
            return None
        cells = self._cells(whole)
        for name, time in itertools.pairwise(whole):
            numerals = self.columns[time].numerals
            if numerals is None:
                continue
            which, steps = _codes(cells[name]), numerals.numbers(cells[time])[0]
            goes_on, up = np.diff(which) == 0, np.diff(steps)
            restarts = steps[1:][~goes_on] == steps[0]
            if restarts.size and goes_on.any() and (up[goes_on] == 1).all() and restarts.all():
                return (name,), time
        return None

    def _one_sequence(self, cells: Sequence[Any]) -> tuple[str, ...]:
        """None tells sequences apart. UserError where times go back, as of several sequences."""
        values = _values(self.columns[self.time], cells)
        if values is not None and (np.diff(values) < 0).any():
            others = ", ".join(name for name in self.columns if name != self.time)
            raise UserError(
                f'{self.opened.shown}: times in "{self.time}" go back, as in a table of several '
                f"sequences; name the columns that tell them apart, of {others}: "
                "--sequence-column, or none; or give --time-column none"
            )
        return ()

    def _may_tell_apart(self, name: str) -> bool:
        column, profile = self.columns[name], self.profiles[name]
        whole = column.numerals is None or all(set(shape) <= {"9"} for shape in profile.shapes)
        dated = column.dates is not None and column.dates.sure
        known = name in (*self.named, self.time) or column.passed_over or dated
        return not known and whole and 1 < len(profile.distinct) <= profile.count / 2

    def _cells(self, names: Sequence[str]) -> dict[str, list[Any]]:
        places = [self.opened.columns.index(name) for name in names]
        found: dict[str, list[Any]] = {name: [] for name in names}
        for _, rows in self.opened.blocks(BadRows(skip=True)):
            for name, k in zip(names, places, strict=True):
                found[name] += [row[k] for row in rows]
        return found

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
                f"{', '.join(self.opened.columns[:20])}; give --target"
            )
        self.free = [name for name in self.free if name not in found]
        return found

    def _told(self, settled: Columns) -> tuple[str, ...]:
        given, told = self.given, []
        if given.sequence_column is None and not self.lists:
            by = ", ".join(settled.sequence)
            told.append(f'sequences by "{by}"' if by else "all rows as one sequence")
        if given.time_column is None and settled.time:
            dates = self.columns[settled.time].dates
            how = f" ({dates.told()})" if dates is not None and dates.sure else ""
            told.append(f'in the order of "{settled.time}"{how}')
        if self.opened.asked.header is None and not self.opened.header and not self.lists:
            told.append("no header")
        for what, names in (
            ("input", settled.inputs), ("target", settled.targets), ("state", settled.states),
            ("static", settled.statics),
        ):  # fmt: skip
            asked = given.target if what == "target" else getattr(given, f"{what}_columns")
            if asked is None and (names or what == "input"):
                told.append(f"{what}s {', '.join(names) or 'none'}")
        used = {
            *settled.sequence, settled.time, *settled.inputs, *settled.targets, *settled.states,
            *settled.statics,
        }  # fmt: skip
        left = [n for n, c in self.columns.items() if n not in used and not c.passed_over]
        dated = [n for n in left if (d := self.columns[n].dates) is not None and d.sure]
        if dated:
            told.append(f"a second column of dates is not used: {', '.join(dated)}")
        if words := [n for n in left if n not in dated]:
            told.append(f"not used, as it holds no numbers or a name: {', '.join(words[:8])}")
        return (f"taken: {'; '.join(told)}",) if told else ()


def _named(pool: Sequence[str], names: Sequence[str], starts: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these names, or that begin so."""
    return tuple(n for n in pool if n.lower() in names or n.lower().startswith(starts))


def _codes(cells: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """A number for each cell, the same for equal ones."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(str(c).strip(), len(numbers)) for c in cells], np.int64)


def _unique(codes: Sequence[np.ndarray[Any, np.dtype[np.int64]]]) -> bool:
    """Whether no row is like another in all of these."""
    together = codes[0]
    for one in codes[1:]:
        _, together = np.unique(together * (int(one.max()) + 1) + one, return_inverse=True)
    return len(np.unique(together)) == len(together)


def _values(column: Column, cells: Sequence[Any]) -> Any:
    """Times as numbers in their order; None where there are none."""
    if column.dates is not None and (column.dates.sure or column.numerals is None):
        return column.dates.moments(cells)[0]
    return None if column.numerals is None else column.numerals.numbers(cells)[0]


def has_lists(row: Row) -> bool:
    """Whether a row is a whole sequence."""
    return any(isinstance(value, list | np.ndarray) for value in row.values.values())
