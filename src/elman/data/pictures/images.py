"""Picture files, and images as sequences of vectors: row by row, column by column, or pixels."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from elman.data.source import Source
from elman.errors import UserError

Scan: TypeAlias = Literal["rows", "columns", "pixels"]
Bytes: TypeAlias = NDArray[np.uint8]

LARGEST = 1 << 30  # pixels of all pictures together; as float32 each takes four bytes
LARGEST_SIDE = 4096  # pixels of a picture
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")


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
