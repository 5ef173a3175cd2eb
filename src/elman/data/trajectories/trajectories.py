"""Sequences of numbers with numbers to be told: at every step, or once for the whole sequence.

sequence,torque,angle,velocity,initial_angle,initial_velocity
1,0.31,-0.52,1.20,-0.55,1.13
1,0.29,-0.46,1.22,-0.55,1.13

A row is a step. Or a line is a sequence, {"x": [[0.31], [0.29]], "y": [[-0.5, 1.2], [-0.4, 1.2]]},
or arrays x [N, T, I] and y [N, T, O] or [N, O] stand in an .npz.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from elman.data import npz, source
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.content import BadRows, Block, Content
from elman.data.tables.delimited import is_number
from elman.data.tables.numerals import Numerals
from elman.data.tables.options import TableOptions
from elman.data.tables.reading import Reading
from elman.data.tables.table import NOTHING, Row, Table
from elman.data.trajectories import gaps
from elman.data.trajectories.columns import (
    INPUTS,
    STATES,
    STATICS,
    TARGETS,
    has_lists,
    settle,
)
from elman.data.trajectories.roles import Columns
from elman.errors import UserError
from elman.wording import counted

Values = NDArray[np.float64]

LONGEST = 65_536  # steps of a sequence
LARGEST = 1e30  # its square still fits a sum of float64, and itself float32
PLAIN = Numerals()
REMEMBERED = 1_000_000  # names of sequences that must not come again


@dataclass(frozen=True)
class Trajectory:
    """One sequence. `where` says where it came from; `empty` where its first missing target is, and
    what is missing; `filled` how many inputs were.

    While it is read, `y` is as it stands in the data; `settled` makes it [T, O], or [O].
    """

    name: str
    where: str
    x: Values  # [T, I]
    y: Values
    state: Values  # [S], at the first step
    static: Values  # [K]
    empty: tuple[str, str] | None = None
    filled: int = 0  # inputs that were missing

    def digest(self) -> bytes:
        """Equal for equal inputs, first states and targets."""
        return self._digest

    @cached_property
    def _digest(self) -> bytes:
        whole = hashlib.blake2b(digest_size=16)
        for part in (self.x, self.y, self.state, self.static):
            whole.update(str(part.shape).encode() + part.tobytes())
        return whole.digest()


@dataclass(frozen=True)
class Trajectories:
    """Sequences in order, how they were read, and what was guessed, for the user."""

    items: list[Trajectory] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    reading: Reading = field(default_factory=Reading)
    facts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def pick(self, numbers: Iterable[int]) -> Trajectories:
        """Those of these numbers."""
        return replace(self, items=[self.items[k] for k in numbers])

    def digest(self) -> str:
        """Of all sequences together."""
        return hashlib.sha256(b"".join(item.digest() for item in self.items)).hexdigest()


def read(
    data: Sequence[str], columns: Columns, bad: BadRows, asked: TableOptions = NOTHING,
    known: Reading | None = None,
) -> Trajectories:  # fmt: skip
    """Everything that the items of data hold; a bad row leaves out the sequence that it is part of.

    UserError: nothing, not such data, or sequences that do not fit one another.
    """
    items: list[Trajectory] = []
    facts: list[str] = []
    for opened in tables(data, asked, known):
        columns, told = settle(opened, columns)
        facts += [*opened.facts, *opened.examined.reading.facts(), *told] if known is None else told
        known = opened.examined.reading  # what was found of one table holds for the next
        made = list(sequences(opened, columns, bad, gathered=bool(columns.time)))
        if moved := sum(bool((np.diff(one.order) < 0).any()) for _, one in made):
            where = "" if len(made) == 1 else f" in {moved:,} of {len(made):,} sequences"
            facts.append(f'rows sorted by "{columns.time}"{where}')
        items += [one.trajectory for _, one in made]
    if filled := sum(item.filled for item in items):
        facts.append(f"{counted(filled, 'missing input')} filled with the value before")
    if not items:
        raise bad.nothing_left(f"{data[0]}: holds no sequences")
    if columns.every_step is None:
        columns = replace(columns, every_step=_every_step(items))
        facts.append(f"a target at every step: {'yes' if columns.every_step else 'no'}")
    kept = fitting(items, every_step=bool(columns.every_step), bad=bad)
    if not kept:
        raise UserError(f"{data[0]}: holds no sequence that could be read")
    return Trajectories(kept, columns, known or Reading(), tuple(dict.fromkeys(facts)))


def fitting(items: Sequence[Trajectory], *, every_step: bool, bad: BadRows) -> list[Trajectory]:
    """Those that are as wide as the first, with targets as `settled` gives them; bad ones not."""
    kept: list[Trajectory] = []
    for item in items:
        if every_step and item.empty:
            bad.add(*item.empty)
            continue
        try:
            made = settled(item, every_step=every_step)
            _check_widths(made, kept[0] if kept else made)
            kept.append(made)
        except ValueError as error:
            bad.add(item.where, str(error))
    return kept


def tables(
    data: Sequence[str], asked: TableOptions = NOTHING, known: Reading | None = None
) -> Iterator[Table]:
    """Everything that the items of data name, each as a table: of steps, or of sequences."""
    for one in source.resolve(data):
        if table.ending(one) == ".npz":
            yield _of_arrays(one, asked, known)
        else:
            yield table.open_table(one, asked, known, lists=True)


def settled(item: Trajectory, *, every_step: bool) -> Trajectory:
    """The same with `y` as [T, O], or with one value for the sequence, [O]: the last one told.

    ValueError: not as many targets as there are steps, or none at all.
    """
    y = item.y
    if every_step:
        y = y[:, None] if y.ndim == 1 else y
        if y.ndim != 2 or len(y) != len(item.x):
            raise ValueError(f"targets of shape {list(item.y.shape)} for {len(item.x):,} steps")
        return replace(item, y=y)
    if y.ndim == 2:
        known = [column[~np.isnan(column)] for column in y.T]
        if any(len(column) == 0 for column in known):
            raise ValueError("no target in any of its rows")
        y = np.array([column[-1] for column in known])
    return replace(item, y=np.atleast_1d(y))


def target_names(columns: Columns, width: int) -> tuple[str, ...]:
    """A name for each of the numbers that are to be told."""
    if len(columns.targets) == width:
        return columns.targets
    return tuple(f"{columns.targets[0]}_{k + 1}" for k in range(width))


def split(items: Sequence[Trajectory], share: float) -> tuple[list[int], list[int]]:
    """The numbers for training and for validation: whole sequences, equal ones on one side.

    Always the same for the same data. UserError: one sequence only, or none left for training.
    """
    if share == 0:
        return list(range(len(items))), []
    equal: dict[bytes, list[int]] = {}
    for k, item in enumerate(items):
        equal.setdefault(item.digest(), []).append(k)
    # By content, not by place: sequences that are added leave the others where they are. Where all
    # are alike, the doctor tells that what is validated is trained on.
    groups = [equal[digest] for digest in sorted(equal)]
    if len(groups) == 1:
        groups = [[k] for k in groups[0]]
    if len(groups) < 2:
        raise UserError(
            f"{items[0].where}: one sequence only, so none is left to validate on; cut it into "
            "parts (--cut 200), name the column that tells sequences apart (--sequence-column), or "
            "give --validation 0"
        )
    held: list[int] = []
    for group in groups[:-1]:
        if len(held) >= max(1, round(share * len(items))):
            break
        held += group
    return sorted(set(range(len(items))) - set(held)), sorted(held)


def cut(items: Sequence[Trajectory], steps: int) -> list[Trajectory]:
    """Each in parts of so many steps; the last part of a sequence may be shorter.

    For targets at every step, without first states: those of later parts are not known.
    """
    return [
        replace(
            item, name=f"{item.name} from step {start + 1:,}".strip(),
            where=f"{item.where}, from step {start + 1:,}",
            x=item.x[start : start + steps], y=item.y[start : start + steps],
        )
        for item in items
        for start in range(0, len(item.x), steps)
    ]  # fmt: skip


# ---- Sequences -----------------------------------------------------------------------------


class InOrder(NamedTuple):
    """A sequence, and the row that each of its steps stands in."""

    trajectory: Trajectory
    order: NDArray[np.int64]  # [T]


def sequences(
    opened: Table, columns: Columns, bad: BadRows, *, targets: bool = True, gathered: bool = False
) -> Iterator[tuple[list[Row], InOrder]]:
    """Every sequence of a table that can be read, with its rows as they stand, and its steps in the
    order of their times; nothing is read before its turn.

    The rows of a sequence must stand together, unless they are `gathered` from the whole table.
    Without `targets` none are read. UserError: a bad row, unless `bad` leaves its sequence out;
    sequences whose rows do not stand together; one that is longer than `LONGEST`.
    """
    reading = opened.examined.reading
    for rows in _groups(opened, columns, bad, gathered=gathered):
        there = [row for row in rows if row.values]
        if not there:
            continue
        name = _name(there[0], columns)
        if has_lists(there[0]):
            made, order = _of_lists(there, name, columns, bad, targets), np.zeros(1, np.int64)
        else:
            found = _in_order(there, columns, reading, bad)
            if found is None:
                continue
            ordered = [there[k] for k in found]
            made, order = _of_rows(ordered, name, columns, reading, bad, targets), found
        if made is not None:
            yield rows, InOrder(made, order)


def _name(row: Row | None, columns: Columns) -> str:
    """What the sequence of a row is called."""
    if row is None:
        return ""
    return " / ".join(str(row.values.get(name, "")).strip() for name in columns.sequence)


def _groups(
    opened: Table, columns: Columns, bad: BadRows, *, gathered: bool
) -> Iterator[list[Row]]:
    """The rows of each sequence. One with a row that could not be read is left out."""
    stream = opened.rows(bad)
    seen: set[str] = set()
    groups: dict[str, list[Row]] = {}
    torn: set[str] = set()
    current = ""
    while True:
        counted = bad.count
        row = next(stream, None)
        if row is not None and has_lists(row):
            yield [row]
            continue
        name = current if row is not None and not row.values else _name(row, columns)
        if bad.count > counted:  # rows that may belong to this sequence or to the next
            torn |= {current, name}
        if name != current and not any(r.values for r in groups.get(current, ())):
            groups = {name: groups.pop(current, [])} if current in groups else groups
            current = name  # blank lines before a sequence go with it
        if groups and (row is None or (name != current and not gathered)):
            yield from _whole(groups, torn, bad)
            groups, torn = {}, torn & {name}
        if row is None:
            return
        if name not in groups and not gathered:
            _check_new(name, seen, row)
        current = name
        group = groups.setdefault(name, [])
        group.append(row)
        if len(group) > LONGEST:
            raise UserError(
                f"{row.where}: a sequence of more than {LONGEST:,} steps; cut it into parts and "
                "name them in a column of their own"
            )


def _whole(
    groups: Mapping[str, list[Row]], torn: Collection[str], bad: BadRows
) -> Iterator[list[Row]]:
    for name, rows in groups.items():
        if name in torn:
            bad.add(rows[0].where, "a row of this sequence, or one beside it, cannot be read")
        else:
            yield rows


def _check_new(name: str, seen: set[str], row: Row) -> None:
    """UserError where a sequence of that name has ended before."""
    if name in seen:
        raise UserError(
            f'{row.where}: sequence "{name}" goes on after another one; the rows of a sequence '
            "must stand together, in order of time"
        )
    if len(seen) < REMEMBERED:
        seen.add(name)


def _in_order(
    rows: Sequence[Row], columns: Columns, reading: Reading, bad: BadRows
) -> NDArray[np.int64] | None:
    """The numbers of the rows in the order of their times; None where a time is bad."""
    every = np.arange(len(rows), dtype=np.int64)
    if not columns.time:
        return every
    column = reading.column(columns.time)
    cells = [row.values.get(columns.time) for row in rows]
    values: NDArray[Any]
    if column.dates is not None and (column.dates.sure or column.numerals is None):
        values, wrong = column.dates.moments(cells)
        fits = f"a date as the others are ({column.dates.told()})"
    else:
        values, wrong = (column.numerals or PLAIN).numbers(cells)
        wrong, fits = wrong | np.isnan(values), "a number"
    if wrong.any():
        k = int(wrong.argmax())
        bad.add(rows[k].where, f'"{columns.time}" is {str(cells[k])[:40]!r}, not {fits}')
        return None
    steps = np.diff(values)
    if not (steps < 0).any():
        return every
    order = np.argsort(values, kind="stable")
    twice = np.flatnonzero(np.diff(values[order]) == 0)
    if len(twice):
        first, second = sorted((int(order[twice[0]]), int(order[twice[0] + 1])))
        bad.add(
            rows[second].where,
            f'"{columns.time}" is {cells[second]}, as in {rows[first].where}, so the rows have no '
            "order; name the columns that tell sequences apart (--sequence-column), or give "
            "--time-column none",
        )
        return None
    return order


def _of_rows(
    rows: Sequence[Row], name: str, columns: Columns, reading: Reading, bad: BadRows, targets: bool
) -> Trajectory | None:
    """A sequence from its steps; None where one of them is bad."""
    numerals = {
        name: reading.column(name).numerals or PLAIN
        for name in (*columns.inputs, *columns.targets, *columns.states, *columns.statics)
    }
    empty: tuple[str, str] | None = None
    lacking: Row | None = None  # the first whose inputs are not all there
    x, y = [], []
    for row in rows:
        try:
            given = [_number(row, c, numerals[c], or_empty=True) for c in columns.inputs]
            x.append(given)
            if any(map(math.isnan, given)) and lacking is None:
                lacking = row
            if targets:
                told = [_number(row, c, numerals[c], or_empty=True) for c in columns.targets]
                y.append(told)
                for column, value in zip(columns.targets, told, strict=True):
                    if empty is None and math.isnan(value):
                        empty = row.where, f'"{column}" holds no number'
            if row is rows[0]:
                state = [_number(row, column, numerals[column]) for column in columns.states]
                static = [_number(row, column, numerals[column]) for column in columns.statics]
        except ValueError as error:
            bad.add(row.where, str(error))
            return None
    inputs, filled = np.array(x).reshape(len(rows), len(columns.inputs)), 0
    if lacking is not None:
        try:
            inputs, filled = gaps.filled(inputs, columns.inputs)
        except ValueError as error:
            bad.add(lacking.where, str(error))
            return None
    return Trajectory(
        name, rows[0].where, inputs, np.array(y).reshape(len(y), len(columns.targets)),
        np.array(state), np.array(static), empty, filled,
    )  # fmt: skip


def _number(row: Row, column: str, numerals: Numerals, *, or_empty: bool = False) -> float:
    """The number in a cell; NaN for an empty one. ValueError: none, or not finite."""
    value = row.values.get(column)
    number = numerals.number(value)
    if number is None and is_number(value) and math.isinf(float(value)):  # type: ignore[arg-type]
        number = math.inf
    if number is None:
        told = numerals.told()
        raise ValueError(
            f'"{column}" is {str(value)[:40]!r}, not a number{f" ({told})" if told else ""}'
        )
    if math.isnan(number):
        if or_empty:
            return math.nan
        raise ValueError(f'"{column}" holds no number')
    if not abs(number) <= LARGEST:
        raise ValueError(f'"{column}" is {value}, not a finite number up to {LARGEST:g}')
    return number


def _of_lists(
    rows: Sequence[Row], name: str, columns: Columns, bad: BadRows, targets: bool
) -> Trajectory | None:
    """A sequence from the lists in one row; None where they are bad."""
    (row,) = rows
    try:
        parts = [_steps(row, column) for column in columns.inputs]
        if not parts:
            raise ValueError("no inputs; name them with --input-columns")
        if len({len(part) for part in parts}) > 1:
            lengths = ", ".join(
                f'"{c}" {len(p):,}' for c, p in zip(columns.inputs, parts, strict=True)
            )
            raise ValueError(f"inputs of unequal length: {lengths}")
        x = np.concatenate(parts, axis=1)
        if not 1 <= len(x) <= LONGEST:
            raise ValueError(f"a sequence of {len(x):,} steps; needs 1 to {LONGEST:,}")
        state = _together(_array(row, column) for column in columns.states)
        static = _together(_array(row, column) for column in columns.statics)
        y = _targets_of(row, columns.targets) if targets else np.zeros((0, 0))
    except ValueError as error:
        bad.add(row.where, str(error))
        return None
    return Trajectory(name, row.where, x, y, state, static)


def _steps(row: Row, column: str) -> Values:
    """A list of numbers, or of lists of equally many, as [T, I]."""
    array = _array(row, column)
    if array.ndim not in (1, 2):
        raise ValueError(f'"{column}" is no list of numbers, or of equally long lists of them')
    return array[:, None] if array.ndim == 1 else array


def _targets_of(row: Row, names: Sequence[str]) -> Values:
    """The targets as they stand: a number, or lists of one or two axes; keys side by side."""
    parts = [_array(row, name) for name in names]
    if len(parts) == 1:
        if parts[0].ndim > 2:
            raise ValueError(f'"{names[0]}" is a list of lists of lists')
        return parts[0]
    if len({part.shape for part in parts}) > 1 or parts[0].ndim > 1:
        raise ValueError(f"{', '.join(names)} must be numbers, or equally long lists of them")
    together = np.stack(parts, axis=-1)
    return together if together.ndim == 2 else together[None]


def _array(row: Row, column: str) -> Values:
    value = row.values.get(column)
    if value is None:
        raise ValueError(f'no "{column}" in it')
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f'"{column}" is no list of numbers, or of equally long lists of them'
        ) from None
    if not (np.abs(array) <= LARGEST).all():
        raise ValueError(f'"{column}" holds a number that is not finite, or not up to {LARGEST:g}')
    return array


def _together(parts: Iterable[Values]) -> Values:
    flat = [part.reshape(-1) for part in parts]
    return np.concatenate(flat) if flat else np.zeros(0)


def _of_arrays(one: Source, asked: TableOptions, known: Reading | None) -> Table:
    """The arrays of an .npz as a table of one sequence a row."""
    arrays = npz.read_arrays(one, (*INPUTS, *TARGETS, *STATES, *STATICS), INPUTS)
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or array.ndim < 1:
            raise UserError(
                f"{one.shown}: the array {name} of type {array.dtype} holds no numbers in order"
            )
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise UserError(f"{one.shown}: arrays of unequal numbers of sequences: {told}")

    # One number a sequence is a cell as tables hold them.
    cells = [array.tolist() if array.ndim == 1 else array for array in arrays.values()]

    def blocks(bad: BadRows) -> Iterator[Block]:
        yield Block(range(next(iter(counts.values()))), list(zip(*cells, strict=True)))

    return table.of_content(one.shown, Content(tuple(arrays), blocks, "number"), asked, known)


def _every_step(items: Sequence[Trajectory]) -> bool:
    """Whether the targets are such of every step: not if they never change within a sequence."""
    if any(item.y.ndim == 0 for item in items):
        return False
    if any(item.y.ndim == 1 for item in items):
        return all(item.y.ndim == 2 or len(item.y) == len(item.x) for item in items)
    longer = [item.y for item in items if len(item.x) > 1]
    return not longer or not all(map(_is_one_value, longer))


def _is_one_value(y: Values) -> bool:
    """Whether of the rows [T, O] all that hold a target hold the same."""
    return all(len(set(column[~np.isnan(column)].tolist())) == 1 for column in y.T)


def _check_widths(item: Trajectory, first: Trajectory) -> None:
    """ValueError unless both have as many inputs, targets, states and static values."""
    for what in ("x", "y", "state", "static"):
        own, other = (getattr(part, what).shape[-1] for part in (item, first))
        if own != other:
            told = {"x": "inputs", "y": "targets", "state": "states", "static": "static values"}
            raise ValueError(f"{own} {told[what]}, where the first sequence has {other}")
