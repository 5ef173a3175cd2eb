"""Sentences with a label for every token, where they stand, and how more of them are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from elman.data.tables.content import BadRows

Form: TypeAlias = Literal["conll", "table"]

# Names of columns; the first that is there is taken.
TOKENS = ("token", "tokens", "word", "words", "form", "text", "字", "词")
LABELS = ("label", "labels", "tag", "tags", "ner", "ner_tags", "pos", "pos_tags", "upos", "标签")
OUTSIDE = "O"
PREDICTED = "predicted"


@dataclass(frozen=True)
class TagRoles:
    """Where tokens and labels stand, by name or, in a CoNLL table, by number; None is guessed.

    Kept with a model. Columns of one form say nothing of the other, and are guessed there.
    """

    token_column: str | None = None
    label_column: str | None = None
    sentence_column: str | None = None
    form: Form | None = None
    encoding: str = "utf-8"  # as it was found
    sheet: str | None = None  # of a workbook, or table or query of a database, that were asked for
    table: str | None = None
    query: str | None = None


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
    roles: TagRoles


@dataclass(frozen=True)
class Opened:
    """A file whose columns are known. `pieces` reads it from its start; a stream only once."""

    roles: TagRoles
    facts: tuple[str, ...]
    pieces: Callable[[BadRows], Iterator[Piece]]


def settled(
    roles: TagRoles, form: Form, token: str, label: str | None, others: Sequence[str] = (),
    sentence: str | None = None,
) -> tuple[TagRoles, tuple[str, ...]]:  # fmt: skip
    """The roles with these columns, and what of it was guessed; `others` could be labels too."""
    guessed = []
    if roles.token_column is None:
        guessed.append(f"tokens from column {token}")
    if roles.label_column is None and label is not None:
        guessed.append(f"labels from column {label}")
        if others:
            guessed.append(f"not used: {', '.join(others[:8])} (--label-column takes another one)")
    if sentence is not None and roles.sentence_column is None:
        guessed.append(f'sentences by "{sentence}"')
    settled = replace(
        roles, token_column=token, label_column=label or roles.label_column, form=form,
        sentence_column=sentence or roles.sentence_column,
    )  # fmt: skip
    return settled, (f"taken: {', '.join(guessed)}",) if guessed else ()
