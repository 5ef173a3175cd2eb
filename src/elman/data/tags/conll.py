"""CoNLL tables: a token a line, cells between spaces or tabs; a blank line ends a sentence.

EU NNP B-ORG
rejects VBZ O
"""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from elman.data.tables.content import BadRows
from elman.data.tags.sentence import (
    LABELS,
    OUTSIDE,
    PREDICTED,
    TOKENS,
    Opened,
    Piece,
    Sentence,
    TagRoles,
    settled,
)
from elman.errors import UserError, unknown_name
from elman.wording import counted

Line: TypeAlias = tuple[int, str]  # its number, and its text without its end

CONLLU = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
NO_WORD = re.compile(r"\d+[-.]\d+")  # the ID of several words together, or of an empty one
DOCUMENT = "-DOCSTART-"
BLANK = " \t"  # other white space, such as the wide space of Chinese texts, may be a token
LONGEST = 65_536  # lines held at once of a sentence that does not end
SURVEYED = 2_000  # lines by which columns without names are judged
ALIKE = 0.5  # share of labels that two columns have both, from which they are of one kind


def speaks(line: str) -> bool:
    """Whether a line surely holds a token or an object."""
    return bool(line.strip(BLANK + "\r\n")) and not line.startswith(("#", DOCUMENT))


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
            return f"{counted(len(cells), 'cell')} where there should be {len(self.columns)}"
        if not cells[self.token]:
            return "the token is empty"
        return "the label is empty" if self.label is not None and not cells[self.label] else None


def open_conll(
    shown: str, lines: Callable[[], Iterator[str]], roles: TagRoles, labelled: bool, *,
    survey: bool = False, begun: Sequence[str] = (),
) -> Opened:  # fmt: skip
    seen = list(itertools.islice(lines(), SURVEYED)) if survey else begun
    first = next(line for line in seen if speaks(line))
    tabs = "\t" in first.strip(BLANK + "\r\n")
    head = _cells(first.rstrip("\r\n"), tabs)
    columns = tuple(str(k + 1) for k in range(len(head)))
    if tabs and len(head) == len(CONLLU) and (head[0].isdecimal() or NO_WORD.fullmatch(head[0])):
        columns = CONLLU
    header = _is_header(head, roles)
    if header:
        columns = tuple(head)
    if labelled and len(columns) < 2:
        raise UserError(
            f"{shown}: one column only; give a token and a label in each line, with a space or a "
            "tab between them"
        )
    rows = [_cells(line.rstrip("\r\n"), tabs) for line in seen if speaks(line)][int(header) :]
    rows = [cells for cells in rows if len(cells) == len(columns)]
    numbered = len(columns) > 2 and columns != CONLLU and _is_numbered(rows)
    token = _column(shown, columns, roles.token_column, TOKENS, int(numbered))
    label, others = None, list[str]()
    if labelled:
        label = _column(
            shown, columns, roles.label_column, LABELS, _likeliest_label(rows, token, len(columns))
        )
        if label == token:
            raise UserError(f"{shown}: tokens and labels both from column {columns[token]}")
        if columns != CONLLU:
            taken = {token, label, 0} if numbered else {token, label}
            others = [name for k, name in enumerate(columns) if k not in taken]
    table = _Conll(shown, tabs, columns, header, token, label)

    def pieces(bad: BadRows) -> Iterator[Piece]:
        awaited = header
        for block in _blocks(lines()):
            piece = table.piece(block, awaited, bad)
            awaited = awaited and not any(speaks(text) for _, text in block)
            if piece is not None:
                yield piece

    found, facts = settled(
        roles, "conll", columns[token], None if label is None else columns[label], others
    )
    return Opened(found, facts, pieces)


def _is_numbered(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first column is the number of a token in its sentence."""
    numbers = [int(cells[0]) if cells[0].isdecimal() else -1 for cells in rows]
    follows = [b in (a + 1, 1) for a, b in itertools.pairwise([0, *numbers])]
    return len(rows) > 1 and all(follows)


def _likeliest_label(rows: Sequence[Sequence[str]], token: int, width: int) -> int:
    """The last column; or the first of those beside it that hold the same labels, as of spans
    within spans."""
    kinds = [{cells[k] for cells in rows} - {OUTSIDE, "_"} for k in range(width)]
    chosen = width - 1
    while chosen - 1 > token:
        here, before = kinds[chosen], kinds[chosen - 1]
        shared = len(here & before)
        prefixed = any(label[:2] in ("B-", "I-") for label in before)
        if not prefixed or (here and shared < ALIKE * len(here)):
            break
        chosen -= 1
    return chosen if chosen > token else width - 1


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


def _is_header(head: Sequence[str], roles: TagRoles) -> bool:
    asked = {roles.token_column, roles.label_column}
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
