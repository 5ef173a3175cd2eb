"""Arrays: what a file says of itself is not believed before its bytes are there."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from elman.data.labelled import images
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


@settings(max_examples=25, deadline=None)
@given(shape=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)))
def test_an_idx_file_is_its_bytes_in_order(
    shape: tuple[int, int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / "images-idx3-ubyte"
    found = images.read_idx(source_of(path, idx(8, *shape)))
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
    assert images.is_idx(source)  # by its name, whatever it holds
    with pytest.raises(UserError, match=told):
        images.read_idx(source)


def npz(path: Path, **arrays: NDArray[np.generic] | list[int]) -> Source:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return Source(path.name, path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npz_file_gives_its_arrays(order: str, tmp_path: Path) -> None:
    x = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)  # type: ignore[call-overload]
    found, labels = images.read_npz(npz(tmp_path / "a.npz", X=x, labels=[3, 4]))
    assert labels is not None and labels.tolist() == [3, 4]
    assert np.array_equal(found, x)
    assert images.read_npz(npz(tmp_path / "a.npz", data=x))[1] is None


def zipped(path: Path, name: str, content: bytes) -> Source:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return Source(path.name, path)


def header(shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    what = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, what)
    return out.getvalue()


def test_an_npz_file_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told(source: Source) -> str:
        with pytest.raises(UserError) as caught:
            images.read_npz(source)
        return str(caught.value)

    path = tmp_path / "a.npz"
    assert "cannot be read as .npz" in told(source_of(path, b"PK no archive"))
    assert "cannot be read as .npz" in told(source_of(path, b""))
    whole = npz(path, x=np.ones(500)).path.read_bytes()
    assert "cannot be read as .npz" in told(source_of(path, whole[:-30]))
    damaged = whole[:60] + bytes(4) + whole[64:]
    assert "cannot be read as .npz" in told(source_of(path, damaged))
    assert "holds the arrays a; the inputs must be named" in told(npz(path, a=np.ones(2)))
    assert "holds objects" in told(npz(path, x=np.array([[1], [2, 3]], dtype=object)))
    assert "cannot be read as .npz" in told(zipped(path, "x.npy", b"no array"))
    # A header may tell of more than there is: no memory is taken for it.
    assert "not as long as its header" in told(zipped(path, "x.npy", header((10**12,)) + bytes(8)))
    assert "cannot be read" in told(zipped(path, "x.npy", header((-1, -8)) + bytes(32)))
    # And a small archive may hold much: no more than the limit is unpacked.
    monkeypatch.setattr(images, "LARGEST", 1_000_000)
    bomb = zipped(path, "x.npy", header((250_000,)) + bytes(1_000_000))
    assert bomb.path.stat().st_size < 2000
    assert "unpacks to more than 1,000,000 bytes" in told(bomb)


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
