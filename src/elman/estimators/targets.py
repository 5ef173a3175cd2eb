"""Classes as people hand them over: one for each sequence, or several labels at once.

["up", "down"]                    a class each
[["a", "b"], [], ["b"]]           labels, which may be none
[[1, 1], [0, 0], [0, 1]]          0 and 1, a column for each label: an array, a frame, or lists
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.errors import UserError

Kind: TypeAlias = Literal["one", "columns", "list", "tuple", "set"]
CONTAINERS = (list, tuple, set, frozenset)
KNOWN = 10  # labels that a message names


@dataclass(frozen=True)
class Targets:
    """`each` holds the numbers of the classes of each sequence, in the order of `classes`."""

    classes: NDArray[Any]  # [C]
    each: list[list[int]]
    kind: Kind
    shape: tuple[int, ...]

    @property
    def several(self) -> bool:
        """Whether a sequence may have several labels at once."""
        return self.kind != "one"

    def written(self, told: NDArray[np.bool_]) -> Any:
        """Answers [N, C] in the form of the targets."""
        if self.kind == "columns":
            return told.astype(np.int64)
        make = {"tuple": tuple, "set": set}.get(self.kind, list)
        return [make(self.classes[row].tolist()) for row in told]

    def again(self, y: Any) -> NDArray[np.bool_]:
        """Other targets of these classes, [N, C]. UserError: a label that is none of them."""
        other = read_targets(y)
        made = np.zeros((len(other.each), len(self.classes)), dtype=np.bool_)
        place = {str(label): k for k, label in enumerate(self.classes)}
        if self.kind == other.kind == "columns" and len(self.classes) == len(other.classes):
            place = {str(label): k for k, label in enumerate(other.classes)}
        for k, numbers in enumerate(other.each):
            for label in other.classes[numbers]:
                if str(label) not in place:
                    known = ", ".join(map(str, self.classes[:KNOWN]))
                    raise UserError(
                        f"y[{k}]: {str(label)!r} is none of the labels learnt ({known})"
                    )
                made[k, place[str(label)]] = True
        return made


def read_targets(y: Any) -> Targets:
    """The classes of each sequence. UserError: a missing one, and what is neither form."""
    names = [str(name) for name in y.columns] if hasattr(y, "columns") else None
    values = y.toarray() if hasattr(y, "toarray") else y
    values = values.to_numpy() if hasattr(values, "to_numpy") else values
    if isinstance(values, np.ndarray) and values.ndim == 2:
        return _columns(values, names)
    rows = list(values)
    if rows and all(isinstance(row, np.ndarray) and row.ndim == 1 for row in rows):
        rows = [row.tolist() for row in rows]
    if any(isinstance(row, CONTAINERS) for row in rows):
        return _matrix(rows) or _labels(rows)
    for k, label in enumerate(rows):
        _check(label, f"y[{k}]")
    labels = np.asarray(values if isinstance(values, np.ndarray) else rows)
    if labels.ndim != 1:
        raise UserError(f"y of shape {labels.shape}: needs a class each, or 0 and 1 as [N, C]")
    classes, numbers = np.unique(labels, return_inverse=True)
    return Targets(classes, [[int(k)] for k in numbers], "one", labels.shape)


def _columns(values: NDArray[Any], names: Sequence[str] | None) -> Targets:
    """0 and 1, a column for each label."""
    for k, j in np.argwhere(~np.isin(values, (0, 1)))[:1]:
        _check(values[k, j], f"y[{k}]")
        raise UserError(f"y[{k}] holds {values[k, j]}: needs 0 and 1, a column for each label")
    classes = np.arange(values.shape[1]) if names is None else np.array(names)
    each = [np.flatnonzero(row.astype(np.int64)).tolist() for row in values]
    return Targets(classes, each, "columns", values.shape)


def _matrix(rows: Sequence[Any]) -> Targets | None:
    """Lists of 0 and 1, equally long, as columns; None where they are lists of labels."""
    if not all(isinstance(row, list) and len(row) == len(rows[0]) > 1 for row in rows):
        return None
    cells = [cell for row in rows for cell in row]
    if not all(isinstance(cell, int) and cell in (0, 1) for cell in cells):
        return None
    return _columns(np.array(rows, dtype=np.int64), None)


def _labels(rows: Sequence[Any]) -> Targets:
    different: dict[str, Any] = {}
    for k, row in enumerate(rows):
        if not isinstance(row, CONTAINERS):
            raise UserError(f"y[{k}] is {row!r}: needs a list of labels, as others are")
        for label in row:
            _check(label, f"y[{k}]")
            if isinstance(label, CONTAINERS):
                raise UserError(f"y[{k}] holds {label!r}, which is no label")
            different.setdefault(str(label), label)
    values: list[Any] = list(different.values())
    try:
        values.sort()
    except TypeError:  # numbers and texts
        values.sort(key=str)
    of_one_type = len({type(value) for value in values}) == 1
    classes = np.array(values, dtype=None if of_one_type else object)
    place = {str(label): k for k, label in enumerate(values)}
    kind: Kind = "list"
    if all(isinstance(row, set | frozenset) for row in rows):
        kind = "set"
    elif all(isinstance(row, tuple) for row in rows):
        kind = "tuple"
    each = [sorted({place[str(label)] for label in row}) for row in rows]
    return Targets(classes, each, kind, (len(rows),))


def _check(label: Any, where: str) -> None:
    """UserError where a label is missing: None, NaN, or what data frames have for it."""
    absent = label is None or type(label).__name__ in ("NAType", "NaTType")
    if absent or (isinstance(label, float | np.floating) and bool(np.isnan(label))):
        raise UserError(f"{where} is {label}: a class is missing; leave its sequence out too")
