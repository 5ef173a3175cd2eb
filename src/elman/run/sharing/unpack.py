"""A package back to a folder. It may come from a stranger: nothing in it is believed."""

from __future__ import annotations

import hashlib
import json
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from elman.data.archives import BROKEN, printable
from elman.errors import UserError
from elman.run.files import filling
from elman.run.folder import OPTIONS, PREPROCESSING, WEIGHTS
from elman.run.sharing.pack import FORMAT, MANIFEST
from elman.run.sharing.parts import BLOCK, may_be

MOST = 500  # files
LARGEST_MANIFEST = 1 << 20  # bytes
END = struct.Struct("<4s4H2LH")  # the end of a zip: signature, disks, counts, directory, comment
LOCATOR = b"PK\x06\x07"  # of a second end, of zips beyond 4 GiB, 20 bytes before the first
SMALL = 1 << 32  # bytes, below which there is no need of one


def unpack(package: Path, folder: Path) -> None:
    """Put the files of a package into a folder that is new, each proved by its size and sha256.

    UserError, in one line and with nothing written, for whatever `pack` would not have made:
    damage, files that are missing or not named, paths, links, packed sizes, a later format.
    """
    with _opened(package) as archive:
        files = _manifest(archive, package)
        _check_entries(archive, files, package)
        with filling(folder) as fresh:
            for name, (size, digest) in files.items():
                (fresh / name).parent.mkdir(exist_ok=True)
                found, written = hashlib.sha256(), 0
                with archive.open(name) as source, (fresh / name).open("wb") as target:
                    while block := source.read(BLOCK):
                        found.update(block)
                        written += len(block)
                        target.write(block)
                if (written, found.hexdigest()) != (size, digest):
                    raise UserError(f"{package}: damaged ({name} is not what was packed)")


@contextmanager
def _opened(package: Path) -> Iterator[zipfile.ZipFile]:
    """The archive, if its end is that of a package; whatever is wrong with it is told."""
    try:
        with package.open("rb") as stream:
            _check_end(stream.seek(0, 2), _last(stream, END.size + 20), package)
            with zipfile.ZipFile(stream) as archive:
                yield archive
    except (*BROKEN, NotImplementedError) as error:
        raise UserError(f"{package}: damaged ({error}); make or fetch it again") from None
    except OSError as error:
        raise UserError(f"{package}: cannot be read ({error.strerror or error})") from None


def _last(stream: Any, count: int) -> bytes:
    """The last bytes of a file."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - count))
    return bytes(stream.read(count))


def _check_end(size: int, last: bytes, package: Path) -> None:
    """Before anything is read by it: a directory of a million files takes a gigabyte."""
    end = last[-END.size :]
    if len(end) < END.size or not end.startswith(b"PK\x05\x06"):
        raise UserError(f"{package}: damaged, or no package that elman package made")
    _, _, _, _, count, directory, _, _ = END.unpack(end)
    large = size >= SMALL
    if count > MOST or (not large and (directory > size or last[:4] == LOCATOR)):
        raise _not_ours(package, f"it says that it holds {count:,} files")


def _manifest(archive: zipfile.ZipFile, package: Path) -> dict[str, tuple[int, str]]:
    """The size and sha256 of each file, by name."""
    named = [entry for entry in archive.infolist() if entry.filename == MANIFEST]
    if len(named) != 1 or named[0].file_size > LARGEST_MANIFEST:
        raise _not_ours(package, f"{MANIFEST} is missing, or another")
    try:
        manifest = json.loads(archive.read(named[0]))
        version, files = manifest["format"], manifest["files"]
        if type(version) is int and version > FORMAT:
            raise UserError(
                f"{package}: made by a newer Elman (format {version}, this one reads {FORMAT}); "
                "pip install --upgrade elman"
            )
        found = {name: (one["bytes"], one["sha256"]) for name, one in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UserError(f"{package}: damaged ({MANIFEST})") from None
    plain = all(type(n) is int and isinstance(digest, str) for n, digest in found.values())
    if version != FORMAT or not plain:
        raise UserError(f"{package}: damaged ({MANIFEST})")
    return found


def _check_entries(
    archive: zipfile.ZipFile, files: Mapping[str, tuple[int, str]], package: Path
) -> None:
    """Refuse an archive that is not what its manifest says, or could do harm by its names."""
    entries = [entry for entry in archive.infolist() if entry.filename != MANIFEST]
    names = [entry.orig_filename for entry in entries]
    for name in [*files, *names]:
        if not may_be(name):
            raise _not_ours(package, f"{printable(name)[:60]} can belong to no run")
    if len({name.casefold() for name in names}) < len(names):
        raise _not_ours(package, "a name is there twice")
    for name in (OPTIONS, PREPROCESSING, WEIGHTS, *files):
        if name not in names:
            raise UserError(f"{package}: damaged ({name} is missing)")
    for entry in entries:
        plain = stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG)
        if entry.filename not in files or not plain:
            raise _not_ours(package, f"{entry.filename} is a link, or not in its manifest")
        sizes = {entry.file_size, entry.compress_size, files[entry.filename][0]}
        if len(sizes) != 1:
            raise _not_ours(package, f"{entry.filename} is not stored as it is")
    if sum(entry.file_size for entry in entries) > package.stat().st_size:
        raise _not_ours(package, "its files overlap")


def _not_ours(package: Path, why: str) -> UserError:
    return UserError(f"{package}: not as elman package makes them ({why}); nothing was unpacked")
