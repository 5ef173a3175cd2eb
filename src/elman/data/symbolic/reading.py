"""Music from whatever files hold it, and an account of all that was found.

tunes/  a.mid  b.mid.gz  set.abc  rolls.json       all of them, by what they hold
tunes.zip                                          the same
tunes.zip/melody   tunes.zip/**/bwv_8*.mid         a part of it
name:jsb                                           a known data set
"""

from __future__ import annotations

import fnmatch
import glob
import gzip
import hashlib
import io
import json
import posixpath
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from elman.data import source
from elman.data.archives import BROKEN, NESTED, hidden, names_of, printable
from elman.data.sound import tree
from elman.data.sound.members import holds_members
from elman.data.symbolic import kinship, rolls
from elman.data.symbolic.account import Account
from elman.data.symbolic.midi.chunks import is_midi
from elman.data.symbolic.midi.reading import read_midi
from elman.data.symbolic.piece import Piece
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.wording import counted, listed

ZSTD: Final = b"\x28\xb5\x2f\xfd"  # how such a file begins
SKIP: Final = "give --skip-bad-rows to leave such files out"
LARGEST: Final = 1 << 26  # bytes of a file
MIDI: Final = (".mid", ".midi", ".smf", ".kar", ".rmi", ".rmid")
ENDINGS: Final = (*MIDI, ".abc", ".json", ".npz", ".txt", "")  # that are opened in a folder
FITS: Final = "MIDI, ABC, or rolls in .json or .npz"
EXPORT: Final = "export it as MIDI or ABC"
OTHER_FORMS: Final = {
    ending: form
    for form, endings in (
        ("MusicXML", ".musicxml .mxl .xml"), ("MuseScore's own form", ".mscz .mscx"),
        ("MEI", ".mei"), ("Humdrum", ".krn"), ("LilyPond", ".ly"),
        ("Guitar Pro", ".gp .gp3 .gp4 .gp5 .gpx"), ("Sibelius's own form", ".sib"),
        ("Finale's own form", ".mus .musx"),
    )
    for ending in endings.split()
}  # fmt: skip
NO_ARCHIVES: Final = (".npz", ".mxl", ".mscz")  # though they are zip archives inside
ENDS_SHOWN: Final = 5


@dataclass(frozen=True)
class Document:
    """A file that may hold music. Alone: it was named, so that it has to."""

    name: str
    read: Callable[[], bytes]
    alone: bool = True


@dataclass(frozen=True)
class Collection:
    """Pieces in the order of the data. `tunes` tells which are one tune (`kinship.tunes`), `facts`
    are for the user, `fingerprint` is equal where all pieces have equal notes."""

    pieces: tuple[Piece, ...]
    tunes: tuple[str, ...]
    account: Account
    facts: tuple[str, ...]
    warnings: tuple[str, ...]
    fingerprint: str


@dataclass
class _Others:
    """Files in folders and archives that were not read, by ending."""

    endings: Counter[str]

    def add(self, name: str) -> None:
        self.endings[posixpath.splitext(name.lower())[1]] += 1

    def told(self) -> tuple[list[str], list[str]]:
        """Facts, and warnings of what is music in another form."""
        facts, warnings = [], []
        for ending, count in self.endings.items():
            if form := OTHER_FORMS.get(ending):
                files = counted(count, "file")
                warnings.append(f"not read: {files} in {form} ({ending}); {EXPORT}")
        rest = {e: n for e, n in self.endings.items() if e not in OTHER_FORMS}
        if rest:
            files = counted(sum(rest.values()), "other file")
            kinds = listed([ending or "no ending" for ending in rest], ENDS_SHOWN)
            facts.append(f"not read: {files} ({kinds})")
        return facts, warnings


def read(items: Sequence[str], bad: BadRows, *, pitched: bool = True) -> Collection:
    """All pieces of the data. With `pitched` a piece of drums alone is one that cannot be used.

    UserError: no such data, nothing in it; or a file that is damaged or holds no piece, unless
    `bad` leaves such out: then each is in `account.left_out`, with its reason.
    """
    account, others = Account(), _Others(Counter())
    pieces: list[Piece] = []
    for document in documents(items, others.add):
        own = Account()
        try:
            found = read_document(document, own, bad)
            if found is None:
                others.add(document.name)
                continue
            if pitched:
                found = list(_pitched(found))
        except UserError as error:
            bad.refuse(str(error))
            why = str(error).removeprefix(document.name).lstrip(",: ")
            account.left_out.append((document.name, why))
            continue
        account.add(own)
        pieces += found
    facts, warnings = others.told()
    if not pieces:
        raise bad.nothing_left(
            f"{listed([printable(item) for item in items], 3)}: no music in it; {FITS} would fit"
            + "".join(f"; {line}" for line in warnings)
        )
    tunes = tuple(kinship.tunes(pieces))
    digests = "".join(kinship.content(piece) for piece in pieces)
    return Collection(
        tuple(pieces), tunes, account, (*facts, *_told(pieces, tunes)), tuple(warnings),
        hashlib.sha256(digests.encode()).hexdigest(),
    )  # fmt: skip


def read_document(
    document: Document, account: Account, bad: BadRows | None = None
) -> list[Piece] | None:
    """The pieces of one file, by its content; None of one that is not meant as music, which only
    one that was not named can be. UserError: damaged, or music in another form."""
    name = document.name
    data = _unpacked(document.read(), name)
    start = data[:1024].removeprefix(b"\xef\xbb\xbf").lstrip()
    ending = _ending(name)
    if is_midi(data) or ending in MIDI:
        return [read_midi(data, name, account)]
    account.files += 1
    if data[:2] == b"PK":
        return _zipped(data, name, account, bad, alone=document.alone)
    if start[:1] in (b"{", b"["):
        if document.alone or len(data) > rolls.MOST_JSON or rolls.is_roll(_json(data)):
            return rolls.read_json(data, name, account, bad)
        return None
    if b"<score-partwise" in data[:8192] or b"<score-timewise" in data[:8192]:
        raise UserError(f"{name}: MusicXML, which is not read; {EXPORT}")
    if ending == ".abc" or is_abc(start):
        from elman.data.symbolic.abc.reading import read_abc

        return read_abc(tree.decoded(data, name), name, account, bad)
    if not document.alone:
        return None
    if form := OTHER_FORMS.get(ending):
        raise UserError(f"{name}: {form}, which is not read; {EXPORT}")
    raise UserError(f"{name}: no music that is known here; {FITS} would fit")


def _ending(name: str) -> str:
    """That of a file, or of what is packed in it."""
    return posixpath.splitext(name.lower().removesuffix(".gz").removesuffix(".zst"))[1]


def is_abc(start: bytes) -> bool:
    """Whether a text begins as ABC does: with its mark, or with a tune's number."""
    if start.startswith(b"%abc"):
        return True
    lines = (line.strip() for line in start.splitlines())
    first = next((line for line in lines if line and not line.startswith(b"%")), b"")
    return first.startswith(b"X:")


def documents(items: Sequence[str], other: Callable[[str], object]) -> Iterator[Document]:
    """Every file that may hold music, in the order of the items and by name within each.

    `other` is told the name of each file in a folder or an archive that is of another kind.
    """
    if list(items).count("-") > 1:
        raise UserError("standard input (-) can be read only once; give it once")
    for item in items:
        for path, shown, chosen in _expanded(item):
            if path.is_dir():
                yield from _below(tree.of_folder(path, shown), chosen, other)
            elif path.suffix.lower() not in NO_ARCHIVES and holds_members(path):
                files = tree.of_archive(path, shown)
                if all(name.endswith(".npy") for name in files.names):
                    yield Document(shown, _reader(path, shown))
                else:
                    for name in _packed_within(path):
                        other(name)
                    yield from _below(files, chosen, other)
            else:
                yield Document(shown, _reader(path, shown))


def _packed_within(path: Path) -> list[str]:
    """The members of a zip that are packed themselves, which nothing reads there."""
    if not zipfile.is_zipfile(path):
        return []
    with zipfile.ZipFile(path) as archive:
        names = names_of(archive.infolist())
    return [n for n in names if PurePosixPath(n).suffix.lower() in NESTED and not hidden(n)]


def _expanded(item: str) -> Iterator[tuple[Path, str, str]]:
    """The files and folders that an item means, and which of the members are meant, "" for all."""
    if item != "-" and not item.startswith("name:") and source.copy_of(item) is None:
        if _exists(item) and (Path(item).is_file() or Path(item).is_dir()):
            yield Path(item), printable(item), ""
            return
        if within := _within(item):
            yield within[0], printable(str(within[0])), within[1]
            return
        # Path.glob refuses absolute patterns.
        if glob.has_magic(item) and (names := sorted(glob.glob(item, recursive=True))):  # noqa: PTH207
            yield from ((Path(name), printable(name), "") for name in names)
            return
    for one in source.resolve([item]):  # or what is wrong with it
        yield one.path, one.shown, ""


def _exists(item: str) -> bool:
    try:
        return bool(item) and Path(item).exists()
    except (OSError, ValueError):  # too long, or a zero byte in it
        return False


def _within(item: str) -> tuple[Path, str] | None:
    """The archive and the pattern of an item that means members of an archive."""
    parts = item.split("/")
    for k in range(1, len(parts)):
        path = "/".join(parts[:k])
        if path and _exists(path) and Path(path).is_file():
            chosen = "/".join(parts[k:]).strip("/")
            return (Path(path), chosen) if chosen and holds_members(Path(path)) else None
    return None


def _below(
    files: tree.Tree, chosen: str, other: Callable[[str], object]
) -> Iterator[Document]:  # fmt: skip
    """The files of a folder or an archive; of those chosen, if some are."""
    names = [name for name in files.names if not chosen or _is_chosen(name, chosen)]
    if chosen and not names:
        raise UserError(
            f'{files.shown}: no member matches "{printable(chosen)}"; it holds '
            f"{listed([printable(name) for name in files.names], 3)}"
        )
    for name in names:
        if _ending(name) in ENDINGS:
            yield Document(files.where(name), partial(files.read, name), alone=False)
        else:
            other(name)


def _is_chosen(name: str, chosen: str) -> bool:
    """Whether a member is the one named, lies in the folder named, or matches the pattern; as in a
    shell * does not reach into folders, and ** does."""
    if name == chosen or name.startswith(f"{chosen}/"):
        return True
    return _matches(name.split("/"), chosen.split("/"))


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern or not parts:
        return not parts and all(one == "**" for one in pattern)
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or _matches(parts[1:], pattern)
    return fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _reader(path: Path, shown: str) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            with path.open("rb") as stream:
                return stream.read(LARGEST + 1)
        except OSError as error:
            raise UserError(f"cannot read {shown}: {error.strerror}; check the file") from None

    return read


def _unpacked(data: bytes, name: str) -> bytes:
    """The bytes of a file, out of gzip or zstd where they are. UserError: damaged, or too many."""
    try:
        if data[:2] == b"\x1f\x8b":
            with gzip.open(io.BytesIO(data)) as stream:
                data = stream.read(LARGEST + 1)
        elif data[:4] == ZSTD:
            blocks, data = source.zstd_blocks(io.BytesIO(data)), b""
            while len(data) <= LARGEST and (block := next(blocks, b"")):
                data += block
    except (EOFError, zlib.error, OSError):
        raise UserError(f"{name}: a broken archive; make it or download it again") from None
    if len(data) > LARGEST:
        raise UserError(f"{name}: more than {LARGEST:,} bytes, too large for a file of notes")
    return data


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (RecursionError, ValueError):
        return [[[]]]  # as if it were a roll: `read_json` tells what is wrong with it


def _zipped(
    data: bytes, name: str, account: Account, bad: BadRows | None, *, alone: bool
) -> list[Piece] | None:
    """Files that are zip archives inside: arrays, or music in another form."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
    except (*BROKEN, OSError):
        raise UserError(f"{name}: a broken archive; make it or download it again") from None
    if any(member.endswith(".npy") for member in members):
        return rolls.read_npz(data, name, account, bad)
    if "META-INF/container.xml" in members:
        raise UserError(f"{name}: MusicXML, which is not read; {EXPORT}")
    if alone:
        raise UserError(f"{name}: an archive without music; {FITS} would fit")
    return None


def _pitched(pieces: Sequence[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        if all(track.is_drum for track in piece.tracks):
            raise UserError(f"{piece.name}: drums alone, without a note that has a pitch")
        yield piece


def _told(pieces: Sequence[Piece], tunes: Sequence[str]) -> Iterator[str]:
    """How many pieces are of tunes that come several times, and whether parts share some."""
    often = Counter(tunes)
    again = sum(count > 1 for count in often.values())
    if not again:
        return
    each = "a tune stays in one part"
    if any(piece.part for piece in pieces):
        parts = Counter(tune for tune, _ in set(zip(tunes, (p.part for p in pieces), strict=True)))
        each = f"{sum(n > 1 for n in parts.values()):,} in several parts, as they are given"
    yield (
        f"{len(tunes):,} pieces are {counted(len(often), 'tune')}, {again:,} of them more than "
        f"once, in the same key or another; {each}"
    )
