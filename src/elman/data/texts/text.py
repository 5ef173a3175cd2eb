"""Sources encoded once into a file of token ids, which is then read a stretch at a time."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elman.data.cache import (
    WORK,
    alone,
    cache_folder,
    in_use,
    kept_bytes,
    prune,
    replacing,
    touch,
)
from elman.data.encodings.encodings import told
from elman.data.forms.other_forms import a_file, form_within
from elman.data.source import (
    BLOCK,
    UTF8,
    Source,
    encoding_of,
    holds_no_text,
    read_bytes,
    read_text,
)
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import open_table
from elman.data.telling import Pace, Stage, tell
from elman.data.texts.segmentation import first_lines, is_tokenised
from elman.data.texts.segments import Rule, Segment, in_vocabulary
from elman.data.texts.vocabulary import (
    LOOKED_AT,
    WORDS_LIMIT,
    Bytes,
    Vocabulary,
    build,
    check,
    clean_text,
    from_json,
)
from elman.data.texts.work import Passed, Work
from elman.errors import RunError, UserError
from elman.options import require_encoding

# Characters handled at once; BPE takes 300 bytes of memory for each, and is no faster with more.
PIECE = 1 << 14
MEND = "mend that row"
ENCODING = "encoding the text"
FORMAT = 3  # raised whenever the same text would be encoded otherwise

# A text may be cut before whitespace that follows anything but itself: no word, no BPE token and no
# rule of lower-casing reaches over that place. Digits may be left out of a text. Where there is no
# whitespace, full-width punctuation parts words as well.
_CUT = re.compile(r"(?s).*[^\s\d，。！？](?=\s)")
_CUT_LONG = re.compile(r"(?s).*[^\s\d，。！？](?=[，。！？])")


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
        in_use(self._stream)
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
class TextReading:
    """How a text is read: in `encoding`, or else as it is found of each source, `expected` first;
    of tables the cells of one column, with a newline between."""

    encoding: str | None = None
    expected: str = ""
    column: str | None = None

    def __post_init__(self) -> None:
        for name in ("encoding", "expected"):
            if getattr(self, name):
                require_encoding(self, name)

    def of(self, source: Source) -> str:
        """The encoding of a source; UTF-8 of a table in a file that is no text."""
        if self.column is not None and form_within(source) is not None:
            return UTF8
        return self.encoding or encoding_of(source, self.expected).encoding

    def text(
        self, sources: Sequence[Source], note: Callable[[bytes], object] = lambda block: None,
        bad: BadRows | None = None,
    ) -> Iterator[str]:  # fmt: skip
        """The text of all sources; `note` is called with their bytes. UserError as `read_text`."""
        if self.column is None:
            for source in sources:
                if (form := form_within(source)) is not None:
                    raise UserError(
                        f"{source.shown}: {a_file(form)}, which is no text; give a text file, or "
                        "train with --column, the name of its column of texts"
                    )
            return read_text(sources, note, encoding=self.encoding, expected=self.expected)
        return self._cells(sources, self.column, note, bad or BadRows(skip=False, advice=MEND))

    def _cells(
        self, sources: Sequence[Source], column: str, note: Callable[[bytes], object], bad: BadRows
    ) -> Iterator[str]:
        empty = True
        for source in sources:
            table = open_table(source, TableOptions(encoding=self.of(source)))
            name = table.column(column)
            for row in table.rows(bad):
                cell = row.values[name]
                if cell is not None and (text := str(cell)).strip():
                    text = text if empty else f"\n{text}"
                    empty = False
                    note(text.encode())
                    yield text
        if empty:
            raise holds_no_text(sources)


PLAIN = TextReading()


@dataclass(frozen=True)
class Corpus:
    """A text as a model reads it.

    `characters` counts the text after lower-casing and removing digits, for bits per character;
    at level `bytes` it counts bytes. `sha256` is that of the uncompressed bytes of all sources, or
    of the text of one column. `encodings` are those of the sources, of each once.
    """

    ids: TokenFile
    vocabulary: Vocabulary
    characters: int
    sha256: str
    sources: tuple[Source, ...]
    reading: TextReading
    encodings: tuple[str, ...]

    def kept(self) -> TextReading:
        """The way in which other texts are read for a model of this one."""
        others = [encoding for encoding in self.encodings if not encoding.startswith("utf")]
        return replace(self.reading, expected=others[0] if others else "")

    def facts(self) -> tuple[str, ...]:
        """How it was read, for the user, as far as that is not the plainest way."""
        ways = [told(encoding) or "UTF-8" for encoding in self.encodings]
        facts = [f"read as {' and '.join(ways)}"] if ways not in ([], ["UTF-8"]) else []
        if self.reading.column is not None:
            facts.append(f"the text is the column {self.reading.column}")
        facts += [fact for source in self.sources for fact in source.facts]
        return tuple(dict.fromkeys(facts))


def encode_corpus(
    sources: Sequence[Source],
    *,
    level: str,
    limit: int | None = None,
    lowercase: bool = False,
    strip_digits: bool = False,
    reading: TextReading = PLAIN,
    cache: Path | None = None,
    processes: int = 1,
) -> Corpus:
    """The text of the sources with a vocabulary made from all of it (`vocabulary.build`, but all
    words are counted, however many there are).

    Encoded once: as long as paths, sizes, times of change and options stay, what lies in the
    folder `cache` (`cache_folder()` / "text" if None) is used, unless it is damaged. A long text is
    encoded by so many `processes`, with the same result whatever their number, and gone on with
    where that was interrupted. Of several processes that want the same text one encodes it.

    Raises `UserError` for a text that is empty or has one symbol only, and for a folder that cannot
    be written; `RunError` for a full disk and for a file that changes meanwhile.
    """
    check(level, limit)

    def rule() -> Rule:
        if level in ("bytes", "bpe"):
            # Bytes need no counting, and may be no text.
            pieces = () if level == "bytes" else cut(reading.text(sources))
            vocabulary = build(
                level, pieces, limit=limit, lowercase=lowercase, strip_digits=strip_digits
            )
            return Rule(level, lowercase, strip_digits, vocabulary=vocabulary)
        if level == "characters":
            return Rule(level, lowercase, strip_digits, limit=limit)
        cleaned = (clean_text(p, lowercase, strip_digits) for p in cut(reading.text(sources)))
        spaced = is_tokenised(first_lines(cleaned, LOOKED_AT)[0])
        return Rule(level, lowercase, strip_digits, spaced, limit or WORDS_LIMIT)

    options = [level, limit, lowercase, strip_digits]
    return _encoded(sources, options, rule, reading, None, 2, cache, processes)


def encode_with(
    vocabulary: Vocabulary, sources: Sequence[Source], *, reading: TextReading = PLAIN,
    bad: BadRows | None = None, cache: Path | None = None, processes: int = 1,
) -> Corpus:  # fmt: skip
    """Like `encode_corpus`, with the vocabulary of a trained model; unknown symbols become its
    unknown token, and a text of one symbol is fine."""
    options = [vocabulary.to_json(), bad is not None and bad.skip]
    rule = Rule(
        vocabulary.level, vocabulary.lowercase, vocabulary.strip_digits, vocabulary=vocabulary
    )
    return _encoded(sources, options, lambda: rule, reading, bad, 1, cache, processes)


def cut(blocks: Iterable[str], longest: int = PIECE) -> Iterator[str]:
    """The same text in pieces of about `longest` characters that split no word.

    Where more than that follow one another without a place to cut (before whitespace, or else
    full-width punctuation, that follows something else), they are split all the same.
    """
    held = ""
    for block in blocks:
        for start in range(0, len(block), longest):
            held += block[start : start + longest]
            match = _CUT.match(held) or (len(held) > longest and _CUT_LONG.match(held))
            end = match.end() if match else len(held) if len(held) > longest else 0
            if end:
                yield held[:end]
                held = held[end:]
    if held:
        yield held


def _encoded(
    sources: Sequence[Source], options: Sequence[object], rule: Callable[[], Rule],
    reading: TextReading, bad: BadRows | None, least_symbols: int, cache: Path | None,
    processes: int,
) -> Corpus:  # fmt: skip
    folder = cache_folder() / "text" if cache is None else cache
    identities = [source.identity() for source in sources]
    known_by = [FORMAT, identities, options, astuple(reading)]
    key = hashlib.sha256(json.dumps(known_by).encode()).hexdigest()[:32]
    path = folder / f"{key}.ids"
    limit = kept_bytes()
    touch(path)
    record = _trusted(path)
    if record is None:
        with _told(path), alone(path, ENCODING) as beat:
            record = _trusted(path)  # another process may have made it meanwhile
            if record is None:
                record = _write(path, sources, rule, reading, bad, least_symbols, processes, beat)
                if [source.identity() for source in sources] != identities:
                    for made in (_record_path(path), path):
                        made.unlink(missing_ok=True)
                    raise RunError(
                        "the text changed while it was read; run again when it is complete"
                    )
    if bad is not None:
        bad.count, bad.first = record["left_out"]
    ids = TokenFile(path, record["dtype"])
    prune(folder, limit)
    return Corpus(
        ids=ids,
        vocabulary=from_json(record["vocabulary"]),
        characters=record["characters"],
        sha256=record["sha256"],
        sources=tuple(sources),
        reading=reading,
        encodings=tuple(record["encodings"]),
    )


def _write(
    path: Path, sources: Sequence[Source], make_rule: Callable[[], Rule], reading: TextReading,
    bad: BadRows | None, least_symbols: int, processes: int, beat: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """Encodes into `path`, then writes the record that vouches for it; gives the record."""
    work, digest = Work(path.with_suffix(WORK)), hashlib.sha256()
    try:
        rule = work.rule(make_rule)
        encodings = _encodings(sources, rule, reading)
        passed = Passed(Pace(ENCODING, _bytes(sources, reading)), beat)
        counted = [replace(source, passed=passed.reading) for source in sources]
        if isinstance(rule.vocabulary, Bytes) and reading.column is None:
            vocabulary: Vocabulary = rule.vocabulary
            index: Mapping[str, int] | None = None
            segments = _bytewise(rule.vocabulary, counted, digest.update, passed)
        else:
            text = cut(reading.text(counted, digest.update, bad))
            found = work.segments(text, rule, processes, passed)
            if len(found) > 1:
                together = f"putting {len(found):,} segments together"
                tell(Stage(ENCODING, None, together))
                beat(together)
            vocabulary, index = rule.settled(found)
            segments = (segment.load() for segment in found)
        dtype = np.min_scalar_type(vocabulary.size - 1)
        counts = np.zeros(vocabulary.size, dtype=np.int64)
        characters = checksum = 0
        with replacing(path) as part:
            with part.open("wb") as stream:
                for segment in segments:
                    ids = in_vocabulary(segment, index)
                    counts += np.bincount(ids, minlength=vocabulary.size)
                    characters += segment.characters
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
            "encodings": encodings,
            "left_out": [bad.count, bad.first] if bad else [0, []],
        }
        with replacing(_record_path(path)) as part:
            vouched = {"record": record, "crc32": _checksum(record, checksum)}
            part.write_text(json.dumps(vouched), encoding="utf-8")
    except UserError:
        work.remove()
        raise
    work.remove()
    return record


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turns what can fail in writing to a cache into one line."""
    try:
        yield
    except ValueError as error:
        shutil.rmtree(path.with_suffix(WORK), ignore_errors=True)
        raise RunError(
            f"what was encoded into {path.parent} was damaged meanwhile ({error}); run again"
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            work = path.with_suffix(WORK)
            kept = (
                f"; what is encoded is kept in {work}: run the same again when there is room, or "
                "set ELMAN_CACHE to another folder"
            )
            raise RunError(
                f"cannot write {path}: {error.strerror}" + (kept if work.exists() else "")
            ) from None
        raise UserError(
            f"cannot write to {path.parent} ({error.strerror}); set ELMAN_CACHE to another folder"
        ) from None


def _bytewise(
    vocabulary: Bytes, sources: Sequence[Source], note: Callable[[bytes], object], passed: Passed
) -> Iterator[Segment]:
    """Files as the bytes that they are."""
    for block in read_bytes(sources):
        note(block)
        data = np.frombuffer(vocabulary.clean_bytes(block), dtype=np.uint8)
        passed.encoded(passed.read - passed.done)
        passed.look()
        yield Segment(data, len(data))


def _bytes(sources: Sequence[Source], reading: TextReading) -> int | None:
    """The size of all files; None where what reads them does not tell how far it is."""
    if reading.column is not None and any(form_within(source) is not None for source in sources):
        return None
    return sum(source.path.stat().st_size for source in sources)


def _encodings(sources: Sequence[Source], rule: Rule, reading: TextReading) -> list[str]:
    """Those of the sources, of each once; of bytes that need be no text none."""
    if isinstance(rule.vocabulary, Bytes) and reading.column is None:
        return []
    return list(dict.fromkeys(reading.of(source) for source in sources))


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
