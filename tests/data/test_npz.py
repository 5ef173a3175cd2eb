"""Arrays of .npz: what a file says of itself is not believed before its bytes are there."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from elman.data import npz
from elman.data.source import Source
from elman.errors import UserError


def source_of(path: Path, content: bytes) -> Source:
    path.write_bytes(content)
    return Source(path.name, path)


def saved(path: Path, **arrays: NDArray[np.generic] | list[int]) -> Source:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return Source(path.name, path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_npz_file_gives_its_arrays(order: str, tmp_path: Path) -> None:
    x = np.asarray(np.arange(24.0).reshape(2, 3, 4), order=order)  # type: ignore[call-overload]
    found, labels = npz.read(saved(tmp_path / "a.npz", X=x, labels=[3, 4]))
    assert labels is not None and labels.tolist() == [3, 4]
    assert np.array_equal(found, x)
    assert npz.read(saved(tmp_path / "a.npz", data=x))[1] is None


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
            npz.read(source)
        return str(caught.value)

    path = tmp_path / "a.npz"
    assert "cannot be read as .npz" in told(source_of(path, b"PK no archive"))
    assert "cannot be read as .npz" in told(source_of(path, b""))
    whole = saved(path, x=np.ones(500)).path.read_bytes()
    assert "cannot be read as .npz" in told(source_of(path, whole[:-30]))
    damaged = whole[:60] + bytes(4) + whole[64:]
    assert "cannot be read as .npz" in told(source_of(path, damaged))
    assert "holds the arrays a; the inputs must be named" in told(saved(path, a=np.ones(2)))
    assert "holds objects" in told(saved(path, x=np.array([[1], [2, 3]], dtype=object)))
    assert "cannot be read as .npz" in told(zipped(path, "x.npy", b"no array"))
    # A header may tell of more than there is: no memory is taken for it.
    assert "not as long as its header" in told(zipped(path, "x.npy", header((10**12,)) + bytes(8)))
    assert "cannot be read" in told(zipped(path, "x.npy", header((-1, -8)) + bytes(32)))
    # And a small archive may hold much: no more than the limit is unpacked.
    monkeypatch.setattr(npz, "LARGEST", 1_000_000)
    bomb = zipped(path, "x.npy", header((250_000,)) + bytes(1_000_000))
    assert bomb.path.stat().st_size < 2000
    assert "unpacks to more than 1,000,000 bytes" in told(bomb)
