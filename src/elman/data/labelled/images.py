"""Images and arrays as sequences of vectors: IDX files as MNIST ships them, .npz, picture files.

IDX: two zero bytes, the type (8: unsigned bytes), the number of axes, each axis as four bytes, the
highest first, then the values. 00 00 08 03, 00 00 EA 60, 00 00 00 1C, 00 00 00 1C, … for MNIST.
"""

from __future__ import annotations

import importlib.util
import io
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.source import Source
from elman.errors import UserError

Scan: TypeAlias = Literal["rows", "columns", "pixels"]
Bytes: TypeAlias = NDArray[np.uint8]

LARGEST = 1 << 30  # bytes that a file may unpack to; as float32 a byte takes four
LARGEST_SIDE = 4096  # pixels of a picture
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
IDX_BYTES = 8  # the type code of unsigned bytes
INPUTS, LABELS = ("x", "X", "images", "data", "sequences"), ("y", "Y", "labels", "targets")


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
    if data[:2] != b"\0\0" or kind != IDX_BYTES or axes not in (1, 3):
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


def read_npz(source: Source) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Inputs and labels of an .npz file, by their usual names.

    UserError: no such arrays, arrays of objects, or more bytes than a file may unpack to.
    """
    arrays = read_arrays(source, (*INPUTS, *LABELS), INPUTS)
    x = next(arrays[name] for name in INPUTS if name in arrays)
    return x, next((arrays[name] for name in LABELS if name in arrays), None)


def read_arrays(
    source: Source, wanted: Sequence[str], needed: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file that bear one of the wanted names, in the order of these.

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
            return {name: _array(archive, name, source) for name in wanted if name in names}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, zlib.error) as error:
        raise UserError(f"{source.shown}: cannot be read as .npz ({error})") from None


def _array(archive: zipfile.ZipFile, name: str, source: Source) -> NDArray[Any]:
    """An array of an archive. Its header is not believed: memory is taken as bytes are found."""
    with archive.open(f"{name}.npy") as member:
        data = member.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UserError(f"{source.shown}: its array {name} unpacks to more than {LARGEST:,} bytes")
    file = io.BytesIO(data)
    version_1 = np.lib.format.read_magic(file) == (1, 0)
    head = np.lib.format.read_array_header_1_0 if version_1 else np.lib.format.read_array_header_2_0
    shape, by_column, kind = head(file)
    if kind.hasobject:
        raise UserError(f"{source.shown}: its array {name} holds objects; save it as numbers")
    if math.prod(shape) * kind.itemsize != len(data) - file.tell():
        raise UserError(f"{source.shown}: its array {name} is not as long as its header tells")
    array: NDArray[Any] = np.frombuffer(data, dtype=kind, offset=file.tell())
    return array.reshape(shape, order="F" if by_column else "C")


def pictures_below(folder: Path) -> list[Source]:
    """The picture files in a folder and below it, sorted, if they outnumber its other files."""
    found, others = [], 0
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith("."):
                is_one = name.lower().endswith(PICTURES)
                others += not is_one
                if is_one:
                    found.append(Path(parent, name))
    return [Source(str(path), path) for path in sorted(found)] if len(found) > others else []


def read_picture(path: Path) -> Bytes:
    """The brightness of a picture's pixels [height, width]. ValueError: none, or too large.

    UserError where Pillow is not installed.
    """
    if importlib.util.find_spec("PIL") is None:
        raise UserError(f"{path}: to read pictures, pip install 'elman[plot]' (for Pillow)")
    from PIL import Image

    try:
        with warnings.catch_warnings(), Image.open(path) as picture:
            warnings.simplefilter("ignore")  # of what may be wrong in a picture that can be read
            if max(picture.size) > LARGEST_SIDE:
                raise ValueError(
                    f"{picture.width} × {picture.height} pixels; make it smaller than "
                    f"{LARGEST_SIDE} × {LARGEST_SIDE}"
                )
            return np.asarray(picture.convert("L"))
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"cannot be read as a picture ({error})") from None


def size(picture: Bytes) -> str:
    """Width and height, as people write them."""
    return f"{picture.shape[1]} × {picture.shape[0]}"


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
