"""Sentences with a label for every token: CoNLL tables, and JSON lines.

EU NNP B-ORG        cells between spaces or tabs; a blank line ends a sentence
rejects VBZ O

{"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias

from elman.data import source
from elman.data.source import Source
from elman.data.tables.content import BadRows
from elman.data.tables.table import ENDINGS, Row, ending, of_objects, text_lines
from elman.errors import UserError, unknown_name

Form: TypeAlias = Literal["conll", "json"]
Line: TypeAlias = tuple[int, str]  # its number, and its text without its end

# Names of columns; the first that is there is taken.
TOKENS = ("token", "tokens", "word", "words", "form", "text", "字", "词")
LABELS = ("label", "labels", "tag", "tags", "ner", "ner_tags", "pos", "pos_tags", "upos", "标签")
CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
NO_WORD = re.compile(r"\d+[-.]\d+")  # the ID of several words together, or of an empty one
DOCUMENT = "-DOCSTART-"
BLANK = " \t"  # other white space, such as the wide space of Chinese texts, may be a token
OUTSIDE = "O"
PREDICTED = "predicted"
LONGEST = 65_536  # lines held at once of a sentence that does not end


@dataclass(frozen=True)
class Reading:
    """Where tokens and labels stand, by name or, in a CoNLL table, by number; None is guessed.

    Kept with a model. Columns of one form say nothing of the other, and are guessed there.
    """

    token_column: str | None = None
    label_column: str | None = None
    encoding: str = "utf-8"
    form: Form | None = None


class Sentence(NamedTuple):
    """Tokens and, where they are read, as many labels; `where` its first one stands."""

    where: str
    tokens: list[str]
    labels: list[str]


class Piece(NamedTuple):
    """A stretch of a file: the sentence in it, and the text with an answer for each token."""

    sentence: Sentence | None
    answered: Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Sentences:
    """All that was read, what was guessed, for the user, and how to read more of it."""

    all: list[Sentence]
    facts: tuple[str, ...]
    reading: Reading


def read(
    data: Sequence[str], reading: Reading, bad: BadRows, *, labelled: bool = True
) -> Sentences:
    """The sentences of all items of data. A sentence with a bad line is left out as a whole.

    UserError: none at all, or no such data.
    """
    found, facts, settled = list[Sentence](), list[str](), reading
    for one in source.resolve(data):
        opened = open_file(one, reading, labelled=labelled)
        facts += opened.facts
        settled = opened.reading
        found += [p.sentence for p in opened.pieces(bad) if p.sentence is not None]
    if not found:
        raise UserError(f"{data[0]}: holds no sentences")
    return Sentences(found, tuple(dict.fromkeys(facts)), settled)


def digest(sentences: Sequence[Sentence]) -> str:
    """Of all tokens and labels together."""
    whole = hashlib.sha256()
    for sentence in sentences:
        whole.update(json.dumps([sentence.tokens, sentence.labels]).encode())
    return whole.hexdigest()


# ---- Opening -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A file whose columns are known. `pieces` reads it from its start; a stream only once."""

    reading: Reading
    facts: tuple[str, ...]
    pieces: Callable[[BadRows], Iterator[Piece]]


def open_file(one: Source, reading: Reading, *, labelled: bool) -> Opened:
    """UserError: no rows, or not these columns. Without `labelled` no labels are read."""
    form: Form | None = "json" if ENDINGS.get(ending(one)) == "json" else None
    return _opened(one.shown, form, lambda: text_lines(one, reading.encoding), reading, labelled)


def open_stream(shown: str, lines: Iterator[str], reading: Reading) -> Opened:
    """Lines that come one by one, without labels: nothing is read before it is needed."""
    begun: list[str] = []
    for line in lines:
        begun.append(line)
        if _speaks(line):
            break
    return _opened(shown, None, lambda: itertools.chain(begun, lines), reading, False)


def _opened(
    shown: str, form: Form | None, lines: Callable[[], Iterator[str]], reading: Reading,
    labelled: bool,
) -> Opened:  # fmt: skip
    first = next((line for line in lines() if _speaks(line)), None)
    if first is None:
        raise UserError(f"{shown}: holds no sentences")
    form = form or ("json" if isinstance(_parsed(first), dict) else "conll")
    if reading.form not in (None, form):
        reading = Reading(encoding=reading.encoding)
    if form == "json":
        return _open_json(shown, first, lines, reading, labelled)
    return _open_conll(shown, first, lines, reading, labelled)


def _speaks(line: str) -> bool:
    """Whether a line surely holds a token or an object."""
    return bool(line.strip(BLANK + "\r\n")) and not line.startswith(("#", DOCUMENT))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _settled(
    reading: Reading, form: Form, token: str, label: str | None
) -> tuple[Reading, tuple[str, ...]]:
    """The reading with these columns, and what of it was guessed."""
    guessed = []
    if reading.token_column is None:
        guessed.append(f"tokens from column {token}")
    if reading.label_column is None and label is not None:
        guessed.append(f"labels from column {label}")
    settled = replace(
        reading, token_column=token, label_column=label or reading.label_column, form=form
    )
    return settled, (f"taken: {', '.join(guessed)}",) if guessed else ()


# ---- CoNLL ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Conll:
    """How the lines of one table are cut. `columns` are numbers where it has no names for them."""

    shown: str
    tabs: bool
    columns: tuple[str, ...]
    header: bool
    token: int
    label: int | None

    def piece(self, block: Sequence[Line], header: bool, bad: BadRows) -> Piece | None:
        """The sentence in a block of lines; None if one of them is bad."""
        tokens, labels, first = list[str](), list[str](), 0
        ends: list[str | int] = []  # of each line: what is written after it, or which answer
        for number, text in block:
            cells = _cells(text, self.tabs)
            if not text.strip(BLANK) or (text[0] == "#" and len(cells) != len(self.columns)):
                ends.append("")
            elif cells[0] == DOCUMENT:
                ends.append(OUTSIDE)
            elif header:
                ends.append(PREDICTED)
                header = False
            elif what := self._wrong(cells):
                bad.add(f"{self.shown}, line {number:,}", what)
                return None
            elif self.columns == CONLLU and NO_WORD.fullmatch(cells[0]):
                ends.append("_")
            else:
                ends.append(len(tokens))
                first = first or number
                tokens.append(sys.intern(cells[self.token]))
                if self.label is not None:
                    labels.append(sys.intern(cells[self.label]))

        def answered(answers: Sequence[str]) -> str:
            between = "\t" if self.tabs else " "
            written = []
            for (_, text), end in zip(block, ends, strict=True):
                added = answers[end] if isinstance(end, int) else end
                written.append(f"{text}{between}{added}\n" if added else f"{text}\n")
            return "".join(written)

        where = f"{self.shown}, line {first:,}"
        return Piece(Sentence(where, tokens, labels) if tokens else None, answered)

    def _wrong(self, cells: Sequence[str]) -> str | None:
        if len(cells) != len(self.columns):
            return f"{len(cells)} cells where there should be {len(self.columns)}"
        if not cells[self.token]:
            return "the token is empty"
        return "the label is empty" if self.label is not None and not cells[self.label] else None


def _open_conll(
    shown: str, first: str, lines: Callable[[], Iterator[str]], reading: Reading, labelled: bool
) -> Opened:
    tabs = "\t" in first.strip(BLANK + "\r\n")
    head = _cells(first.rstrip("\r\n"), tabs)
    columns = tuple(str(k + 1) for k in range(len(head)))
    if tabs and len(head) == len(CONLLU) and (head[0].isdecimal() or NO_WORD.fullmatch(head[0])):
        columns = CONLLU
    header = _is_header(head, reading)
    if header:
        columns = tuple(head)
    if labelled and len(columns) < 2:
        raise UserError(
            f"{shown}: one column only; give a token and a label in each line, with a space or a "
            "tab between them"
        )
    token = _column(shown, columns, reading.token_column, TOKENS, 0)
    label = None
    if labelled:
        label = _column(shown, columns, reading.label_column, LABELS, len(columns) - 1)
        if label == token:
            raise UserError(f"{shown}: tokens and labels both from column {columns[token]}")
    table = _Conll(shown, tabs, columns, header, token, label)

    def pieces(bad: BadRows) -> Iterator[Piece]:
        awaited = header
        for block in _blocks(lines()):
            piece = table.piece(block, awaited, bad)
            awaited = awaited and not any(_speaks(text) for _, text in block)
            if piece is not None:
                yield piece

    settled, facts = _settled(
        reading, "conll", columns[token], None if label is None else columns[label]
    )
    return Opened(settled, facts, pieces)


def _blocks(lines: Iterator[str]) -> Iterator[list[Line]]:
    """The lines up to each blank one, with it."""
    held: list[Line] = []
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        held.append((number, text))
        if not text.strip(BLANK) or len(held) == LONGEST:
            yield held
            held = []
    if held:
        yield held


def _cells(text: str, tabs: bool) -> list[str]:
    if tabs:
        return [cell.strip(" ") for cell in text.split("\t")]
    return re.split("[ \t]+", text.strip(BLANK))


def _is_header(head: Sequence[str], reading: Reading) -> bool:
    asked = {reading.token_column, reading.label_column}
    if any(name in asked and not name.isdecimal() for name in head):
        return True
    names = {name.lower() for name in head}
    return not names.isdisjoint(TOKENS) and not names.isdisjoint(LABELS)


def _column(
    shown: str, columns: Sequence[str], asked: str | None, known: Sequence[str], otherwise: int
) -> int:
    """The place of a column, by its name or number. UserError where there is none such."""
    if asked is None:
        names = [name.lower() for name in columns]
        return next((names.index(name) for name in known if name in names), otherwise)
    if asked in columns:
        return columns.index(asked)
    if not asked.isdecimal():
        raise UserError(f"{shown}: {unknown_name('column', asked, columns)}")
    if not 1 <= int(asked) <= len(columns):
        raise UserError(f"{shown}: column {asked}, where there are {len(columns)}")
    return int(asked) - 1


# ---- JSON lines ----------------------------------------------------------------------------


def _open_json(
    shown: str, first: str, lines: Callable[[], Iterator[str]], reading: Reading, labelled: bool
) -> Opened:
    value = _parsed(first)
    if not isinstance(value, dict):
        raise UserError(f"{shown}: not a JSON object on each line")
    columns = tuple(value)
    lists = [name for name in columns if isinstance(value[name], list)]
    token = _key(shown, columns, lists, reading.token_column, TOKENS, "token")
    label = None
    if labelled:
        others = [name for name in lists if name != token]
        label = _key(shown, columns, others, reading.label_column, LABELS, "label")
    table = of_objects(shown, columns, lines)

    def pieces(bad: BadRows) -> Iterator[Piece]:
        for row in table.rows(bad):
            found = _lists(row, token, label)
            if isinstance(found, str):
                bad.add(row.where, found)
            else:
                yield Piece(Sentence(row.where, *found), functools.partial(_with, row))

    settled, facts = _settled(reading, "json", token, label)
    return Opened(settled, facts, pieces)


def _with(row: Row, answers: Sequence[str]) -> str:
    return json.dumps({**row.values, PREDICTED: list(answers)}, ensure_ascii=False) + "\n"


def _key(
    shown: str, columns: Sequence[str], lists: Sequence[str], asked: str | None,
    known: Sequence[str], what: str,
) -> str:  # fmt: skip
    if asked is not None:
        if asked not in columns:
            raise UserError(f"{shown}: {unknown_name('column', asked, columns)}")
        return asked
    names = {name.lower(): name for name in lists}
    if (first := next((name for name in known if name in names), None)) is not None:
        return names[first]
    if not lists:
        raise UserError(f"{shown}: no list of {what}s in the first object; give --{what}-column")
    return lists[0]


def _lists(row: Row, token: str, label: str | None) -> tuple[list[str], list[str]] | str:
    """Tokens and labels of an object, or what is wrong with it."""
    tokens = _strings(row.values.get(token))
    if not tokens:
        return f'"{token}" is no list of strings, or empty'
    if label is None:
        return tokens, []
    labels = _strings(row.values.get(label))
    if not labels:
        return f'"{label}" is no list of strings or numbers, or empty'
    if len(labels) != len(tokens):
        return f"{len(tokens)} tokens and {len(labels)} labels"
    return tokens, labels


def _strings(value: object) -> list[str]:
    """The elements as strings; none where one is neither a string nor a whole number."""
    if not isinstance(value, list) or not all(isinstance(v, str | int) and v != "" for v in value):
        return []
    return [sys.intern(str(element)) for element in value]
