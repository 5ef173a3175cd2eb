"""A folder and an archive as the same thing: names of files below a root, and what they hold.

recordings/0_george_12.wav      a recording, as its ending says
recordings/._0_george_12.wav    left out, as all that is hidden, and __MACOSX
"""

from __future__ import annotations

import atexit
import hashlib
import os
import posixpath
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from elman.data.archives import LONGEST, hidden, printable
from elman.data.encodings.encodings import Unreadable, found
from elman.data.sound import audio
from elman.data.sound.clips import Recording
from elman.data.source import Source
from elman.errors import UserError

SOUNDS = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".snd",
    ".caf", ".w64", ".rf64", ".sph", ".wave",
)  # fmt: skip
TEXTS = (".txt", ".lab", ".trn", ".normalized.txt", ".original.txt")  # beside a recording
FOLDERS = ("clips", "wavs", "wav", "audio", "flac", "recordings")  # beside what names recordings
ABOVE = 4  # folders above a manifest in which its paths may begin
LARGEST = 1 << 28  # bytes of a text that is read whole


def is_sound(name: str) -> bool:
    """Whether a file's name says that it is a recording."""
    return name.lower().endswith(SOUNDS)


def stem(name: str) -> str:
    """A name without folder and, of a recording, ending: ids may hold points themselves."""
    last = posixpath.basename(name)
    return posixpath.splitext(last)[0] if is_sound(last) else last


@dataclass(frozen=True)
class Tree:
    """Files below a root: all of a folder or an archive (`whole`), or only those that were named.

    `names` are sorted, parted by /, and hold nothing hidden.
    """

    shown: str
    root: Path  # a folder, or the archive
    names: tuple[str, ...]
    packed: bool = False
    whole: bool = True

    @cached_property
    def sounds(self) -> tuple[str, ...]:
        """The names of recordings."""
        return tuple(name for name in self.names if is_sound(name))

    @cached_property
    def bare_stems(self) -> frozenset[str]:
        """The names of recordings without folders and endings: what ids are."""
        return frozenset(map(stem, self.sounds))

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        listed = defaultdict[str, list[str]](list)
        for name in self.sounds:
            listed[stem(name)].append(name)
        return listed

    @cached_property
    def texts_by_stem(self) -> dict[str, list[str]]:
        """The texts that may be of one recording, by their names without folder and ending."""
        listed = defaultdict[str, list[str]](list)
        for name in self.names:
            ending = next((e for e in reversed(TEXTS) if name.endswith(e)), None)
            if ending is not None:
                listed[posixpath.basename(name).removesuffix(ending)].append(name)
        return listed

    def has(self, name: str) -> bool:
        """Whether there is a file of that name; where not all are listed the disk is asked."""
        if name in self._names:
            return True
        return not self.whole and not self.packed and (self.root / name).is_file()

    def recording(self, name: str) -> Recording:
        """The recording of that name."""
        return Recording(self.root, name) if self.packed else Recording(self.root / name)

    def where(self, name: str) -> str:
        """What messages call a file."""
        if self.packed:
            return f"{self.shown}, {printable(name)}"
        return printable(str(self.root / name))

    def read(self, name: str) -> bytes:
        """All of a text. UserError: it cannot be read, or is too large to be one."""
        if self.packed:
            with audio.open_member(self.recording(name)) as stream:
                data = stream.read(LARGEST + 1)
        else:
            try:
                with (self.root / name).open("rb") as stream:
                    data = stream.read(LARGEST + 1)
            except OSError as error:
                raise UserError(
                    f"cannot read {self.where(name)}: {error.strerror}; check the file"
                ) from None
        if len(data) > LARGEST:
            raise UserError(f"{self.where(name)}: a text of more than {LARGEST:,} bytes")
        return data

    def lines(self, name: str) -> Iterator[tuple[str, str]]:
        """Each line that is not blank, and its place, of a text that is UTF-8 or whatever it is."""
        text = decoded(self.read(name), self.where(name))
        for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
            if line.strip():
                yield f"{self.where(name)}, line {number:,}", line

    def source(self, name: str) -> Source:
        """A text for those who read tables; of an archive it is copied out."""
        if not self.packed:
            return Source(self.where(name), self.root / name)
        data = self.read(name)
        folder = Path(tempfile.mkdtemp(prefix="elman-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        copy = folder / printable(posixpath.basename(name))[-LONGEST:]
        copy.write_bytes(data)
        return Source(self.where(name), copy, hashlib.sha256(data).hexdigest())

    def find(self, path: str, beside: str = "") -> Recording | None:
        """The recording that a text in the folder `beside` means by a path, None where it is not
        there.

        A path counts from that folder, from one above it, or from where Elman runs; else by its
        end, as paths of another machine do; and by the mere name, with any ending of a recording,
        where only one in the tree has it.
        """
        path = path.strip().replace("\\", "/").removeprefix("file://")
        if not path or "\0" in path:
            return None
        if not self.packed and path.startswith("/") and Path(path).is_file():
            return Recording(Path(path))
        parts = [part for part in path.split("/") if part not in ("", ".")]
        folders = list(_up(beside))
        for ends in ("",) if is_sound(path) else ("", *SOUNDS):
            if found := self._at(parts, folders, ends):
                return found
        known = self._by_stem.get(stem(path), [])
        if len(known) == 1 and not (is_sound(path) and not _same_ending(path, known[0])):
            return self.recording(known[0])
        return None

    def _at(self, parts: Sequence[str], folders: Sequence[str], ends: str) -> Recording | None:
        written = "/".join(parts) + ends
        for folder in folders:
            name = posixpath.normpath(posixpath.join(folder, written))
            if self.has(name):
                return self.recording(name)
        if not self.packed and not ends:
            up = [self.root.joinpath(*[".."] * k) for k in range(1, ABOVE + 1)]
            for root in (self.root / folders[0], *up, Path()):
                if (there := root / written).is_file():
                    return Recording(Path(os.path.normpath(there)))
        tails = ["/".join(parts[k:]) + ends for k in range(len(parts))]
        for folder in folders:
            for tail in tails:
                for within in ("", *FOLDERS):
                    name = posixpath.normpath(posixpath.join(folder, within, tail))
                    if self.has(name):
                        return self.recording(name)
        return None


def decoded(data: bytes, where: str) -> str:
    """The text of bytes, in UTF-8 or else in the encoding that they look like. UserError: none."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode(found([data]).encoding)
    except Unreadable:
        raise UserError(f"{where}: text in no encoding known here; save it as UTF-8") from None


def of_folder(folder: Path, shown: str) -> Tree:
    """All files below a folder, links followed once. UserError: it cannot be read."""

    def refuse(error: OSError) -> None:
        raise UserError(f"cannot read {shown}: {error.strerror}; check the folder") from None

    names: list[str] = []
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not hidden(name))
        below = Path(parent).relative_to(folder)
        names += [(below / name).as_posix() for name in files if not hidden(name)]
    return Tree(shown, folder, tuple(sorted(names)))


def of_archive(path: Path, shown: str) -> Tree:
    """The members of a zip or tar. UserError: not such, or one that cannot be trusted."""
    return Tree(shown, path, tuple(audio.members(path)), packed=True)


def of_files(paths: Iterable[Path]) -> list[Tree]:
    """Files that were named one by one: a tree for each folder that they lie in, in order."""
    by_folder: dict[Path, list[str]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, []).append(path.name)
    return [
        Tree(printable(str(folder)), folder, tuple(names), whole=False)
        for folder, names in by_folder.items()
    ]


def _up(folder: str) -> Iterator[str]:
    """A folder and all above it, up to the root."""
    yield folder
    while folder:
        folder = posixpath.dirname(folder)
        yield folder


def _same_ending(one: str, other: str) -> bool:
    return PurePosixPath(one).suffix.lower() == PurePosixPath(other).suffix.lower()
