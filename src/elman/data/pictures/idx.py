"""IDX files of images and of their labels, as MNIST ships them.

Two zero bytes, the type (8: unsigned bytes), the number of axes, each axis as four bytes, the
highest first, then the values. 00 00 08 03, 00 00 EA 60, 00 00 00 1C, 00 00 00 1C, … for MNIST.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from elman.data.npz import LARGEST
from elman.data.pictures.images import Bytes
from elman.data.source import Source
from elman.errors import UserError

UNSIGNED = 8  # the type code of unsigned bytes


def is_idx(source: Source) -> bool:
    """Whether a file begins as IDX files do, or is named as they are."""
    if any(part in source.path.name for part in ("-ubyte", "idx1", "idx3")):
        return True
    start = next(source.blocks(), b"")
    return len(start) >= 4 and start[:2] == b"\0\0" and start[2] in range(8, 15) and start[3] > 0


def read_idx(source: Source) -> Bytes:
    """The array of an IDX file of unsigned bytes. UserError: not such a file, or not its length."""
    blocks = source.blocks()
    data = bytearray(next(blocks, b""))
    if len(data) < 4:
        raise UserError(f"{source.shown}: too few bytes: an IDX file begins with four")
    kind, axes = data[2], data[3]
    if data[:2] != b"\0\0" or kind != UNSIGNED or axes not in (1, 3):
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


def labels_beside(source: Source) -> Source | None:
    """Where the labels of a file of images usually are; None if it is not named as one."""
    name = source.path.name
    other = name.replace("images", "labels").replace("idx3", "idx1")
    if other == name:
        return None
    shown = source.shown.removesuffix(name) + other
    return Source(shown, source.path.with_name(other))
