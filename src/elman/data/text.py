"""Sources encoded once into a file of token ids, which is then read a stretch at a time."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.cache import cache_folder, replacing
from elman.data.source import BLOCK, Source, holds_no_text, read_bytes, read_text
from elman.data.vocabulary import Bytes, Vocabulary, build, from_json
from elman.errors import RunError, UserError

# Characters handled at once; BPE takes 300 bytes of memory for each, and is no faster with more.
PIECE = 1 << 14
FORMAT = 2  # raised whenever the same text would be encoded otherwise

# A text may be cut before whitespace or such punctuation that follows anything else: no word, no
# BPE token and no rule of lower-casing reaches over that place.
_CUT = re.compile(r"(?s).*[^\s，。！？](?=[\s，。！？])")


class TokenFile:
    """Token ids in a file, uint8, uint16 or uint32, read a stretch at a time.

    It is read, not mapped: the system maps up to 2 MiB around each byte that is touched, so that
    windows from all over a large file fill the memory, and dropping those pages again costs seven
    times a read. Not for several threads at once.
    """

    def __init__(self, path: Path, dtype: str) -> None:
        self.path = path
        self._dtype = np.dtype(dtype)
        self._stream = path.open("rb", buffering=0)
        self._length = path.stat().st_size // self._dtype.itemsize
        weakref.finalize(self, self._stream.close)

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        """Ids `start` to `start + count`, int64 [count]; fewer where the file ends."""
        self._stream.seek(start * self._dtype.itemsize)
        data = self._stream.read(count * self._dtype.itemsize)
        return np.frombuffer(data, dtype=self._dtype).astype(np.int64)


@dataclass(frozen=True)
class Corpus:
    """A text as a model reads it.

    `characters` counts the text after lower-casing and removing digits, for bits per character;
    at level `bytes` it counts bytes. `sha256` is that of the uncompressed bytes of all sources.
    """

    ids: TokenFile
    vocabulary: Vocabulary
    characters: int
    sha256: str
    sources: tuple[Source, ...]


def encode_corpus(
    sources: Sequence[Source],
    *,
    level: str,
    limit: int | None = None,
    lowercase: bool = False,
    strip_digits: bool = False,
    cache: Path | None = None,
) -> Corpus:
    """The text of the sources with a vocabulary made from all of it (`vocabulary.build`).

    Encoded once: as long as paths, sizes, times of change and options stay, what lies in the
    folder `cache` (`cache_folder()` / "text" if None) is used, unless it is damaged. Raises
    `UserError` for a text that is empty or has one symbol only, and for a folder that cannot be
    written; `RunError` for a full disk and for a file that changes meanwhile.
    """

    def vocabulary() -> Vocabulary:
        # Bytes need no counting, and may be no text.
        pieces = () if level == "bytes" else cut(read_text(sources))
        return build(level, pieces, limit=limit, lowercase=lowercase, strip_digits=strip_digits)

    options = [level, limit, lowercase, strip_digits]
    return _encoded(sources, options, vocabulary, least_symbols=2, cache=cache)


def encode_with(
    vocabulary: Vocabulary, sources: Sequence[Source], *, cache: Path | None = None
) -> Corpus:
    """Like `encode_corpus`, with the vocabulary of a trained model; unknown symbols become its
    unknown token, and a text of one symbol is fine."""
    options = [vocabulary.to_json()]
    return _encoded(sources, options, lambda: vocabulary, least_symbols=1, cache=cache)


def cut(blocks: Iterable[str], longest: int = PIECE) -> Iterator[str]:
    """The same text in pieces of about `longest` characters that split no word.

    Where more than that follow one another without a place to cut (before whitespace or full-width
    punctuation that follows something else), they are split all the same.
    """
    held = ""
    for block in blocks:
        for start in range(0, len(block), longest):
            held += block[start : start + longest]
            match = _CUT.match(held)
            end = match.end() if match else len(held) if len(held) > longest else 0
            if end:
                yield held[:end]
                held = held[end:]
    if held:
        yield held


def _encoded(
    sources: Sequence[Source],
    options: Sequence[object],
    vocabulary: Callable[[], Vocabulary],
    *,
    least_symbols: int,
    cache: Path | None,
) -> Corpus:
    folder = cache_folder() / "text" if cache is None else cache
    identities = [source.identity() for source in sources]
    key = hashlib.sha256(json.dumps([FORMAT, identities, options]).encode()).hexdigest()[:32]
    path = folder / f"{key}.ids"
    record = _trusted(path)
    if record is None:
        record = _write(path, sources, vocabulary(), least_symbols)
        if [source.identity() for source in sources] != identities:
            path.unlink(missing_ok=True)
            raise RunError("the text changed while it was read; run again when it is complete")
    return Corpus(
        ids=TokenFile(path, record["dtype"]),
        vocabulary=from_json(record["vocabulary"]),
        characters=record["characters"],
        sha256=record["sha256"],
        sources=tuple(sources),
    )


def _write(
    path: Path, sources: Sequence[Source], vocabulary: Vocabulary, least_symbols: int
) -> dict[str, Any]:
    """Encodes into `path`, then writes the record that vouches for it; gives the record."""
    dtype = np.min_scalar_type(vocabulary.size - 1)
    digest = hashlib.sha256()
    counts = np.zeros(vocabulary.size, dtype=np.int64)
    characters = checksum = 0
    try:
        with replacing(path) as part:
            with part.open("wb") as stream:
                for ids, length in _encode(sources, vocabulary, digest.update):
                    counts += np.bincount(ids, minlength=vocabulary.size)
                    characters += length
                    data = ids.astype(dtype).tobytes()
                    checksum = zlib.crc32(data, checksum)
                    stream.write(data)
            if not counts.any():
                raise holds_no_text(sources)
            if np.count_nonzero(counts) < least_symbols:
                raise UserError(
                    f"{sources[0].shown}: one symbol only; nothing to learn; "
                    "give a text with at least two different symbols"
                )
        record = {
            "dtype": dtype.name,
            "characters": characters,
            "sha256": digest.hexdigest(),
            "vocabulary": vocabulary.to_json(),
        }
        with replacing(_record_path(path)) as part:
            vouched = {"record": record, "crc32": _checksum(record, checksum)}
            part.write_text(json.dumps(vouched), encoding="utf-8")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise RunError(f"cannot write {path}: {error.strerror}") from None
        raise UserError(
            f"cannot write to {path.parent} ({error.strerror}); set ELMAN_CACHE to another folder"
        ) from None
    return record


def _encode(
    sources: Sequence[Source], vocabulary: Vocabulary, note: Callable[[bytes], object]
) -> Iterator[tuple[NDArray[Any], int]]:
    """Block by block: the ids, and the number of characters that they stand for."""
    if isinstance(vocabulary, Bytes):
        for block in read_bytes(sources):
            note(block)
            data = np.frombuffer(vocabulary.clean_bytes(block), dtype=np.uint8)
            yield data, len(data)
    else:
        for piece in cut(read_text(sources, note)):
            text = vocabulary.clean(piece)
            yield vocabulary.encode_clean(text), len(text)


def _trusted(path: Path) -> dict[str, Any] | None:
    """The record of a token file, if both are there and unharmed."""
    try:
        vouched = json.loads(_record_path(path).read_bytes())
        record: dict[str, Any] = vouched["record"]
        checksum = 0
        with path.open("rb") as stream:
            while data := stream.read(BLOCK):
                checksum = zlib.crc32(data, checksum)
        return record if vouched["crc32"] == _checksum(record, checksum) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _checksum(record: dict[str, Any], of_ids: int) -> int:
    return zlib.crc32(json.dumps(record, sort_keys=True).encode(), of_ids)


def _record_path(path: Path) -> Path:
    return path.with_suffix(".json")
