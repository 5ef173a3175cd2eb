"""Recordings as streams of bytes: files, and members of archives, which are not unpacked.

recordings.tar.gz    clips/0_george_0.wav, clips/0_george_1.wav, train.tsv
recordings.zip       the same; __MACOSX/._train.tsv, .DS_Store are passed over
"""

from __future__ import annotations

import atexit
import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, Protocol, cast

from elman.data.archives import (
    BLOCK,
    BROKEN,
    HARMLESS,
    LARGEST,
    NESTED,
    RATIO,
    climbs,
    hidden,
    is_archive,
    names_of,
    printable,
)  # fmt: skip
from elman.data.sound.clips import Recording
from elman.errors import UserError

MOST = 2_000_000  # members; the largest public sets have about a million recordings
IN_MEMORY = 32 << 20  # bytes of a member of a zip; longer ones become a file that has no name
ENTRY = 1 << 20  # bytes of what stands before a member of a tar
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz")
PACKED: tuple[tuple[bytes, Callable[[Path], Any]], ...] = (
    (b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open),
)  # fmt: skip
BROKEN_TAR = (
    *BROKEN, tarfile.TarError, RecursionError, UnicodeError, gzip.BadGzipFile, TypeError
)  # fmt: skip
AGAIN = "make it or download it again"


class Archive(Protocol):
    """What is in an archive."""

    def names(self) -> list[str]:
        """The members that are files, neither hidden nor archives, sorted."""

    def stream(self, name: str, shown: str) -> BinaryIO:
        """The bytes of one of them, to be read from any place."""


def holds_members(path: Path) -> bool:
    """Whether a file stands for its members: a zip, or a tar, packed or not, by its name."""
    with _told(str(path)):
        return path.name.lower().endswith(TARS) or (path.is_file() and is_archive(path))


def members(path: Path) -> list[str]:
    """The members of a zip or a tar that may be sound, or tell about sound, sorted by name.

    Hidden ones, folders, links, devices and archives within are passed over. UserError where one
    is named as if it lay outside or is encrypted, where there are none or too many, where it is no
    archive, or damaged.
    """
    return _archive(path).names()


def open_member(recording: Recording) -> BinaryIO:
    """The bytes of a recording, to be read from any place; whoever opens closes them.

    UserError where there is none, or it is no file, or damaged.
    """
    path = recording.path
    if recording.member:
        return _archive(path).stream(recording.member, recording.shown)
    with _told(str(path)):
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path}: not a file; give the path of a recording")
        return path.open("rb")


@contextmanager
def _told(shown: str) -> Iterator[None]:
    """What the system says as one line."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(f"cannot read {shown}: {why}; check the path") from None
    except ValueError:  # a path with a zero byte in it
        raise UserError(f"cannot read {shown!r}: no such path; check the path") from None


def _archive(path: Path) -> Archive:
    with _told(str(path)):
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path}: not an archive; give a zip or a tar")
    # By process too: one that begins as a copy of another shares its place in open files.
    return _opened(path.absolute(), str(path), status.st_size, status.st_mtime_ns, os.getpid())


@lru_cache(maxsize=8)
def _opened(path: Path, shown: str, size: int, changed_ns: int, process: int) -> Archive:
    """An archive, looked through once."""
    try:
        if path.name.lower().endswith(TARS):
            archive: Archive = _Tar(_unpacked(path, shown, size), shown)
        else:
            archive = _Zip(path, shown, size)
    except NotImplementedError as error:
        raise UserError(f"{shown}: {error}; unpack it, and give its folder") from None
    except (*BROKEN_TAR, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"cannot read {shown}: {error.strerror}") from None
        raise UserError(f"{shown}: a broken archive; {AGAIN}") from None
    if not archive.names():
        raise UserError(f"{shown}: holds no file; give an archive with recordings in it")
    return archive


def _wanted(name: str, shown: str, count: int) -> bool:
    """Whether a file of an archive may be data; UserError where the archive cannot be trusted."""
    if climbs(name):
        raise UserError(
            f"{shown}: its member {printable(name)} is named as if it lay outside; give another "
            "archive"
        )
    if count >= MOST:
        raise UserError(f"{shown}: more than {MOST:,} members; unpack it, and give its folder")
    return not hidden(name) and PurePosixPath(name).suffix.lower() not in NESTED


def _checked_size(shown: str, size: int, packed: int) -> None:
    if size > max(HARMLESS, RATIO * packed):
        raise UserError(
            f"{shown}: unpacks to more than {RATIO} times its size; unpack it yourself if you "
            "trust it, and give its folder"
        )


def _missing(shown: str, count: int) -> UserError:
    return UserError(f"{shown}: there is no such member among the {count:,} of the archive")


class _Zip:
    """A zip; a member is unpacked when it is asked for."""

    def __init__(self, path: Path, shown: str, size: int) -> None:
        self._archive = zipfile.ZipFile(path)
        infos = self._archive.infolist()
        self._members: dict[str, zipfile.ZipInfo] = {}
        for name, info in zip(names_of(infos), infos, strict=True):
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or not _wanted(name, shown, len(self._members)):
                continue
            if kind in (0, stat.S_IFREG):
                self._members[str(PurePosixPath(name))] = info
        _checked_size(shown, sum(info.file_size for info in self._members.values()), size)

    def names(self) -> list[str]:
        return sorted(self._members)

    def stream(self, name: str, shown: str) -> BinaryIO:
        info = self._members.get(name)
        if info is None:
            raise _missing(shown, len(self._members))
        if info.flag_bits & 1:
            raise UserError(f"{shown}: is encrypted; unpack the archive, and give its folder")
        _checked_size(shown, info.file_size, info.compress_size)
        with ExitStack() as opened:
            # In memory unless it is long, and gone when it is closed.
            out = opened.enter_context(
                tempfile.SpooledTemporaryFile(max_size=IN_MEMORY, prefix="elman-")
            )
            try:
                with self._archive.open(info) as packed:
                    while block := packed.read(BLOCK):
                        out.write(block)
            except NotImplementedError as error:
                raise UserError(f"{shown}: {error}; unpack it, and give its folder") from None
            except (*BROKEN, OSError) as error:
                if isinstance(error, OSError) and error.errno is not None:
                    raise UserError(f"cannot unpack {shown}: {error.strerror}") from None
                raise UserError(f"{shown}: damaged in its archive; {AGAIN}") from None
            out.seek(0)
            opened.pop_all()
        return cast(BinaryIO, out)


class _Place(NamedTuple):
    at: int  # bytes
    size: int


class _Tar:
    """A tar that is not packed: its members lie in it as they are."""

    def __init__(self, path: Path, shown: str) -> None:
        self._path = path
        self._members: dict[str, _Place] = {}
        with path.open("rb") as file:
            with tarfile.open(fileobj=cast(BinaryIO, _Entries(file)), mode="r:") as archive:
                while info := archive.next():
                    archive.members = []  # type: ignore[attr-defined]  # else it keeps all of them
                    if info.isdir() or not _wanted(info.name, shown, len(self._members)):
                        continue
                    if info.isreg() and not info.issparse():
                        name = str(PurePosixPath(info.name))
                        self._members[name] = _Place(info.offset_data, info.size)
                end = archive.offset
            size = file.seek(0, os.SEEK_END)
            file.seek(end)
            if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE) or any(
                place.at + place.size > size for place in self._members.values()
            ):
                raise UserError(f"{shown}: a broken archive, or cut short; {AGAIN}")

    def names(self) -> list[str]:
        return sorted(self._members)

    def stream(self, name: str, shown: str) -> BinaryIO:
        place = self._members.get(name)
        if place is None:
            raise _missing(shown, len(self._members))
        with _told(shown):
            file = self._path.open("rb", buffering=0)
        return io.BufferedReader(_Stretch(file, place.at, place.size))


class _Entries:
    """A tar to be looked through: no entry makes its reader take more than `ENTRY` bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek
        self.name = ""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= ENTRY:
            raise tarfile.ReadError("an entry is too long")
        return self._file.read(size)


class _Stretch(io.RawIOBase):
    """Some bytes of a file, as a file."""

    def __init__(self, file: io.FileIO, at: int, size: int) -> None:
        self._file, self._at, self._size = file, at, size
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        left = max(0, self._size - self._place)
        self._file.seek(self._at + self._place)
        taken = self._file.readinto(memoryview(buffer)[:left]) or 0
        self._place += taken
        return taken

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        if start + offset < 0:
            raise ValueError(f"negative seek value {start + offset}")
        self._place = start + offset
        return self._place

    def tell(self) -> int:
        return self._place

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpacked(path: Path, shown: str, size: int) -> Path:
    """The tar itself; where it is packed, a copy that goes with this process, since what is packed
    can be read only in order."""
    with path.open("rb") as stream:
        start = stream.read(8)
    opener = next((opener for mark, opener in PACKED if start.startswith(mark)), None)
    if opener is None:
        return path
    descriptor, name = tempfile.mkstemp(prefix="elman-", suffix=".tar")
    owner = os.getpid()
    atexit.register(_removed, Path(name), owner)
    written = 0
    try:
        with opener(path) as packed, os.fdopen(descriptor, "wb") as out:
            while block := packed.read(BLOCK):
                written += len(block)
                _checked_size(shown, written, size)
                if written > LARGEST:
                    raise UserError(
                        f"{shown}: unpacks to more than {LARGEST >> 30} GiB; unpack it, and give "
                        "its folder"
                    )
                out.write(block)
    except BaseException:
        _removed(Path(name), owner)
        raise
    return Path(name)


def _removed(path: Path, owner: int) -> None:
    """A copy goes with the process that made it, not with copies of that process."""
    if os.getpid() == owner:
        path.unlink(missing_ok=True)
