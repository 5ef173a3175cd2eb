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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data import images, source
from elman.data.columns import (
    INPUTS,
    STATES,
    STATICS,
    TARGETS,
    has_lists,
    is_empty,
    settle,
)
from elman.data.roles import Columns
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import Row, Table
from elman.errors import UserError

Values = NDArray[np.float64]

LONGEST = 65_536  # steps of a sequence
LARGEST = 1e30  # its square still fits a sum of float64, and itself float32
REMEMBERED = 1_000_000  # names of sequences that must not come again


@dataclass(frozen=True)
class Trajectory:
    """One sequence. `where` says where it came from; `empty` where its first missing target is, and
    what is missing.

    While it is read, `y` is as it stands in the data; `settled` makes it [T, O], or [O].
    """

    name: str
    where: str
    x: Values  # [T, I]
    y: Values
    state: Values  # [S], at the first step
    static: Values  # [K]
    empty: tuple[str, str] | None = None

    def digest(self) -> bytes:
        """Equal for equal inputs, first states and targets."""
        whole = hashlib.blake2b(digest_size=16)
        for part in (self.x, self.y, self.state, self.static):
            whole.update(str(part.shape).encode() + part.tobytes())
        return whole.digest()


@dataclass(frozen=True)
class Trajectories:
    """Sequences in order, how they were read, and what was guessed, for the user."""

    items: list[Trajectory] = field(default_factory=list)
    columns: Columns = field(default_factory=Columns)
    facts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def pick(self, numbers: Iterable[int]) -> Trajectories:
        """Those of these numbers."""
        return replace(self, items=[self.items[k] for k in numbers])

    def digest(self) -> str:
        """Of all sequences together."""
        return hashlib.sha256(b"".join(item.digest() for item in self.items)).hexdigest()


def read(data: Sequence[str], columns: Columns, bad: BadRows) -> Trajectories:
    """Everything that the items of data hold; a bad row leaves out the sequence that it is part of.

    UserError: nothing, not such data, or sequences that do not fit one another.
    """
    items: list[Trajectory] = []
    facts: list[str] = []
    for opened in tables(data, columns):
        columns, told = settle(opened, columns)
        facts += told
        items += [trajectory for _, trajectory in sequences(opened, columns, bad)]
    if not items:
        raise UserError(f"{data[0]}: holds no sequences")
    if columns.every_step is None:
        columns = replace(columns, every_step=_every_step(items))
        facts.append(f"a target at every step: {'yes' if columns.every_step else 'no'}")
    kept = fitting(items, every_step=bool(columns.every_step), bad=bad)
    if not kept:
        raise UserError(f"{data[0]}: holds no sequence that could be read")
    return Trajectories(kept, columns, tuple(dict.fromkeys(facts)))


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


def tables(data: Sequence[str], columns: Columns) -> Iterator[Table]:
    """Everything that the items of data name, each as a table: of steps, or of sequences."""
    for one in source.resolve(data):
        if table.ending(one) == ".npz":
            yield _of_arrays(one)
        else:
            yield table.open_table(
                one, TableOptions(header=columns.header, encoding=columns.encoding)
            )


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
    if len(equal) < 2:
        raise UserError(
            f"{items[0].where}: one sequence only, so none is left to validate on; cut it into "
            "parts (--cut 200), name the column that tells sequences apart (--sequence-column), or "
            "give --validation 0"
        )
    held: list[int] = []
    # By content, not by place: sequences that are added leave the others where they are.
    for digest in sorted(equal)[:-1]:
        if len(held) >= max(1, round(share * len(items))):
            break
        held += equal[digest]
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


def sequences(
    opened: Table, columns: Columns, bad: BadRows, *, targets: bool = True
) -> Iterator[tuple[list[Row], Trajectory]]:
    """Every sequence of a table that can be read, with its rows; nothing is read before its turn.

    Without `targets` none are read. UserError: a bad row, unless `bad` leaves its sequence out;
    sequences whose rows do not stand together; one that is longer than `LONGEST`.
    """
    for rows in _groups(opened, columns, bad):
        made = _of_lists if has_lists(rows[0]) else _of_rows
        name = str(rows[0].values.get(columns.sequence_column or "", "")).strip()
        trajectory = made(rows, name, columns, bad, targets)
        if trajectory is not None:
            yield rows, trajectory


def _groups(opened: Table, columns: Columns, bad: BadRows) -> Iterator[list[Row]]:
    """The rows of each sequence. One with a row that could not be read is left out."""
    stream = opened.rows(bad)
    seen: set[str] = set()
    rows: list[Row] = []
    current, torn = "", False
    while True:
        counted = bad.count
        row = next(stream, None)
        if row is not None and has_lists(row):
            yield [row]
            continue
        lost = bad.count > counted  # rows that may belong to this sequence or to the next
        torn = torn or lost
        value = (
            "" if row is None else str(row.values.get(columns.sequence_column or "", "")).strip()
        )
        if rows and (row is None or value != current):
            if torn:
                bad.add(rows[0].where, "a row of this sequence, or one beside it, cannot be read")
            else:
                yield rows
            rows, torn = [], lost
        if row is None:
            return
        if not rows:
            _check_new(value, seen, row)
        current = value
        rows.append(row)
        if len(rows) > LONGEST:
            raise UserError(
                f"{row.where}: a sequence of more than {LONGEST:,} steps; cut it into parts and "
                "name them in a column of their own"
            )


def _check_new(name: str, seen: set[str], row: Row) -> None:
    """UserError where a sequence of that name has ended before."""
    if name in seen:
        raise UserError(
            f'{row.where}: sequence "{name}" goes on after another one; the rows of a sequence '
            "must stand together, in order of time"
        )
    if len(seen) < REMEMBERED:
        seen.add(name)


def _of_rows(
    rows: Sequence[Row], name: str, columns: Columns, bad: BadRows, targets: bool
) -> Trajectory | None:
    """A sequence from its steps; None where one of them is bad."""
    empty: tuple[str, str] | None = None
    x, y = [], []
    for row in rows:
        try:
            x.append([_number(row, column) for column in columns.inputs])
            if targets:
                told = [_number(row, column, or_empty=True) for column in columns.targets]
                y.append(told)
                for column, value in zip(columns.targets, told, strict=True):
                    if empty is None and math.isnan(value):
                        empty = row.where, f'"{column}" holds no number'
            if row is rows[0]:
                state = [_number(row, column) for column in columns.states]
                static = [_number(row, column) for column in columns.statics]
        except ValueError as error:
            bad.add(row.where, str(error))
            return None
    return Trajectory(
        name, rows[0].where, np.array(x).reshape(len(rows), len(columns.inputs)),
        np.array(y).reshape(len(y), len(columns.targets)), np.array(state), np.array(static), empty,
    )  # fmt: skip


def _number(row: Row, column: str, *, or_empty: bool = False) -> float:
    """The number in a cell; NaN for an empty one. ValueError: none, or not finite."""
    value = row.values.get(column)
    if is_empty(value):
        if or_empty:
            return math.nan
        raise ValueError(f'"{column}" holds no number')
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f'"{column}" is {str(value)[:40]!r}, not a number') from None
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


def _of_arrays(one: Source) -> Table:
    """The arrays of an .npz as a table of one sequence a row."""
    arrays = images.read_arrays(one, (*INPUTS, *TARGETS, *STATES, *STATICS), INPUTS)
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or array.ndim < 1:
            raise UserError(
                f"{one.shown}: the array {name} of type {array.dtype} holds no numbers in order"
            )
    counts = {name: len(array) for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count:,}" for name, count in counts.items())
        raise UserError(f"{one.shown}: arrays of unequal numbers of sequences: {told}")
    return Arrays(one.shown, "json", tuple(arrays), False, lambda bad: iter(()), arrays=arrays)


@dataclass(frozen=True)
class Arrays(Table):
    """Arrays [N, …] read as a table of N rows."""

    arrays: Mapping[str, NDArray[Any]] = field(kw_only=True)

    def rows(self, bad: BadRows) -> Iterator[Row]:
        for k in range(len(next(iter(self.arrays.values())))):
            yield Row(f"{self.shown}, number {k}", {n: a[k] for n, a in self.arrays.items()})


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
