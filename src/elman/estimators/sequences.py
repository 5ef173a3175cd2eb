"""Sequences as people hand them over: lists, arrays, columns of a data frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.trajectories import LARGEST
from elman.errors import UserError

Values = NDArray[np.float64]


def rows_of(X: Iterable[Any], what: str = "X") -> list[Any]:
    """The rows of a list, an array or a column. UserError: none."""
    rows = list(X.to_numpy() if hasattr(X, "to_numpy") else X)
    if not rows:
        raise UserError(f"{what} holds no sequences")
    return rows


def texts_of(rows: list[Any]) -> list[str]:
    """Texts, stripped. UserError: an empty one, or something else among them."""
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
