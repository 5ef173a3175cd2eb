"""Paths, folders, globs, `-`, `.gz`, `.zst`, `.zip` and `name:` as blocks of bytes or of text."""

from __future__ import annotations

import atexit
import codecs
import difflib
import glob
import gzip
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from elman.data import archives
from elman.data.archives import printable
from elman.data.built_in.named import NAMED, fetch, members
from elman.data.encodings.encodings import MARKS, Found, Unreadable, found, told
from elman.errors import UserError

BLOCK = 1 << 20  # bytes
BOM_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
UTF8 = "utf-8"
HELP = "the right --encoding, or --level bytes"
SUFFIXES = tuple(
    text + packed for text in (".txt", ".text", ".md") for packed in ("", ".gz", ".zst")
)
# One block of a zstd frame takes 4 bytes at least and gives 128 KiB at most, so that this much
# input never gives more than 16 MiB at once.
ZSTD_INPUT = 512
COPIED = ".input"  # the ending of a copy of standard input or of a pipe: a text of unknown form

_copies: dict[str, Path] = {}  # by item, of what this process has read and nobody can read again
_lent: dict[str, str] = {}  # files made of what was handed over in Python, and what they are called
_found: dict[tuple[str, str], Found] = {}  # by what a source is known by, and what was expected


@dataclass(frozen=True)
class Source:
    """One readable thing: `shown` names it in messages, `path` holds its bytes.

    `digest` is the sha256 of a spooled stream or of a member of an archive, which have no lasting
    path to be known by. `facts` is what the user should know of what lies beside it. `passed` is
    told how many bytes of the file, packed as it is, went by with each block.
    """

    shown: str
    path: Path
    digest: str | None = None
    facts: tuple[str, ...] = ()
    passed: Callable[[int], object] | None = field(default=None, compare=False, repr=False)

    def identity(self) -> str:
        """Equal as long as the content is taken to be unchanged: path, size, time of change."""
        if self.digest:
            return self.digest
        with _told(self.shown):
            status = self.path.stat()
        return f"{self.path.resolve()} {status.st_size} {status.st_mtime_ns}"

    def blocks(self) -> Iterator[bytes]:
        """The uncompressed bytes in blocks of about 1 MiB; none of them is empty."""
        with _told(self.shown), self.path.open("rb") as stream:
            at = 0
            for block in _unpacked(stream, self.path.suffix):
                if self.passed is not None:
                    before, at = at, stream.tell()
                    self.passed(at - before)
                yield block


def _unpacked(stream: BinaryIO, suffix: str) -> Iterator[bytes]:
    if suffix == ".zst":
        yield from zstd_blocks(stream)
    elif suffix == ".gz":
        with gzip.open(stream) as unpacked:
            yield from iter(lambda: unpacked.read(BLOCK), b"")
    else:
        yield from iter(lambda: stream.read(BLOCK), b"")


def resolve(data: Sequence[str]) -> tuple[Source, ...]:
    """What the user named as data, in order, each item expanded.

    An item is a file, a folder (every file below it that ends in one of `SUFFIXES` and is not
    hidden, sorted by path), a glob where no file has that very name (`**` works), `-` for standard
    input, or `name:NAME` for a known data set. Standard input and pipes are copied to a temporary
    file, since they can be read only once. A zip archive stands for its members, all of one form.
    Raises `UserError`.
    """
    if list(data).count("-") > 1:
        raise UserError("standard input (-) can be read only once; give it once")
    return tuple(source for item in data for source in _expand(item))


def copy_of(item: str) -> Path | None:
    """The copy that `resolve` made of `-` or of a pipe, or a file that was lent; None of what can
    be read again."""
    return Path(item) if item in _lent else _copies.get(item)


def lend(shown: str, write: Callable[[BinaryIO], None]) -> str:
    """An item of data for what is handed over in Python: a file that goes with this process."""
    descriptor, name = tempfile.mkstemp(prefix="elman-", suffix=COPIED)
    atexit.register(Path(name).unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as stream:
        write(stream)
    _lent[name] = shown
    return name


def read_bytes(sources: Sequence[Source]) -> Iterator[bytes]:
    """The bytes of all sources, joined with nothing between, in blocks of about 1 MiB."""
    empty = True
    for source in sources:
        for block in source.blocks():
            empty = False
            yield block
    if empty:
        raise holds_no_text(sources)


def _ignored(block: bytes) -> None:
    pass


def encoding_of(source: Source, expected: str = "", *, instead: str = HELP) -> Found:
    """The encoding of a source, found from all its bytes, once in a process.

    `expected` is that of data of the same kind, which is taken where the bytes fit it and are not
    UTF-8. UserError, naming the byte, where none fits; `instead` is the flag that might help.
    """
    try:
        codecs.lookup(expected or "utf-8")
    except LookupError:  # kept in a stranger's file
        raise UserError(f'unknown encoding "{expected[:60]}"') from None
    key = source.identity(), expected
    if key not in _found:
        try:
            _found[key] = found(source.blocks(), expected)
        except Unreadable as error:
            raise _unreadable(source.shown, error, instead) from None
    return _found[key]


def read_text(
    sources: Sequence[Source],
    note: Callable[[bytes], object] = _ignored,
    *,
    encoding: str | None = None,
    expected: str = "",
    instead: str = HELP,
) -> Iterator[str]:
    """The text of all sources, joined with nothing between, each in `encoding`, or else in its own
    as it is found (`encoding_of`).

    A byte order mark at the start of a source is dropped. `note` is called with every raw block.
    Raises `UserError` naming the source and the byte, counted from 0, where it is no such text;
    `instead` is the flag that might help.
    """
    empty = True
    for source in sources:
        own = encoding or encoding_of(source, expected, instead=instead).encoding
        for text in _decoded(source.shown, source.blocks(), note, own, instead):
            if text:
                empty = False
                yield text
    if empty:
        raise holds_no_text(sources)


def stream_text(
    shown: str, stream: BinaryIO, *, encoding: str | None = None, expected: str = "",
    instead: str = HELP,
) -> Iterator[str]:  # fmt: skip
    """The text of a stream as it comes: a block is whatever has arrived. UserError as above.

    Its end cannot be seen, so that its encoding is not found by all of it: it is what a mark at the
    start tells, else UTF-8, or `expected` where the first letters beyond ASCII are not UTF-8.
    """

    def arriving() -> Iterator[bytes]:
        with _told(shown):
            read = getattr(stream, "read1", stream.read)  # what is there, without waiting for more
            yield from iter(lambda: read(BLOCK), b"")

    blocks: Iterator[bytes] = arriving()
    own, at = encoding or UTF8, 0
    if _is_utf8(own):
        start = b""
        for block in blocks:
            start += block
            if not any(mark.startswith(start) for mark, _, _ in MARKS):
                break  # no longer the beginning of a mark
        own = next((of for mark, of, _ in MARKS if start.startswith(mark)), UTF8)
        blocks = chain([start] if start else [], blocks)
        if own == UTF8 and expected:
            for block in blocks:
                wide = b"\0" in block and _is_wide(expected)
                if wide or not block.isascii():
                    own = UTF8 if not wide and _may_be_utf8(block) else expected
                    blocks = chain([block], blocks)
                    break
                _without_zero(block, at, shown, instead)
                yield block.decode("ascii")
                at += len(block)
    yield from _decoded(shown, blocks, _ignored, own, instead, at)


def holds_no_text(sources: Sequence[Source]) -> UserError:
    """The error for sources without content."""
    return UserError(f"{_names(sources)}: holds no text; give a file with some text in it")


def _names(sources: Sequence[Source]) -> str:
    names = ", ".join(source.shown for source in sources[:3])
    return names + (f" and {len(sources) - 3:,} more" if len(sources) > 3 else "")


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == UTF8


def _is_wide(encoding: str) -> bool:
    """Whether every letter of ASCII has a zero byte."""
    return len("a".encode(encoding)) > 1


def _may_be_utf8(block: bytes) -> bool:
    try:
        codecs.getincrementaldecoder(UTF8)().decode(block)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(
    shown: str, blocks: Iterable[bytes], note: Callable[[bytes], object], encoding: str,
    instead: str, position: int = 0,
) -> Iterator[str]:  # fmt: skip
    """The text of the blocks, the first of which stands at `position`."""
    decoder = codecs.getincrementaldecoder(encoding)()
    begun = position > 0
    wide = _is_wide(encoding)
    for block in blocks:
        note(block)
        if _is_utf8(encoding) and not begun and block[:2] in BOM_UTF16:
            raise UserError(f"{shown}: UTF-16, as its mark tells, not UTF-8; give {instead}")
        if not wide:
            _without_zero(block, position, shown, instead)
        text = _decode(decoder, block, False, shown, position, instead)
        position += len(block)
        yield text if begun else text.removeprefix("\ufeff")
        begun = begun or bool(text)
    _decode(decoder, b"", True, shown, position, instead)


def _without_zero(block: bytes, position: int, shown: str, instead: str) -> None:
    """UserError where a zero byte stands in a block, the first byte of which is at `position`."""
    if (zero := block.find(0)) >= 0:
        raise _unreadable(shown, Unreadable(position + zero, 0), instead)


def _decode(
    decoder: codecs.IncrementalDecoder, block: bytes, final: bool, shown: str, position: int,
    instead: str,
) -> str:  # fmt: skip
    held = len(decoder.getstate()[0])
    try:
        return decoder.decode(block, final)
    except UnicodeDecodeError as error:
        place = f"{shown}, byte {position - held + error.start:,}"
        byte, name = error.object[error.start], error.encoding.upper()
        raise UserError(f"{place}: not {name} (0x{byte:02x}); give {instead}") from None
    except UnicodeError as error:  # of UTF-16 without its mark
        raise UserError(f"{shown}: {error}; give {instead}") from None


def _unreadable(shown: str, error: Unreadable, instead: str) -> UserError:
    place = f"{shown}, byte {error.offset:,}"
    if not error.byte:
        return UserError(
            f"{place}: a zero byte, so this is no text; give a text file, or {instead}"
        )
    first, *others = (told(name) or "UTF-8" for name in error.near)
    what = f"{place}: not {first} (0x{error.byte:02x})"
    if not others:
        return UserError(f"{what}, as the rest of it is; mend it there, or give {instead}")
    return UserError(f"{what}, nor {' nor '.join(others)}, the nearest; give {instead}")


def _expand(item: str) -> Iterable[Source]:
    if item in _lent:
        return [Source(_lent[item], Path(item))]
    _copies.pop(item, None)  # what was a pipe may be a file by now
    if item == "-":
        return _with_members(_spooled(item, "standard input", sys.stdin.buffer))
    if item.startswith("name:"):
        names = members(printable(item.removeprefix("name:")))
        return [Source(f"name:{name}", fetch(name)) for name in names]
    path, shown = Path(item), printable(item)
    mode = _mode(path, shown) if item else None
    if mode is None:
        return _matches(item, shown)
    if stat.S_ISDIR(mode):
        return _below(path, shown)
    if stat.S_ISFIFO(mode):
        with _told(shown), path.open("rb") as stream:
            return _with_members(_spooled(item, shown, stream))
    if stat.S_ISREG(mode):
        return _with_members(Source(shown, path))
    raise UserError(f"{shown}: neither a file nor a folder; give a text file")


def _with_members(source: Source) -> list[Source]:
    """The source itself, or of a zip archive its members."""
    with _told(source.shown):
        if not archives.is_archive(source.path):
            return [source]
        members, left = archives.unpacked(source.path, source.shown)
        facts = (f"not used: {', '.join(left)} in {source.shown}",) if left else ()
        return [
            Source(
                f"{source.shown}, member {printable(member.name)}", member.path, member.digest,
                facts,
            )
            for member in members
        ]  # fmt: skip


def _mode(path: Path, shown: str) -> int | None:
    """The file's type as in `stat`; None where nothing bears that name."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:  # a zero byte in the name
        return None
    except OSError as error:
        raise UserError(f"cannot read {shown}: {error.strerror}; check the path") from None


def _matches(item: str, shown: str) -> list[Source]:
    # Path.glob refuses absolute patterns.
    names = sorted(glob.glob(item, recursive=True)) if glob.has_magic(item) else []  # noqa: PTH207
    matches = [Source(printable(name), Path(name)) for name in names if Path(name).is_file()]
    if matches:
        return [source for match in matches for source in _with_members(match)]
    if glob.has_magic(item):
        raise UserError(f'no file matches "{shown}"; check the pattern')
    raise UserError(f'no file "{shown}"; {_advice(item)}')


def _advice(item: str) -> str:
    if set(members(item)) <= NAMED.keys():
        return f'did you mean the known data set "name:{item}"?'
    folder = Path(item).parent
    try:
        beside = [path.name for path in folder.iterdir()]
    except (OSError, ValueError):
        beside = []
    near = difflib.get_close_matches(Path(item).name, beside, n=1)
    if near:
        return f'did you mean "{printable(str(folder / near[0]))}"?'
    return "give a file, a folder, a glob, - or name:NAME (elman data lists the names)"


def _below(folder: Path, shown: str) -> list[Source]:
    def refuse(error: OSError) -> None:
        raise error

    texts = []
    with _told(shown):
        for parent, folders, files in os.walk(folder, onerror=refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            texts += [
                path
                for name in files
                if name.endswith(SUFFIXES) and not name.startswith(".")
                if (path := Path(parent, name)).is_file()
            ]
    if not texts:
        raise UserError(
            f"{shown}: no text in this folder; looked for names that end in "
            ".txt, .text or .md, also with .gz or .zst"
        )
    return [Source(printable(str(path)), path) for path in sorted(texts)]


def _spooled(item: str, shown: str, stream: BinaryIO) -> Source:
    descriptor, name = tempfile.mkstemp(prefix="elman-", suffix=COPIED)
    path = _copies[item] = Path(name)
    atexit.register(path.unlink, missing_ok=True)
    with _told(shown):
        with os.fdopen(descriptor, "wb") as copy:
            shutil.copyfileobj(stream, copy, BLOCK)
        with path.open("rb") as copied:
            return Source(shown, path, hashlib.file_digest(copied, "sha256").hexdigest())


def zstd_blocks(stream: BinaryIO) -> Iterator[bytes]:
    """What is packed in a stream, in blocks. EOFError: it is damaged, or ends too early.

    Frame by frame: zstandard's own stream reader takes a truncated file for a whole one.
    """
    import zstandard

    ready = bytearray()
    try:
        frame, rest = zstandard.ZstdDecompressor().decompressobj(), b""
        fresh = True  # the frame has seen no input yet
        while data := rest or stream.read(ZSTD_INPUT):
            ready += frame.decompress(data)
            rest, fresh = frame.unused_data, frame.eof
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            if len(ready) >= BLOCK:
                yield bytes(ready)
                ready.clear()
    except zstandard.ZstdError as error:
        raise EOFError(error) from None
    if not fresh:
        raise EOFError("ends too early")
    if ready:
        yield bytes(ready)


@contextmanager
def _told(shown: str) -> Iterator[None]:
    """Turns what can fail in reading into one line that names the source."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{shown}: a broken archive; make it or download it again") from None
    except OSError as error:
        raise UserError(
            f"cannot read {shown}: {error.strerror}; check the file and its permissions"
        ) from None
