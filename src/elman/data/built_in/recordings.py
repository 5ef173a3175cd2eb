"""The recordings of an archive that somebody else packed, packed so that they have one checksum.

free-spoken-digit-dataset-26eb9aa…/recordings/0_george_0.wav   →   recordings/0_george_0.wav
free-spoken-digit-dataset-26eb9aa…/README.md                   →   left out
"""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath

from elman.data.archives import BROKEN
from elman.data.built_in.made_sound import archive

MEMBERS = 10_000  # that an archive may have


def recordings(path: Path, most: int) -> bytes | None:
    """A zip with the WAV files of the zip at `path`, in one folder and by their names; None of what
    is no such archive, holds none, or two of one name, or more than `most` bytes of them."""
    try:
        with zipfile.ZipFile(path) as packed:
            infos = packed.infolist()
            if len(infos) > MEMBERS:
                return None
            found = {
                PurePosixPath(info.filename).name: info
                for info in infos
                if info.filename.endswith(".wav") and not info.is_dir()
            }
            wanted = sum(info.filename.endswith(".wav") for info in infos)
            size = sum(info.file_size for info in found.values())
            if not found or len(found) < wanted or size > most:
                return None
            return archive(
                (f"recordings/{name}", packed.read(found[name])) for name in sorted(found)
            )
    except (OSError, *BROKEN):
        return None
