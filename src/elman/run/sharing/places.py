"""Where a run may be: its folder, a package made of it, or a repository on a model hub."""

from __future__ import annotations

import hashlib
import shutil
import time
from contextlib import suppress
from pathlib import Path

from elman.data import cache
from elman.errors import UserError
from elman.run.sharing import hub
from elman.run.sharing.unpack import unpack

FORGOTTEN = 30 * 86_400.0  # seconds after which a package that was unpacked is removed


def is_package(run: Path) -> bool:
    """Whether it names a package rather than a folder."""
    return run.suffix.lower() == ".zip" and not run.is_dir()


def folder_of(run: str | Path, *, revision: str | None = None, checkpoint: bool = False) -> Path:
    """The folder that holds a run, unpacked into a cache or downloaded where it has to be.

    `checkpoint`: with the state of the training, if it went along. UserError: no such place, or
    something else there; RunError: the hub cannot be reached.
    """
    if hub.is_place(run):
        return hub.fetch(hub.place(run, revision), checkpoint=checkpoint)
    if revision is not None:
        raise UserError(f"{run}: only a run on a hub has a revision {revision}; give hf:user/name")
    return _unpacked(Path(run)) if is_package(Path(run)) else Path(run)


def name_of(folder: Path) -> str:
    """What a run is called, by its folder, which may lie in the cache of a hub."""
    return hub.name_of(folder) or folder.resolve().name or "run"


def own_folder(run: Path, command: str) -> Path:
    """A run folder that may be written into. UserError: a package, or a run on a hub."""
    if hub.is_place(run) or is_package(run):
        raise UserError(
            f"{run}: {command} needs a run folder; give elman package {run} --to FOLDER "
            "--with-checkpoint, and that folder"
        )
    return run


def _unpacked(package: Path) -> Path:
    """The folder of a package in the cache, by its sha256, so that it is unpacked once."""
    try:
        with package.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{package}: {error.strerror or error}; give a package or a run") from None
    home = cache.cache_folder() / "packages"
    place = home / digest / package.stem
    if not place.is_dir():
        unpack(package, place)
    cache.touch(place.parent)
    _forget(home)
    return place


def _forget(home: Path) -> None:
    """Removes what nobody has asked for in a month."""
    for folder in home.iterdir():
        with suppress(OSError):  # another process may have removed it
            status = folder.stat()
            if time.time() - max(status.st_atime, status.st_mtime) > FORGOTTEN:
                shutil.rmtree(folder)
