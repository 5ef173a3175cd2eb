"""Images and arrays as sequences of vectors: IDX files as MNIST ships them, and .npz.

IDX: two zero bytes, the type (8: unsigned bytes), the number of axes, each axis as four bytes, the
highest first, then the values. 00 00 08 03, 00 00 EA 60, 00 00 00 1C, 00 00 00 1C, … for MNIST.
"""

from __future__ import annotations

import math
import struct
import zipfile
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.source import Source
from elman.errors import UserError

Scan: TypeAlias = Literal["rows", "columns", "pixels"]
Bytes: TypeAlias = NDArray[np.uint8]

LARGEST = 4 << 30  # bytes that a file may unpack to
IDX_BYTES = 8  # the type code of unsigned bytes
INPUTS, LABELS = ("x", "X", "images", "data", "sequences"), ("y", "Y", "labels", "targets")


def is_idx(source: Source) -> bool:
    """Whether a file begins as IDX files do."""
    start = next(source.blocks(), b"")
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in range(8, 15) and start[3] > 0


def read_idx(source: Source) -> Bytes:
    """The array of an IDX file of unsigned bytes. UserError: not such a file, or not its length."""
    blocks = source.blocks()
    data = bytearray(next(blocks, b""))
    if len(data) < 4 or data[:2] != b"\0\0":
        raise UserError(f"{source.shown}: no IDX file (it must begin with two zero bytes)")
    kind, axes = data[2], data[3]
    if kind != IDX_BYTES or not 1 <= axes <= 3:
        raise UserError(
            f"{source.shown}: wrong magic number 0x{int.from_bytes(data[:4], 'big'):08x}; "
            "an IDX file of images has 0x00000803, one of labels 0x00000801"
        )
    head = 4 + 4 * axes
    if len(data) < head:
        raise UserError(f"{source.shown}: too few bytes: it ends within its header")
    shape = struct.unpack(f">{axes}I", data[4:head])
    size = head + math.prod(shape)
    if size > LARGEST:
        raise UserError(
            f"{source.shown}: its header tells of {size:,} bytes, more than {LARGEST:,}"
        )
    for block in blocks:
        data += block
        if len(data) > size:
            break
    if len(data) != size:
        much = "few" if len(data) < size else "many"
        raise UserError(
            f"{source.shown}: too {much} bytes: {' × '.join(map(str, shape))} values need {size:,}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape)


def labels_beside(source: Source) -> str | None:
    """The name that the labels of a file of images usually have; None if it has no such name."""
    name = source.path.name
    other = name.replace("images", "labels").replace("idx3", "idx1")
    return str(source.path.with_name(other)) if other != name else None


def read_npz(source: Source) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Inputs and labels of an .npz file, by their usual names.

    UserError: no such arrays, arrays of objects, or more bytes than a file may unpack to.
    """
    try:
        with zipfile.ZipFile(source.path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > LARGEST:
            raise UserError(f"{source.shown}: unpacks to {size:,} bytes, more than {LARGEST:,}")
        with np.load(source.path, allow_pickle=False) as arrays:
            names = list(arrays.keys())
            x = next((name for name in INPUTS if name in names), None)
            y = next((name for name in LABELS if name in names), None)
            if x is None:
                raise UserError(
                    f"{source.shown}: holds the arrays {', '.join(names)}; the inputs must be "
                    f"named one of {', '.join(INPUTS)}"
                )
            return arrays[x], None if y is None else arrays[y]
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise UserError(f"{source.shown}: cannot be read as .npz ({error})") from None


def as_sequences(images: NDArray[Any], scan: Scan) -> NDArray[np.float32]:
    """Images [N, height, width] as sequences [N, T, I]: row by row, column by column, or pixels."""
    if scan == "rows":
        turned = images
    elif scan == "columns":
        turned = images.swapaxes(1, 2)
    else:
        turned = images.reshape(len(images), -1, 1)
    sequences: NDArray[np.float32] = np.ascontiguousarray(turned, dtype=np.float32)
    return sequences / np.float32(255) if images.dtype == np.uint8 else sequences
