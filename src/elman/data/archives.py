"""Zip archives as data: their members, unpacked to a private folder that goes with the process.

reviews.zip      test.csv, train.csv               two tables, one after another
                 __MACOSX/._train.csv, .DS_Store   passed over
"""

from __future__ import annotations

import atexit
import hashlib
import lzma
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

from elman.data.encodings.encodings import Unreadable, found
from elman.errors import UserError

BLOCK = 1 << 20  # bytes
MOST = 10_000  # members
LARGEST = 16 << 30  # bytes, of all members
HARMLESS = 64 << 20  # bytes that may be packed however small
RATIO = 200  # times that members are larger than the archive; tables of numbers stay below 50
STARTS = (b"PK\x03\x04", b"PK\x05\x06")  # the second is that of an archive without members
# Files that are zip archives inside, but are read, or refused, as what they are.
NO_ARCHIVES = frozenset(
    {".xlsx", ".xlsm", ".xlsb", ".xltx", ".ods", ".odt", ".odp", ".docx", ".pptx", ".npz", ".epub",
     ".jar", ".whl", ".pt", ".pth"}
)  # fmt: skip
OF_OFFICES = frozenset({"[Content_Types].xml", "mimetype"})  # members that such files begin with
NESTED = frozenset(
    {".zip", ".gz", ".zst", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".jar", ".whl"}
)
SAME_FORM = {
    ".tab": ".tsv", ".ndjson": ".jsonl", ".json": ".jsonl", ".text": ".txt", ".md": ".txt",
    "": ".txt",
}  # fmt: skip
ABOUT = frozenset({"readme", "license", "licence", "copying"})  # names of what is no data itself
SHOWN = 5  # members that a message lists
SYSTEMS = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})  # what systems leave in folders
LONGEST = 100  # characters of a member's name that stay in that of its file
# What a damaged archive can end in; RuntimeError is that of a member that wants a password.
BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, IndexError,
    OverflowError, RuntimeError,
)  # fmt: skip


class Member(NamedTuple):
    """A file of an archive: its name there, where it lies now, and its sha256."""

    name: str
    path: Path
    digest: str


class Unpacked(NamedTuple):
    """The members of an archive that are data, and the names of those about it."""

    members: tuple[Member, ...]
    left: tuple[str, ...]


_unpacked: dict[str, Unpacked] = {}  # by path, size and time of change


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive that stands for its members, by its name and first bytes."""
    if path.suffix.lower() in NO_ARCHIVES:
        return False
    with path.open("rb") as stream:
        if stream.read(4) not in STARTS:
            return path.suffix.lower() == ".zip"
    try:
        with zipfile.ZipFile(path) as archive:
            return not OF_OFFICES & set(archive.namelist()[:10])
    except BROKEN:
        return True


def unpacked(path: Path, shown: str) -> Unpacked:
    """The members of a zip archive, sorted by name, hidden ones and folders left out; and what
    tells about them (readme, license, with any ending) where there are others.

    They must all be of one form. Nothing is unpacked of an archive with a member that is encrypted,
    an archive itself, a link, or named as if it lay elsewhere, nor of one that unpacks to too much.
    UserError, in one line, for each of these; OSError where nothing can be written.
    """
    status = path.stat()
    key = f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"
    if key not in _unpacked:
        folder = Path(tempfile.mkdtemp(prefix="elman-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        try:
            with zipfile.ZipFile(path) as archive:
                chosen, left = _chosen(archive.infolist(), shown, status.st_size)
                members = tuple(_written(archive, chosen, folder, shown))
                _unpacked[key] = Unpacked(members, tuple(map(printable, left)))
        except NotImplementedError as error:
            raise UserError(f"{shown}: {error}; unpack it, and give its files") from None
        except (*BROKEN, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise UserError(f"{shown}: a broken archive; make it or download it again") from None
        finally:
            if key not in _unpacked:
                shutil.rmtree(folder, ignore_errors=True)
    return _unpacked[key]


def _chosen(
    infos: Sequence[zipfile.ZipInfo], shown: str, packed: int
) -> tuple[list[tuple[str, zipfile.ZipInfo]], list[str]]:
    """The members that are data, by name, and the names of those about it. UserError where one is
    not what data should be."""
    names = names_of(infos)
    members = sorted(
        (name, k) for k, name in enumerate(names) if not infos[k].is_dir() and not hidden(name)
    )
    for name, k in members:
        if told := _refused(name, infos[k]):
            raise UserError(f"{shown}: its member {printable(name)} {told}")
    if not members:
        raise UserError(f"{shown}: holds no file; give an archive with data in it")
    if len(members) > MOST:
        raise UserError(f"{shown}: {len(members):,} members, more than {MOST:,}; unpack it")
    size = sum(infos[k].file_size for _, k in members)
    if size > LARGEST or size > max(HARMLESS, RATIO * packed):
        raise UserError(
            f"{shown}: unpacks to {size:,} bytes, {size / max(packed, 1):,.0f} times its size; "
            "unpack it yourself if you trust it, and give its files"
        )
    about = [name for name, _ in members if _is_about(name)]
    if len(about) == len(members):
        about = []
    members = [(name, k) for name, k in members if name not in about]
    forms = {_form(name) for name, _ in members}
    if len(forms) > 1:
        listed = ", ".join(printable(name) for name, _ in members[:SHOWN])
        more = f" and {len(members) - SHOWN:,} more" if len(members) > SHOWN else ""
        raise UserError(
            f"{shown}: members of {len(forms)} forms ({listed}{more}); unpack it, and give the "
            "files that belong together"
        )
    return [(name, infos[k]) for name, k in members], about


def names_of(infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The names of all members, parted by /. Those not marked as UTF-8 are in the encoding of their
    maker."""
    raw = [info.filename.encode("cp437", errors="ignore") for info in infos]
    foreign = [name for name, info in zip(raw, infos, strict=True) if not info.flag_bits & 0x800]
    try:
        encoding = found([b"\n".join(foreign)]).encoding
    except Unreadable:
        encoding = "cp437"
    names = (
        info.filename if info.flag_bits & 0x800 else name.decode(encoding, errors="replace")
        for name, info in zip(raw, infos, strict=True)
    )
    return [name.replace("\\", "/") for name in names]


def hidden(name: str) -> bool:
    """Whether a member is one that people do not see, or that a system left there."""
    return any(
        (part.startswith(".") and part != "..") or part in SYSTEMS
        for part in PurePosixPath(name).parts
    )


def _is_about(name: str) -> bool:
    return PurePosixPath(name).name.split(".")[0].lower() in ABOUT


def _refused(name: str, info: zipfile.ZipInfo) -> str:
    """What is wrong with a member, if anything is."""
    if climbs(name):
        return "is named as if it lay outside; give another archive"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        return "is a link or a device; unpack the archive, and give its files"
    if info.flag_bits & 1:
        return "is encrypted; unpack the archive, and give its files"
    if PurePosixPath(name).suffix.lower() in NESTED:
        return "is an archive itself; unpack the outer one, and give its files"
    return ""


def climbs(name: str) -> bool:
    """Whether a member is named as if it lay outside of its archive."""
    windows = PureWindowsPath(name)
    return ".." in windows.parts or bool(windows.drive or windows.root)


def _form(name: str) -> str:
    ending = PurePosixPath(name).suffix.lower()
    return SAME_FORM.get(ending, ending)


def _written(
    archive: zipfile.ZipFile, chosen: Sequence[tuple[str, zipfile.ZipInfo]], folder: Path,
    shown: str,
) -> Iterator[Member]:  # fmt: skip
    """Each member as a file of a folder of its own. No more is read than it says it holds."""
    for number, (name, info) in enumerate(chosen):
        path = folder / str(number) / printable(PurePosixPath(name).name)[-LONGEST:]
        path.parent.mkdir()
        digest = hashlib.sha256()
        with archive.open(info) as packed, path.open("wb") as out:
            start = packed.read(BLOCK)
            if start[:4] in STARTS and path.suffix.lower() not in NO_ARCHIVES:
                raise UserError(
                    f"{shown}: its member {printable(name)} is an archive itself; unpack the "
                    "outer one, and give its files"
                )
            block = start
            while block:
                digest.update(block)
                out.write(block)
                block = packed.read(BLOCK)
        yield Member(name, path, digest.hexdigest())


def printable(name: str) -> str:
    """A name as messages show it."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
