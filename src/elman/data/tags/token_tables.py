"""Tables of sentences: lists of tokens and of labels, or a token a row beside the name of its
sentence.

{"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}

Sentence #,Word,POS,Tag
Sentence: 1,EU,NNP,B-org
,rejects,VBZ,O
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence

from elman.data.tables.content import BadRows
from elman.data.tables.table import Row, Table
from elman.data.tables.writer import Writer
from elman.data.tags.sentence import (
    LABELS,
    PREDICTED,
    TOKENS,
    Opened,
    Piece,
    Sentence,
    TagRoles,
    settled,
)
from elman.errors import UserError

SENTENCES = (
    "sentence #", "sentence_id", "sentence id", "sentence_number", "sentence", "sent_id", "sent",
    "sid", "句子", "句号",
)  # fmt: skip
LISTS = ("list", "ndarray")


def open_table(opened: Table, roles: TagRoles, labelled: bool, *, first: Row | None) -> Opened:
    """A table of lists, a sentence a row, or of a token a row; `first` is its first row, or None
    where it cannot be read before its turn and is one of tokens."""
    if first is not None and any(isinstance(v, list) for v in first.values.values()):
        return _of_lists(opened, roles, labelled, first)
    return _of_tokens(opened, roles, labelled)


# ---- Lists ---------------------------------------------------------------------------------


def _of_lists(opened: Table, roles: TagRoles, labelled: bool, first: Row) -> Opened:
    lists = [name for name, value in first.values.items() if isinstance(value, list)]
    token = _column(opened, lists, roles.token_column, TOKENS, "token")
    label, others = None, list[str]()
    if labelled:
        free = [name for name in lists if name != token]
        label = _column(opened, free, roles.label_column, LABELS, "label")
        others = [name for name in free if name != label]

    def pieces(bad: BadRows) -> Iterator[Piece]:
        header = True
        for row in opened.rows(bad):
            found = _lists(row, token, label)
            if isinstance(found, str):
                bad.add(row.where, found)
                continue
            yield Piece(Sentence(row.where, *found), _answered(opened, [row], header, whole=True))
            header = False

    found, facts = settled(roles, "table", token, label, others)
    return Opened(found, (*opened.facts, *facts), pieces)


def _lists(row: Row, token: str, label: str | None) -> tuple[list[str], list[str]] | str:
    """Tokens and labels of a row, or what is wrong with it."""
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


# ---- Tokens --------------------------------------------------------------------------------


def _of_tokens(opened: Table, roles: TagRoles, labelled: bool) -> Opened:
    names = list(opened.columns)
    sentence = _column(opened, names, roles.sentence_column, SENTENCES, "sentence", among=False)
    free = [name for name in names if name != sentence]
    token = _column(opened, free, roles.token_column, TOKENS, "token", among=False)
    free = [name for name in free if name != token]
    label, others = None, list[str]()
    if labelled:
        label = _column(opened, free, roles.label_column, LABELS, "label", among=False)
        others = [name for name in free if name != label]

    def pieces(bad: BadRows) -> Iterator[Piece]:
        header = True
        for rows, torn in _groups(opened, sentence, bad):
            if torn:
                bad.add(rows[0].where, "a row of this sentence, or one beside it, cannot be read")
                continue
            wrong = next((r for r in rows if not _text(r, token)), None)
            if wrong is not None:
                bad.add(wrong.where, f'the token, "{token}", is empty')
                continue
            wrong = next((r for r in rows if label is not None and not _text(r, label)), None)
            if wrong is not None:
                bad.add(wrong.where, f'the label, "{label}", is empty')
                continue
            labels = [] if label is None else [_text(row, label) for row in rows]
            tokens = [_text(row, token) for row in rows]
            yield Piece(
                Sentence(rows[0].where, tokens, labels),
                _answered(opened, rows, header, whole=False),
            )
            header = False

    found, facts = settled(roles, "table", token, label, others, sentence)
    return Opened(found, (*opened.facts, *facts), pieces)


def _groups(opened: Table, sentence: str, bad: BadRows) -> Iterator[tuple[list[Row], bool]]:
    """The rows of each sentence, and whether one may be missing: rows without the name of one go on
    with it."""
    rows: list[Row] = []
    current, torn, counted = "", False, bad.count
    stream = opened.rows(bad)
    while True:
        row = next(stream, None)
        lost, counted = bad.count > counted, bad.count
        torn = torn or lost
        name = "" if row is None else _text(row, sentence)
        if rows and (row is None or (name and name != current)):
            yield rows, torn
            rows, torn, counted = [], lost, bad.count
        if row is None:
            return
        current = name or current
        rows.append(row)


def _text(row: Row, name: str) -> str:
    value = row.values.get(name)
    return "" if value is None else sys.intern(str(value).strip())


# ---- Both ----------------------------------------------------------------------------------


def _answered(opened: Table, rows: Sequence[Row], header: bool, *, whole: bool):  # type: ignore[no-untyped-def]
    """What writes the rows again with an answer for each token: a list of them for a `whole`
    sentence in one row."""

    def written(answers: Sequence[str]) -> str:
        out = io.StringIO(newline="")
        writer = Writer.of(out, opened, (PREDICTED,), header=header)
        for row, answer in zip(rows, [list(answers)] if whole else answers, strict=True):
            writer.write({**row.values, PREDICTED: answer})
        return out.getvalue()

    return written


def _column(
    opened: Table, names: Sequence[str], asked: str | None, known: Sequence[str], what: str, *,
    among: bool = True,
) -> str:  # fmt: skip
    """The column that is asked for, or one of a usual name, or, `among` any, the first."""
    if asked is not None:
        return opened.column(asked)
    usual = {name.lower(): name for name in reversed(names)}
    if (found := next((name for name in known if name in usual), None)) is not None:
        return usual[found]
    if among and names:
        return names[0]
    told = f"no list of {what}s in the first row" if among else f"no column of {what}s"
    raise UserError(
        f"{opened.shown}: {told}, of {', '.join(opened.columns[:20])}; give --{what}-column"
    )
