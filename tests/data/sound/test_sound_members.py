"""Recordings in archives: the same samples as in a folder, and nothing that climbs or explodes."""

from __future__ import annotations

import io
import multiprocessing
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from written import LOSSLESS, LOSSY, noise, packed

from elman.data.sound import audio, members
from elman.data.sound.clips import Recording
from elman.errors import UserError

Members = dict[str, bytes]


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "copies").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "copies"))
    yield
    members._opened.cache_clear()


def zipped(method: int) -> Callable[[Path, Members], Path]:
    def write(folder: Path, held: Members) -> Path:
        path = folder / "sounds.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, data in held.items():
                archive.writestr(name, data)
        return path

    return write


def tarred(ending: str, form: int = tarfile.PAX_FORMAT) -> Callable[[Path, Members], Path]:
    def write(folder: Path, held: Members) -> Path:
        path = folder / f"sounds{ending}"
        mode = {".tar": "", ".tgz": "gz", ".tbz2": "bz2"}.get(ending, ending.rpartition(".")[2])
        with tarfile.open(path, f"w:{mode}", format=form) as archive:  # type: ignore[call-overload]
            for name, data in held.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    return write


WRITERS = {
    "stored": zipped(zipfile.ZIP_STORED), "deflated": zipped(zipfile.ZIP_DEFLATED),
    "zip bz2": zipped(zipfile.ZIP_BZIP2), "zip lzma": zipped(zipfile.ZIP_LZMA),
    "tar": tarred(".tar"), "gnu": tarred(".tar", tarfile.GNU_FORMAT), "gz": tarred(".tar.gz"),
    "tgz": tarred(".tgz"), "bz2": tarred(".tar.bz2"), "tbz2": tarred(".tbz2"),
    "xz": tarred(".tar.xz"),
}  # fmt: skip


def sounds(draw: np.random.Generator) -> Members:
    """Recordings of all forms, with names short, long and foreign, and a table about them."""
    held: Members = {"train.tsv": b"path\ttext\n", "./dot/é 表.txt": b"a"}
    for k, (form, subtype) in enumerate((*LOSSLESS, *LOSSY)):
        name = f"{'long' * draw.integers(1, 60)}/{k} ü.{form.lower()}"
        held[name] = packed(noise(draw, int(draw.integers(500, 9_000)), 1), 16_000, form, subtype)
    return held


def refusal(path: Path, member: str = "") -> str:
    with pytest.raises(UserError) as caught:
        audio.read(Recording(path, member)) if member else audio.members(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("writer", WRITERS)
def test_members_sound_as_files_do(writer: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    held = sounds(draw)
    archive = WRITERS[writer](tmp_path, held)
    assert audio.holds_members(archive)
    names = audio.members(archive)
    assert names == sorted(name.removeprefix("./") for name in held)
    for name, data in draw.permutation(np.array(list(held.items()), dtype=object)):
        recording = Recording(archive, name.removeprefix("./"))
        with audio.open_member(recording) as stream:
            assert stream.read() == data
            for _ in range(5):
                at, size = draw.integers(0, len(data), 2)
                assert stream.seek(int(at)) == at
                assert stream.read(int(size)) == data[at : at + size]
            assert stream.seek(0, 2) == len(data) == stream.tell()
        if "." in name[-6:] and not name.endswith((".txt", ".tsv")):
            path = tmp_path / "file"
            path.write_bytes(data)
            assert audio.about(recording) == audio.about(Recording(path))
            for stretch in ((0.0, None), (0.01, 0.03)):
                assert np.array_equal(
                    audio.read(recording, *stretch, rate=8_000).samples,
                    audio.read(Recording(path), *stretch, rate=8_000).samples,
                )


@pytest.mark.parametrize("writer", ["deflated", "gnu", "gz"])
def test_what_is_no_data_is_passed_over(writer: str, tmp_path: Path) -> None:
    held = dict.fromkeys(
        ["a.wav", "x/.hidden.wav", ".git/b.wav", "__MACOSX/a.wav", "inner.zip", "x/inner.tar.gz"],
        b"1",
    )
    archive = WRITERS[writer](tmp_path, held)
    assert audio.members(archive) == ["a.wav"]
    assert "no such member among the 1" in refusal(archive, "x/.hidden.wav")


def test_links_and_devices_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("a.wav", tarfile.REGTYPE), ("b.wav", tarfile.SYMTYPE), ("c.wav", tarfile.LNKTYPE),
            ("d.wav", tarfile.CHRTYPE), ("e.wav", tarfile.FIFOTYPE), ("f.wav", tarfile.DIRTYPE),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert audio.members(path) == ["a.wav"]


@pytest.mark.parametrize("writer", ["stored", "gnu", "gz"])
@pytest.mark.parametrize("name", ["../a.wav", "/etc/a.wav", "x/../../a.wav", "C:\\a.wav", "..\\a"])
def test_names_that_climb_are_refused(writer: str, name: str, tmp_path: Path) -> None:
    archive = WRITERS[writer](tmp_path, {"b.wav": b"1", name: b"1"})
    assert "named as if it lay outside" in refusal(archive)
    assert "named as if it lay outside" in refusal(archive, "b.wav")


@pytest.mark.parametrize("writer", ["deflated", "zip bz2", "gz", "xz"])
def test_archives_that_explode_are_refused(
    writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = WRITERS[writer](tmp_path, {"a.wav": bytes(3 << 20)})
    assert audio.members(archive) == ["a.wav"], "few bytes do no harm"
    members._opened.cache_clear()
    monkeypatch.setattr(members, "HARMLESS", 2 << 20)
    assert "unpacks to more than 200 times its size" in refusal(archive)
    assert len(list((tmp_path / "copies").iterdir())) <= 1, "but for the copy of before"


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MOST", 5)
    for writer in ("stored", "gnu"):
        fits = WRITERS[writer](tmp_path, {f"{k}.wav": b"1" for k in range(5)})
        assert len(audio.members(fits)) == 5
        many = WRITERS[writer](tmp_path, {f"{k}.wav": b"1" for k in range(6)})
        assert "more than 5 members" in refusal(many)


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_archives_are_refused_or_read(writer: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    held = {f"{k}.wav": packed(noise(draw, 900, 1), 8_000, "WAV", "PCM_16") for k in range(4)}
    data = WRITERS[writer](tmp_path, held).read_bytes()
    path = tmp_path / f"damaged{'.zip' if data[:2] == b'PK' else '.tar.gz'}"
    for k in range(50):
        damaged = bytearray(data)
        if k % 2:
            del damaged[int(draw.integers(len(data) - (1536 if "PK" else 0))) :]
        else:
            for at in draw.integers(0, len(data), 3):
                damaged[at] ^= 1 << draw.integers(8)
        path.write_bytes(damaged)
        try:
            names = audio.members(path)
            assert k % 2 == 0 or len(names) == 4, "cut short"
            for name in names:
                audio.read(Recording(path, name))
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("writer", ["tar", "gnu"])
def test_a_tar_that_ends_or_breaks_between_members_is_refused(writer: str, tmp_path: Path) -> None:
    archive = WRITERS[writer](tmp_path, {f"{k}.wav": b"1" * 700 for k in range(4)})
    data = archive.read_bytes()
    for at in range(0, 4 * (512 + 1024) + 1, 512):
        archive.write_bytes(data[:at])
        refusal(archive)
    for k in range(4):
        damaged = bytearray(data)
        damaged[k * (512 + 1024) + 1] ^= 1  # in its name, so that the sum of its header is wrong
        archive.write_bytes(damaged)
        refusal(archive)


def test_a_copy_is_removed_by_its_owner_alone(tmp_path: Path) -> None:
    path = WRITERS["gz"](tmp_path, {"a.wav": b"1"})
    audio.members(path)
    (copy,) = (tmp_path / "copies").iterdir()
    members._removed(copy, os.getpid() + 1)
    assert copy.exists(), "a process that began as a copy of the owner ends"
    members._removed(copy, os.getpid())
    assert not copy.exists()


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz", ".tgz"])
def test_what_is_no_archive_is_refused(ending: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    path = tmp_path / f"wrong{ending}"
    for data in (b"", b"no archive at all", draw.bytes(2_000), bytes(2_000), b"\x1f\x8b"):
        path.write_bytes(data)
        refusal(path)
    assert "cannot read" in refusal(tmp_path / f"missing{ending}")
    (tmp_path / f"folder{ending}").mkdir()
    assert "not an archive" in refusal(tmp_path / f"folder{ending}")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = WRITERS["stored"](tmp_path, {"a.wav": b"1234"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "is encrypted" in refusal(path, "a.wav")


def test_a_header_of_a_tar_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 << 20
        archive.addfile(info, io.BytesIO(b"a" * info.size))
        archive.addfile(tarfile.TarInfo("b.wav"))
    assert "a broken archive" in refusal(path)


def test_an_archive_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    for writer in ("stored", "gz"):
        for k in (1, 22, 333):
            archive = WRITERS[writer](tmp_path, {f"{k}.wav": b"1" * k})
            assert audio.members(archive) == [f"{k}.wav"]


def _length(recording: Recording) -> int:
    return len(audio.read(recording).samples)


def test_processes_that_begin_as_copies_read_side_by_side(tmp_path: Path) -> None:
    draw = np.random.default_rng(4)
    held = {f"{k}.wav": packed(noise(draw, 999 + k, 1), 8_000, "WAV", "PCM_16") for k in range(40)}
    for writer in ("deflated", "gz"):
        archive = WRITERS[writer](tmp_path, held)
        recordings = [Recording(archive, name) for name in held]
        assert _length(recordings[0]) == 999
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(_length, recordings, chunksize=1) == [999 + k for k in range(40)]
        assert _length(recordings[1]) == 1000, "the copy stays with whoever made it"
