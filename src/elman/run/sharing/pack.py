"""A run as one file: a zip that is the same to the last byte whoever makes it, and when.

elman-package.json   {"format": 1, "elman": "0.1.0", "files":
                      {"model.safetensors": {"bytes": 9768, "sha256": "5cf…"}, …}}
model.safetensors    …and each file that it names, sorted by name, not compressed
"""

from __future__ import annotations

import json
import os
import stat
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from elman.errors import RunError, UserError
from elman.run.files import filling, writing
from elman.run.sharing.parts import Part

FORMAT = 1
MANIFEST = "elman-package.json"
TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip can tell
MODE = stat.S_IFREG | 0o644


def pack(parts: Sequence[Part], path: Path, *, force: bool = False) -> None:
    """Write parts of a run, sorted by name, into one file, beside its place and renamed.

    UserError where there is a file already, unless `force`; RunError where a part changes
    meanwhile.
    """
    check_free(path, force=force)
    digests = {part.name: (part.size, part.digest()) for part in parts}
    manifest = {
        "format": FORMAT,
        "elman": version("elman"),
        "files": {name: {"bytes": n, "sha256": found} for name, (n, found) in digests.items()},
    }
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with zipfile.ZipFile(fresh, "w") as archive:
                _add(archive, Part(MANIFEST, json.dumps(manifest, indent=1).encode()))
                for part in parts:
                    _add(archive, part)
                    if part.digest() != digests[part.name][1]:
                        raise RunError(f"{part.name} changed while it was packed; try again")
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)


def lay(parts: Sequence[Part], path: Path) -> None:
    """Write parts of a run into a folder, beside its place and renamed."""
    with filling(path) as fresh:
        for part in parts:
            (fresh / part.name).parent.mkdir(exist_ok=True)
            with (fresh / part.name).open("wb") as stream:
                stream.writelines(part.blocks())


def check_free(path: Path, *, force: bool) -> None:
    """UserError where a package cannot be written, or where there is a file already."""
    if path.is_dir() or (path.exists() and not force):
        what = "is a folder" if path.is_dir() else "exists; give --force to replace it"
        raise UserError(f"{path}: {what}, or another --to")


def _add(archive: zipfile.ZipFile, part: Part) -> None:
    entry = zipfile.ZipInfo(part.name, TIME)
    entry.create_system, entry.external_attr = 3, MODE << 16  # as Unix, wherever it is made
    entry.file_size = part.size  # tells whether 32 bits are enough for it
    with archive.open(entry, "w") as stream:
        for block in part.blocks():
            stream.write(block)
