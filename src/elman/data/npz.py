"""Arrays out of .npz files, without trust in what such a file says of itself."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from elman.data.archives import BROKEN as DAMAGED
from elman.data.source import Source
from elman.errors import UserError

LARGEST = 1 << 30  # bytes that a file may unpack to; as float32 a byte takes four
BROKEN = (*DAMAGED, OSError)
INPUTS, LABELS = ("x", "X", "images", "data", "sequences"), ("y", "Y", "labels", "targets")


def read(source: Source) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Inputs and labels, by the usual names of their arrays.

    UserError: no such arrays, arrays of objects, or more bytes than a file may unpack to.
    """
    arrays = read_arrays(source, (*INPUTS, *LABELS), INPUTS)
    x = next(arrays[name] for name in INPUTS if name in arrays)
    return x, next((arrays[name] for name in LABELS if name in arrays), None)


def read_arrays(
    source: Source, wanted: Sequence[str], needed: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """The arrays that bear one of the wanted names, in the order of these.

    UserError: none of those needed, arrays of objects, or more bytes than a file may unpack to.
    """
    try:
        with zipfile.ZipFile(source.path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            if not set(names) & set(needed):
                raise UserError(
                    f"{source.shown}: holds the arrays {', '.join(names[:10])}; the inputs must be "
                    f"named one of {', '.join(needed)}"
                )
            return {name: _array(archive, name, source.shown) for name in wanted if name in names}
    except BROKEN as error:
        raise UserError(f"{source.shown}: cannot be read as .npz ({error})") from None


def named(file: BinaryIO, shown: str) -> dict[str, NDArray[Any]]:
    """Every array, by its name, in the order of the file; together no more bytes than a file may
    unpack to. UserError as above."""
    found: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    name = name.removesuffix(".npy")
                    found[name] = _array(
                        archive, name, shown, sum(a.nbytes for a in found.values())
                    )
    except BROKEN as error:
        raise UserError(f"{shown}: cannot be read as .npz ({error})") from None
    if not found:
        raise UserError(f"{shown}: holds no arrays")
    return found


def _array(archive: zipfile.ZipFile, name: str, shown: str, before: int = 0) -> NDArray[Any]:
    """An array of an archive. Its header is not believed: memory is taken as bytes are found."""
    with archive.open(f"{name}.npy") as member:
        data = member.read(LARGEST - before + 1)
    if len(data) > LARGEST - before:
        raise UserError(f"{shown}: its array {name} unpacks to more than {LARGEST:,} bytes")
    file = io.BytesIO(data)
    version_1 = np.lib.format.read_magic(file) == (1, 0)
    head = np.lib.format.read_array_header_1_0 if version_1 else np.lib.format.read_array_header_2_0
    shape, by_column, kind = head(file)
    if kind.hasobject:
        raise UserError(f"{shown}: its array {name} holds objects; save it as numbers")
    if math.prod(shape) * kind.itemsize != len(data) - file.tell():
        raise UserError(f"{shown}: its array {name} is not as long as its header tells")
    array: NDArray[Any] = np.frombuffer(data, dtype=kind, offset=file.tell())
    return array.reshape(shape, order="F" if by_column else "C")
