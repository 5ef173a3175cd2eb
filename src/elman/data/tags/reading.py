"""Sentences read from whatever files hold them, and whether a file is of the one or other form."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from elman.data import source
from elman.data.encodings import encodings
from elman.data.forms import forms
from elman.data.forms.json_texts import object_of
from elman.data.forms.other_forms import PACKED
from elman.data.source import Source, encoding_of
from elman.data.tables import table
from elman.data.tables.arriving import ENCODING
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import ENDINGS, NOTHING, Table, ending, text_lines
from elman.data.tags.conll import open_conll, speaks
from elman.data.tags.sentence import TOKENS, Form, Opened, Sentence, Sentences, TagRoles
from elman.data.tags.token_tables import SENTENCES, open_table
from elman.errors import UserError


def read(
    data: Sequence[str], roles: TagRoles, bad: BadRows, asked: TableOptions = NOTHING, *,
    labelled: bool = True,
) -> Sentences:  # fmt: skip
    """The sentences of all items of data. A sentence with a bad line is left out as a whole.

    UserError: none at all, or no such data.
    """
    found, facts, settled = list[Sentence](), list[str](), roles
    for one in source.resolve(data):
        opened = open_file(one, roles, asked, labelled=labelled)
        facts += [*one.facts, *opened.facts]
        settled = opened.roles
        found += [p.sentence for p in opened.pieces(bad) if p.sentence is not None]
    if not found:
        raise bad.nothing_left(f"{data[0]}: holds no sentences")
    return Sentences(found, tuple(dict.fromkeys(facts)), settled)


def digest(sentences: Sequence[Sentence]) -> str:
    """Of all tokens and labels together."""
    whole = hashlib.sha256()
    for sentence in sentences:
        whole.update(json.dumps([sentence.tokens, sentence.labels]).encode())
    return whole.hexdigest()


def open_file(
    one: Source, roles: TagRoles, asked: TableOptions = NOTHING, *, labelled: bool
) -> Opened:
    """UserError: no rows, or not these columns. Without `labelled` no labels are read.

    The sheet, table or query of the training data is asked of a workbook or database once more.
    """
    form = None if one.path.suffix in PACKED else forms.form_of(one.path, one.shown)
    if form in forms.SHEETS and asked.sheet is None:
        asked = replace(asked, sheet=roles.sheet)
    if form in forms.DATABASES and asked.table is None and asked.query is None:
        asked = replace(asked, table=roles.table, query=roles.query)
    if form or ENDINGS.get(ending(one)) == "json":
        opened = _of_table(table.open_table(one, asked, lists=True), roles, labelled)
        kept = replace(opened.roles, sheet=asked.sheet, table=asked.table, query=asked.query)
        return replace(opened, roles=kept)
    encoding = asked.encoding or encoding_of(one, roles.encoding, instead=ENCODING).encoding
    lines = functools.partial(text_lines, one, encoding)
    first = next((line for line in lines() if speaks(line)), None)
    if first is None:
        raise UserError(f"{one.shown}: holds no sentences")
    if object_of(first) is not None or _is_csv(one, first, roles):
        return _of_table(table.open_table(one, asked, lists=True), roles, labelled)
    opened = open_conll(one.shown, lines, _of_form(roles, "conll"), labelled, survey=True)
    how = encodings.told(encoding)
    return replace(
        opened, roles=replace(opened.roles, encoding=encoding),
        facts=(*((f"read as {how}",) if how else ()), *opened.facts),
    )  # fmt: skip


def open_stream(shown: str, lines: Iterator[str], roles: TagRoles) -> Opened:
    """Lines that come one by one, without labels: nothing is read before it is needed."""
    begun: list[str] = []
    for line in lines:
        begun.append(line)
        if speaks(line):
            break
    else:
        raise UserError(f"{shown}: holds no sentences")
    whole = functools.partial(itertools.chain, begun, lines)
    if object_of(begun[-1]) is not None:
        return _streamed(shown, whole(), roles)
    if roles.form == "table" and "," in begun[-1] and "\t" not in begun[-1]:
        return _streamed(shown, whole(), roles)
    return open_conll(shown, whole, _of_form(roles, "conll"), labelled=False, begun=begun)


def _of_form(roles: TagRoles, form: Form) -> TagRoles:
    return roles if roles.form in (None, form) else TagRoles(encoding=roles.encoding)


def _is_csv(one: Source, first: str, roles: TagRoles) -> bool:
    """Whether a text is a table whose header names a column of sentences: else blank lines part
    them."""
    cells = [cell.strip().strip('"').lower() for cell in re.split("[,;\t|]", first)]
    asked = (roles.sentence_column or "").lower()
    named = not set(cells).isdisjoint(SENTENCES) and not set(cells).isdisjoint(TOKENS)
    if len(cells) > 1 and (named or (asked and asked in cells)):
        return True
    return ending(one) == ".csv" and "\t" not in first and "," in first


def _of_table(opened: Table, roles: TagRoles, labelled: bool) -> Opened:
    first = next(opened.rows(BadRows(skip=True)), None)
    if first is None:
        raise UserError(f"{opened.shown}: holds no sentences")
    return open_table(opened, _of_form(roles, "table"), labelled, first=first)


def _streamed(shown: str, lines: Iterator[str], roles: TagRoles) -> Opened:
    opened = table.open_stream(shown, lines)
    # The first line of JSON is a row, and is given again; that of CSV is a header.
    first = next(opened.rows(BadRows(skip=True)), None) if opened.form == "json" else None
    return open_table(opened, _of_form(roles, "table"), labelled=False, first=first)
