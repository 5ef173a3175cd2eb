"""Files of one kind out of an archive that somebody else packed, packed so that they have one
checksum.

free-spoken-digit-dataset-26eb9aa…/recordings/0_george_0.wav   →   recordings/0_george_0.wav
free-spoken-digit-dataset-26eb9aa…/README.md                   →   left out
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from elman.data.archives import BROKEN
from elman.data.built_in.made_sound import archive

MEMBERS = 10_000  # that an archive may have


def recordings(path: Path, most: int) -> bytes | None:
    """A zip with the WAV files of the zip at `path`, in one folder and by their names; None of what
    is no such archive, holds none, or two of one name, or more than `most` bytes of them."""
    return _packed(path, most, "recordings", lambda name: name.suffix == ".wav")


def tunes(path: Path, most: int, folder: str) -> bytes | None:
    """The same with the MIDI files that lie in a folder of that name, not below it."""
    return _packed(path, most, folder, lambda n: n.suffix == ".mid" and n.parent.name == folder)


def _packed(
    path: Path, most: int, folder: str, wanted: Callable[[PurePosixPath], bool]
) -> bytes | None:
    try:
        with zipfile.ZipFile(path) as packed:
            infos = packed.infolist()
            if len(infos) > MEMBERS:
                return None
            chosen = [
                (name.name, info)
                for info in infos
                if wanted(name := PurePosixPath(info.filename)) and not info.is_dir()
            ]
            found = dict(chosen)
            size = sum(info.file_size for info in found.values())
            if not found or len(found) < len(chosen) or size > most:
                return None
            return archive((f"{folder}/{name}", packed.read(found[name])) for name in sorted(found))
    except (OSError, *BROKEN):
        return None
