"""Labelled sequences out of arrays: IDX files with their labels beside them, and .npz."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data import npz
from elman.data.labelled.examples import Examples
from elman.data.labelled.roles import LabelRoles
from elman.data.labelled.several import Several
from elman.data.pictures import idx, images
from elman.data.source import Source
from elman.errors import UserError


def read_idx(one: Source, roles: LabelRoles, *, labelled: bool) -> Examples:
    """Images, their labels in the file beside them. UserError: no such files."""
    pictures = idx.read_idx(one)
    if pictures.ndim != 3:
        raise UserError(
            f"{one.shown}: labels, not images; give the file of images, its labels beside it"
        )
    beside = idx.labels_beside(one)
    if beside is None or not beside.path.is_file():
        if labelled:
            looked = f"looked for {beside.shown}" if beside else 'its name must hold "images"'
            raise UserError(f"{one.shown}: no labels beside it; {looked}")
        return of_arrays(one, pictures, [], roles)
    labels = idx.read_idx(beside)
    if labels.ndim != 1:
        raise UserError(f"{beside.shown}: images, not labels")
    return of_arrays(one, pictures, [str(value) for value in labels], roles)


def read_npz(one: Source, roles: LabelRoles, *, labelled: bool) -> Examples:
    """The arrays x and y; y [N, K] of 0 and 1 are several labels at once. UserError: none such."""
    x, y = npz.read(one)
    if y is None:
        if labelled:
            raise UserError(f"{one.shown}: holds no labels; name their array y")
        return of_arrays(one, x, [], roles)
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind not in "biufU":
        raise UserError(f"{one.shown}: labels of type {y.dtype}; needs numbers or texts")
    if y.ndim == 2 and y.shape[1] > 1:
        return _several(one, x, y, roles)
    return of_arrays(one, x, [str(value).strip() for value in y.reshape(-1)], roles)


def _several(one: Source, x: NDArray[Any], y: NDArray[Any], roles: LabelRoles) -> Examples:
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        raise UserError(f"{one.shown}: labels of shape {list(y.shape)}; needs [N], or 0 and 1")
    names = tuple(map(str, range(y.shape[1])))
    roles = replace(roles, label_columns=names, several=Several("columns"))
    sets = [tuple(names[k] for k in np.flatnonzero(row)) for row in y]
    made = of_arrays(one, x, [",".join(labels) for labels in sets], roles)
    return replace(made, sets=sets)


def of_arrays(one: Source, x: NDArray[Any], labels: list[str], roles: LabelRoles) -> Examples:
    """Sequences from an array [N, T], [N, T, I] or of images, with their labels if there are any.

    UserError: another shape, as many labels as do not fit, values that are not finite.
    """
    if labels and len(labels) != len(x):
        raise UserError(f"{one.shown}: {len(x):,} sequences and {len(labels):,} labels")
    if x.ndim == 2:
        x = x[..., None]
    if x.ndim != 3 or x.dtype.kind not in "fiu" or not x.size:
        raise UserError(
            f"{one.shown}: inputs of shape {list(x.shape)} and type {x.dtype}; needs numbers "
            "[N, T], [N, T, I] or images [N, height, width]"
        )
    with np.errstate(over="ignore"):
        sequences = images.as_sequences(x, roles.scan)
    finite = np.isfinite(sequences).all((1, 2))
    if not finite.all():
        raise UserError(
            f"{one.shown}, number {int(finite.argmin())}: holds values that are no finite numbers"
        )
    where = [f"{one.shown}, number {k}" for k in range(len(x))]
    return Examples(
        vectors=list(sequences), labels=labels, where=where,
        facts=(f"taken: {roles.scan} of {x.shape[1]} × {x.shape[2]} values",), roles=roles,
    )  # fmt: skip
