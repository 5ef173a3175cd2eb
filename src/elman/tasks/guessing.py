"""Which task some data is for, by what its files are called and how they begin: a guess that the
user sees, with its reason, and may overrule.

hamlet.txt       text       running text
reviews.csv      classify   a text beside one of 3 classes: label
sunspots.csv     forecast   numbers beside dates: month
pairs.tsv        translate  two texts a row: english, chinese
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from elman import tasks
from elman.data import source
from elman.data.source import Source
from elman.data.tables.profile import Profile
from elman.data.tables.reading import Column
from elman.data.tables.table import ENDINGS, Examined, open_table
from elman.errors import UserError

SOUND = (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aiff", ".aif", ".au", ".sph")
NOTES = (".mid", ".midi", ".kar", ".abc")
PICTURES = (".png", ".jpg", ".jpeg", ".npz", ".npy", ".gz-ubyte", "-ubyte")
TABLES = (
    *ENDINGS, ".xlsx", ".xls", ".ods", ".parquet", ".arrow", ".feather", ".db", ".sqlite",
    ".sqlite3", ".duckdb",
)  # fmt: skip
BEGINNING = 400  # lines by which a text is judged
MOST_CLASSES = 50
REPEATED = 5  # times that a class comes on average, at least
TAGGED = re.compile(r"^\S+(?:[ \t]+\S+)+$")
TAG_NAMES = frozenset({"tag", "pos", "upos", "ner", "ner_tag", "bio", "token", "word"})
SENTENCE_NAMES = frozenset({"sentence", "sentence_id", "sentence #", "sent", "sent_id"})
SEQUENCE_NAMES = frozenset({"sequence", "sequence_id", "seq", "run", "trial", "episode"})


@dataclass(frozen=True)
class Guess:
    """A task, and why it is likely."""

    task: str
    why: str


def guess(data: Sequence[str]) -> Guess:
    """The task that these items of data are likely to be for. UserError: they cannot be read."""
    for name in tasks.names() if all(item.startswith("name:") for item in data) else ():
        if list(tasks.get(name).built_in) == list(data):
            return Guess(name, "the built-in set of this task")
    names = [name.lower() for item in data for name in islice(_names(item), 1000)]
    for endings, found in (
        (SOUND, Guess("speech", "recordings")),
        (NOTES, Guess("music", "notes")),
        (PICTURES, Guess("classify", "pictures or arrays")),
    ):
        if any(name.endswith(endings) for name in names):
            return found
    first = source.resolve(data)[0]
    if first.shown.lower().removesuffix(".gz").removesuffix(".zst").endswith(TABLES):
        return _of_table(open_table(first).examined)
    return _of_text(first)


def _names(item: str) -> Iterator[str]:
    """The names of an item: its own, or of the files in a folder or an archive."""
    path = Path(item)
    yield item
    if path.is_dir():
        yield from (str(p) for p in path.rglob("*") if p.is_file())
    elif path.suffix.lower() in (".zip", ".tar", ".tgz", ".gz"):
        with contextlib.suppress(UserError):
            yield from (one.shown for one in source.resolve([item]))


def _of_table(examined: Examined) -> Guess:
    reading, profiles = examined
    columns = [c for c in reading.columns if not c.passed_over]
    names = {c.name.lower() for c in columns}
    dates = [c.name for c in columns if _is_date(c)]
    numbers = [c.name for c in columns if c.numerals is not None and c.name not in dates]
    words = [c.name for c in columns if c.numerals is None and c.name not in dates]
    if names & TAG_NAMES and names & SENTENCE_NAMES and len(words) >= 2:
        return Guess("tag", "one token a row, of sentences")
    told = next((c.name for c in columns if c.name.lower() in SEQUENCE_NAMES), None)
    if told is not None and len(numbers) >= 2:
        return Guess("regress", f"numbers in order, of many sequences: {told}")
    if dates and numbers:
        return Guess("forecast", f"numbers beside dates: {dates[0]}")
    classes = [c.name for c in columns if _is_class(profiles[c.name])]
    texts = [name for name in words if name not in classes]
    if texts and classes:
        count = len(profiles[classes[-1]].distinct)
        return Guess("classify", f"a text beside one of {count} classes: {classes[-1]}")
    if len(texts) >= 2:
        return Guess("translate", "two texts a row")
    lists = [c.name for c in columns if profiles[c.name].typed.total()]
    if classes and (lists or len(numbers) > REPEATED):
        return Guess("classify", f"numbers beside a class: {classes[-1]}")
    if numbers and not texts:
        return Guess("forecast", "columns of numbers in order")
    return Guess("text", "running text")


def _is_date(column: Column) -> bool:
    """Whether it holds dates: 201201 may be one, and is rather a number."""
    return column.dates is not None and (column.dates.sure or column.numerals is None)


def _is_class(profile: Profile) -> bool:
    kinds = len(profile.distinct)
    return 1 < kinds <= MOST_CLASSES and profile.present >= REPEATED * kinds


def _of_text(first: Source) -> Guess:
    lines = next(source.read_text([first])).split("\n")[:BEGINNING]
    full = [line.rstrip("\r") for line in lines if line.strip()]
    if not full:
        return Guess("text", "running text")
    split = [len(re.split(r"[ \t]+", line.strip())) for line in full]
    if len(set(split)) == 1 and split[0] in (2, 3, 4) and len(full) < len(lines) - 1:
        return Guess("tag", "a token and its label a line, sentences parted by empty lines")
    if all(line.count("\t") == 1 for line in full[:-1]) and "\t" in full[0]:
        return Guess("translate", "two texts a line, parted by a tab")
    return Guess("text", "running text")
