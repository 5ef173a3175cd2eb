"""What the names of recordings tell, by a pattern: {label}_{speaker}_{index} reads 0_george_12.

{label}, {speaker}, {text} and {index} stand for what is there, * for anything; a / reaches into the
folders above: {label}/{speaker}_nohash_{index}. In a {text} underscores are spaces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from elman.data.sound.tree import SOUNDS, stem
from elman.errors import UserError, unknown_name

FIELDS = {"label": "[^/]+?", "speaker": "[^/]+?", "text": "[^/]+?", "index": r"\d+"}
TOLD = ("label", "speaker", "text")  # one of these must be in a pattern
PIECE = re.compile(r"\{([^{}]*)\}|\*")
NOHASH = "{speaker}_nohash_{index}"  # as in Speech Commands, a folder a word
SYMBOLS = 10  # different parts that names may be made of if they are transcripts
LONG = 4  # parts of a name from which it may be a transcript
USUAL = "{label}_{speaker}_{index}"


@dataclass(frozen=True)
class NamePattern:
    """A pattern as the user writes it. UserError: a field that there is not, or nothing to read."""

    written: str

    def __post_init__(self) -> None:
        self.told  # noqa: B018

    @cached_property
    def told(self) -> tuple[str, ...]:
        """The fields that it has."""
        shown = f'--name-pattern "{self.written}"'
        fields = [found[1] for found in PIECE.finditer(self.written) if found[1] is not None]
        for field in fields:
            if field not in FIELDS:
                raise UserError(f"{shown}: {unknown_name('field', field, FIELDS)}")
            if fields.count(field) > 1:
                raise UserError(f"{shown}: {{{field}}} stands in it twice; take one away")
        if re.search(r"[}*][{*]", self.written):
            raise UserError(f'{shown}: nothing parts two fields; write what does, as "_"')
        if not set(fields) & set(TOLD):
            raise UserError(f"{shown}: tells nothing; give one such as {USUAL} or {{text}}")
        return tuple(fields)

    @cached_property
    def _reads(self) -> re.Pattern[str]:
        written = self.written
        if written.lower().endswith(SOUNDS):
            written = written[: written.rindex(".")]
        parts, at = [], 0
        for found in PIECE.finditer(written):
            parts.append(re.escape(written[at : found.start()]))
            parts.append(f"(?P<{found[1]}>{FIELDS[found[1]]})" if found[1] else "[^/]*?")
            at = found.end()
        return re.compile("".join(parts) + re.escape(written[at:]))

    def read(self, name: str) -> dict[str, str] | None:
        """The fields in a name, parted by /; None where it does not fit."""
        folders = name.split("/")[:-1]
        kept = folders[max(0, len(folders) - self.written.count("/")) :]
        found = self._reads.fullmatch("/".join([*kept, stem(name)]))
        if found is None:
            return None
        fields = found.groupdict()
        if "text" in fields:
            fields["text"] = " ".join(fields["text"].replace("_", " ").split())
        return fields


class Guess(NamedTuple):
    """The pattern that all names fit, if one does, or those between which nothing decides."""

    pattern: NamePattern | None = None
    either: tuple[str, ...] = ()


def guessed(names: Sequence[str]) -> Guess:
    """What the names of recordings without transcripts tell, if they are all written alike.

    0_1_1_0_0_0_1_1   few symbols in any order: a transcript
    0_george_12       digits, words and a number that tells takes apart: label, speaker, index
    dog_12            words and a number: label, index
    """
    rows = [stem(name).split("_") for name in names]
    width = len(rows[0]) if rows else 0
    if len(rows) < 2 or width < 2 or any(len(row) != width or not all(row) for row in rows):
        return Guess()
    columns = list(zip(*rows, strict=True))
    if width >= LONG and _is_text(columns):
        return Guess(NamePattern("{text}"))
    if not _all_digits(columns[-1]) or not all(map(_repeats, columns[:-1])):
        return Guess()
    if width == 2 and _are_words(columns[0]):
        return Guess(NamePattern("{label}_{index}"))
    if width != 3:
        return Guess()
    if _all_digits(columns[0]) and _are_words(columns[1]):
        return Guess(NamePattern(USUAL))
    return Guess(either=(USUAL, "{speaker}_{label}_{index}"))


def of_speakers(names: Sequence[str]) -> NamePattern | None:
    """The pattern that tells the speakers where folders tell the labels, if the names fit it."""
    pattern = NamePattern(NOHASH)
    return pattern if names and all(pattern.read(name) for name in names) else None


def _is_text(columns: Sequence[Sequence[str]]) -> bool:
    """Whether every place of a name holds the same few symbols."""
    kinds = [set(column) for column in columns]
    each = set[str]().union(*kinds)
    alike = sum(kind == each for kind in kinds)
    return 2 <= len(each) <= SYMBOLS and 2 * alike > len(kinds) and min(map(len, kinds)) > 1


def _all_digits(cells: Sequence[str]) -> bool:
    return all(cell.isascii() and cell.isdecimal() for cell in cells)


def _are_words(cells: Sequence[str]) -> bool:
    return all(cell.replace("-", "").isalpha() for cell in cells)


def _repeats(cells: Sequence[str]) -> bool:
    """Whether there are several values, and most come again."""
    return 1 < len(set(cells)) <= len(cells) / 2
