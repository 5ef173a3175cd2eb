"""Pictures and IDX files: what a file says of itself is not believed before its bytes are there."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.data.pictures import images
from elman.data.pictures.idx import is_idx, read_idx
from elman.data.source import Source
from elman.errors import UserError


def idx(kind: int, *shape: int, data: int | None = None, magic: bytes = b"\0\0") -> bytes:
    """An IDX file of these axes, with as many bytes of values, or `data`."""
    size = int(np.prod(shape)) if data is None else data
    values = bytes(k % 251 for k in range(size))
    return magic + struct.pack(f">2B{len(shape)}I", kind, len(shape), *shape) + values


def source_of(path: Path, content: bytes) -> Source:
    path.write_bytes(content)
    return Source(path.name, path)


@settings(max_examples=25)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)))
def test_an_idx_file_is_its_bytes_in_order(
    shape: tuple[int, int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / "images-idx3-ubyte"
    found = read_idx(source_of(path, idx(8, *shape)))
    assert found.shape == shape
    assert found.ravel().tolist() == [k % 251 for k in range(found.size)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (idx(8, 2, 3, 4, magic=b"\1\2"), "wrong magic number 0x01020803"),
        (idx(9, 2, 3, 4), "wrong magic number 0x00000903"),
        (idx(13, 2, 3, 4), "wrong magic number 0x00000d03"),
        (idx(8, 2, 3), "wrong magic number 0x00000802"),
        (b"<html>not found</html>", "wrong magic number 0x3c68746d"),
        (idx(8, 2, 3, 4, data=23), "too few bytes: 2 × 3 × 4 values need 40"),
        (idx(8, 2, 3, 4, data=25), "too many bytes: 2 × 3 × 4 values need 40"),
        (idx(8, 2, 3, 4)[:10], "too few bytes: it ends within its header"),
        (b"\0\0", "too few bytes"),
        (b"", "too few bytes"),
        (idx(8, 2**31, 2**31, 2, data=0), "its header tells of"),
    ],
)
def test_an_idx_file_that_is_none_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    source = source_of(tmp_path / "train-images-idx3-ubyte", content)
    assert is_idx(source)  # by its name, whatever it holds
    with pytest.raises(UserError, match=told):
        read_idx(source)


def test_pixels_are_the_rows_one_after_the_other() -> None:
    pictures = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    rows, columns, pixels = (
        images.as_sequences(pictures, s) for s in ("rows", "columns", "pixels")
    )
    assert rows.shape == (2, 3, 4) and columns.shape == (2, 4, 3) and pixels.shape == (2, 12, 1)
    assert np.array_equal(rows.reshape(2, 12), pixels[..., 0])
    assert np.array_equal(rows.swapaxes(1, 2), columns)
    assert rows.max() == np.float32(23) / np.float32(255)


def test_a_folder_counts_as_one_of_pictures_where_they_outnumber_its_other_files(
    tmp_path: Path,
) -> None:
    for name in ("a/1.png", "b/2.JPG", "b/notes.txt", ".hidden/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [s.path.name for s in images.pictures_below(tmp_path)] == ["1.png", "2.JPG"]
    (tmp_path / "b/more.txt").touch()
    assert images.pictures_below(tmp_path) == []
