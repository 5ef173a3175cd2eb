"""Sequences as people hand them over: lists, arrays, frames and columns of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.forms.frames import is_frame, open_frame
from elman.data.tables.content import BadRows
from elman.data.trajectories.trajectories import LARGEST
from elman.errors import UserError

Values = NDArray[np.float64]


def rows_of(X: Iterable[Any], what: str = "X") -> list[Any]:
    """The rows of a list, an array, a column or a frame. UserError: none, or a frame of texts."""
    if isinstance(X, str):
        raise UserError(f"{what} is a text: give a list of sequences, or train on a file's name")
    is_column = hasattr(X, "to_numpy") and not hasattr(X, "columns")  # of pandas or polars
    if not is_column and is_frame(X):
        return _of_frame(X, what)
    rows = list(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if not rows:
        raise UserError(f"{what} holds no sequences")
    return rows


def _of_frame(X: Any, what: str) -> list[Any]:
    """The cells of a frame's only column, or its rows of numbers."""
    content = open_frame(X, what)
    records = [cells for block in content.blocks(BadRows(skip=False)) for cells in block.cells]
    if len(content.columns) == 1:
        return [cells[0] for cells in records]
    for cells in records:
        for name, cell in zip(content.columns, cells, strict=True):
            if not isinstance(cell, int | float):
                raise UserError(
                    f'{what}: its column "{name}" holds {cell!r}; give the column of sequences, '
                    f'as {what}["{name}"]'
                )
    return [np.array(cells, dtype=np.float64) for cells in records]


def texts_of(rows: list[Any]) -> list[str]:
    """Texts, stripped. UserError: an empty one, or something else among them."""
    for k, row in enumerate(rows):
        if row is None or (isinstance(row, float) and row != row):
            raise UserError(f"X[{k}] is {row!r}: a text is missing")
    if not all(isinstance(row, str) for row in rows):
        raise UserError("X holds texts and arrays")
    texts = [str(row).strip() for row in rows]
    if "" in texts:
        raise UserError(f"X[{texts.index('')}] is empty")
    return texts


def arrays_of(rows: list[Any], told: str = "no numbers") -> list[Values]:
    """Arrays [T, I] of rows [T] or [T, I]. UserError: one that is none, empty, or not finite."""
    arrays = []
    for k, row in enumerate(rows):
        try:
            array = np.asarray(row, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise UserError(f"X[{k}]: {told} ({error})") from None
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or not array.size or not (np.abs(array) <= LARGEST).all():
            raise UserError(f"X[{k}] of shape {array.shape}: needs finite numbers [T] or [T, I]")
        arrays.append(array)
    return arrays
