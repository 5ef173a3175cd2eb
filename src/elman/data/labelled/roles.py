"""Which columns of a table hold sequences and which their labels, where nobody says.

label,review
1,"很快，好吃，味道足，量大"
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from elman.data.labelled import several
from elman.data.labelled.looks import ALONE, IDS, LABELS, first_rows, looks_of, plain
from elman.data.labelled.several import Several
from elman.data.pictures.images import Scan
from elman.data.tables.options import TableOptions
from elman.data.tables.reading import Reading, reading_from_json
from elman.data.tables.table import Table
from elman.errors import UserError

TEXTS = (
    "text", "review", "sentence", "content", "comment", "文本", "评论", "内容", "句子",
    "評論", "內容", "文章", "テキスト", "本文", "レビュー", "コメント", "文", "텍스트", "문장",
    "리뷰",
    "내용", "댓글", "satz", "rezension", "kommentar", "inhalt", "texte", "avis", "commentaire",
    "phrase", "contenu", "texto", "reseña", "comentario", "frase", "contenido", "comentário",
    "resenha", "conteúdo", "testo", "recensione", "commento", "contenuto", "текст", "отзыв",
    "комментарий", "предложение", "сообщение", "document", "message", "tweet", "title",
)  # fmt: skip
SUREST = (
    "label", "labels", "标签", "標籤", "ラベル", "레이블", "라벨", "étiquette", "etiqueta",
    "rótulo",
    "etichetta", "метка",
)  # fmt: skip
SHORT = 20  # characters of a cell on average up to which it may be a class
WORD = re.compile(r"[-_ ]")  # between the words of a name
TOLD = 8  # columns that are named


@dataclass(frozen=True)
class LabelRoles:
    """Which columns hold what; None is guessed. Kept with a model.

    `text_columns` are joined, with a newline between. Where a table has no column of sequences,
    `columns` are the steps of each, in order. `several` says how several labels at once are
    written, `marked` that `__label__` begins them, and `table` how tables are written.
    """

    text_columns: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    label_columns: tuple[str, ...] | None = None
    several: Several | None = None
    scan: Scan = "rows"
    marked: bool = False
    table: Reading | None = None

    @property
    def of_table(self) -> bool:
        """Whether they tell where the sequences of a table stand, as after reading one."""
        return self.text_columns is not None or self.columns is not None

    @property
    def encoding(self) -> str:
        """What data of the same kind is expected to be in, if not UTF-8; empty where unknown."""
        own = "" if self.table is None else self.table.encoding
        return "" if own.startswith("utf-8") else own

    def to_json(self) -> dict[str, Any]:
        """As plain values, tuples as lists."""
        names = ("text_columns", "columns", "label_columns")
        listed = {n: None if (v := getattr(self, n)) is None else list(v) for n in names}
        return {
            **listed,
            "several": None if self.several is None else asdict(self.several),
            "scan": self.scan,
            "marked": self.marked,
            "table": None if self.table is None else self.table.to_json(),
        }


UNKNOWN = LabelRoles()


def roles_from_json(data: Mapping[str, Any]) -> LabelRoles:
    """The roles that gave this `to_json`. UserError where they are damaged."""
    try:
        texts, columns, labels = (
            None if data[name] is None else tuple(map(_text, data[name]))
            for name in ("text_columns", "columns", "label_columns")
        )
        held = data["several"]
        found = None if held is None else Several(**held)
        if found is not None and (found.form not in _FORMS or not isinstance(found.joint, str)):
            raise ValueError("labels of no form")
        if data["scan"] not in get_args(Scan) or not isinstance(data["marked"], bool):
            raise ValueError("a scan that is none")
        table = None if data["table"] is None else reading_from_json(data["table"])
        return LabelRoles(texts, columns, labels, found, data["scan"], data["marked"], table)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"preprocessing.json: damaged reading ({error})") from None


_FORMS = ("columns", "cell", "list")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a name that is no text")
    return value


NOTHING = TableOptions()  # asked


@dataclass(frozen=True)
class Wanted:
    """What is asked for of data.

    Without `labelled` a missing label is none, and no label is read. `multi` says whether there may
    be several labels at once; None finds out.
    """

    asked: TableOptions = NOTHING
    labelled: bool = True
    multi: bool | None = None


ALL = Wanted()


def settle(
    opened: Table, roles: LabelRoles, wanted: Wanted = ALL
) -> tuple[LabelRoles, tuple[str, ...]]:
    """The columns of text and of label, guessed where they are not given; and what is to be told.

    UserError: no such columns, or several that could be meant.
    """
    for name in (*(roles.text_columns or ()), *(roles.columns or ())):
        opened.column(name)
    if wanted.labelled:
        for name in roles.label_columns or ():
            opened.column(name)
    if roles.of_table and roles.table is not None:
        return roles, ()
    guess = _Guess(opened, roles, wanted)
    reading = opened.examined.reading
    facts = (*guess.told(), *opened.facts, *reading.facts())
    return replace(guess.roles, table=reading), facts


class _Guess:
    """The roles of a table's columns, one choice after the other."""

    def __init__(self, opened: Table, roles: LabelRoles, wanted: Wanted) -> None:
        self.opened, self.multi, labelled = opened, wanted.multi, wanted.labelled
        self.looks = {looks.name: looks for looks in looks_of(opened)}
        texts, labels, steps = roles.text_columns, roles.label_columns, roles.columns
        self.asked = (texts, labels, steps)
        used = {*(texts or ()), *(labels or ()), *(steps or ())}
        self.free = [n for n in self.looks if n not in used and plain(n) not in IDS]
        self.count = len(self.free)
        if texts is None and steps is None:
            texts = self._texts_first()
        found = roles.several
        if labels is None and labelled:
            labels = self._labels()
        if labels is not None and labelled and found is None:
            found = self._several(labels)
        if texts is None and steps is None:
            texts, steps = self._sequences(labels)
        self.roles = replace(
            roles, text_columns=texts, columns=steps, label_columns=labels, several=found
        )

    # ---- Sequences -------------------------------------------------------------------------

    def _texts_first(self) -> tuple[str, ...] | None:
        """A column that surely holds the sequences, whatever the labels are."""
        if (usual := _usual(self.free, TEXTS)) is not None:
            return self._take(usual)
        for name in self.free:
            if self.looks[name].lists == "numbers" and plain(name) not in LABELS:
                return self._take(name)
        words = [n for n in self.free if self._is_text(n) and plain(n) not in LABELS]
        return self._take(max(words, key=self._length)) if words else None

    def _sequences(
        self, labels: tuple[str, ...] | None
    ) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
        """What is left: a column of texts, or all as numbers, one sequence a row."""
        if not self.free:
            raise UserError(f"{self.opened.shown}: one column only; give text and label")
        words = [n for n in self.free if self.looks[n].words]
        if len(self.free) > 1 and not words:
            steps = tuple(self.free)
            self.free = []
            return None, steps
        return self._take(max(words or self.free, key=self._length)), None

    def _is_text(self, name: str) -> bool:
        looks = self.looks[name]
        short = looks.characters <= SHORT * looks.rows
        return looks.words and not looks.surely_classes and not (looks.may_be_classes and short)

    def _any_text(self) -> bool:
        """Whether the sequences are no rows of numbers."""
        return len(self.free) < self.count or any(
            self.looks[n].words and not self.looks[n].surely_classes for n in self.free
        )

    def _length(self, name: str) -> int:
        return self.looks[name].characters

    def _take(self, name: str) -> tuple[str, ...]:
        self.free.remove(name)
        return (name,)

    # ---- Labels ----------------------------------------------------------------------------

    def _labels(self) -> tuple[str, ...]:
        """The columns of labels. UserError: none looks like it, or several do."""
        texts, _, steps = self.asked
        with_text = texts is not None or (steps is None and self._any_text())
        sure = [n for n in self.free if self.looks[n].surely_classes]
        usual = [n for n in self.free if plain(n) in LABELS]
        usual = usual or [n for n in self.free if _ends_as_labels(plain(n))]
        named = [n for n in usual if n in sure]
        truth = [n for n in self.free if self.looks[n].truth]
        chosen: tuple[str, ...]
        if surest := [n for n in named if plain(n) in SUREST]:
            chosen = (surest[0],)
        elif named:
            chosen = (self._one_of(named),)
        elif usual:
            chosen = (_usual(usual, LABELS) or usual[0],)
        elif with_text and len(truth) > 1 and self.multi is not False:
            if rest := [n for n in sure if n not in truth]:
                self._ask([",".join(truth), *rest])
            chosen = tuple(truth)
        else:
            chosen = (self._guessed(sure, with_text=with_text),)
        self.free = [n for n in self.free if n not in chosen]
        return chosen

    def _guessed(self, sure: list[str], *, with_text: bool) -> str:
        """A column of labels by its looks alone."""
        words = [n for n in sure if self.looks[n].words or self.looks[n].joint is not None]
        if not with_text:
            # Rows of numbers: small whole ones may be steps as well.
            sure = words or [n for n in sure if not self.looks[n].fractions]
            ends = [n for n in (self.free[:1] + self.free[-1:]) if n in sure]
            if not words and not self.opened.header and ends:
                return ends[0]
        if sure:
            return self._one_of(sure)
        loose = [n for n in self.free if self.looks[n].may_be_classes]
        if not loose:
            raise UserError(
                f"{self.opened.shown}: no column looks like labels among "
                f"{', '.join(self.opened.columns[:20])}; give --label-column"
            )
        return min(loose, key=lambda name: (self.looks[name].distinct, name))

    def _one_of(self, names: list[str]) -> str:
        """The first of columns that all say the same. UserError where they do not."""
        names = sorted(names, key=lambda n: LABELS.index(plain(n)) if plain(n) in LABELS else 99)
        first = names[0]
        if rest := [n for n in names[1:] if not self._same(first, n)]:
            self._ask([first, *rest])
        return first

    def _same(self, one: str, other: str) -> bool:
        pairs = {(str(row[one]), str(row[other])) for row in first_rows(self.opened)}
        return len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})

    def _ask(self, names: Sequence[str]) -> None:
        shown = " and ".join(f'"{name}"' for name in names[:TOLD])
        flags = ", or ".join(f"--label-column {_quoted(name)}" for name in names[:TOLD])
        raise UserError(
            f"{self.opened.shown}: {shown} could each be the labels; say which: {flags}"
        )

    def _several(self, labels: tuple[str, ...]) -> Several | None:
        """How several labels at once are written, where they are."""
        looks = self.looks[labels[0]]
        if len(labels) > 1:
            if self.multi is False:
                raise UserError(
                    f"{self.opened.shown}: labels in {len(labels)} columns are several at once; "
                    "leave out --multi-label=false, or name one column"
                )
            return several.in_columns([self.opened.examined.profiles[name] for name in labels])
        if self.multi is False:
            return None
        if looks.lists:
            return Several("list")
        if looks.joint is not None:
            return Several("cell", looks.joint)
        return Several("cell") if self.multi else None

    # ---- What is told ----------------------------------------------------------------------

    def told(self) -> list[str]:
        """What was chosen, and what was not and why."""
        texts, labels, steps = self.asked
        roles, guessed = self.roles, []
        if labels is None and roles.label_columns is not None:
            guessed.append(f"labels from {_columns(roles.label_columns)}")
        if texts is None and steps is None:
            what = "all other columns, as numbers"
            if roles.text_columns is not None:
                what = _columns(roles.text_columns)
            guessed.append(f"sequences from {what}")
        if guessed and self.opened.form == "csv" and self.opened.asked.header is None:
            guessed.append("with a header" if self.opened.header else "without a header")
        lines = [f"taken: {', '.join(guessed)}"] if guessed else []
        if roles.several is not None:
            told = "cells joined by" if roles.several.form == "cell" else ""
            how = {"columns": "a column for each", "list": "in lists"}.get(roles.several.form, "")
            how = how or f'{told} "{roles.several.joint}"'
            lines.append(f"several labels at once, {how}")
        return lines + (self._left() if guessed else [])

    def _left(self) -> list[str]:
        """The columns that are not used, each kind with its reason."""
        lines, left = [], []
        text, labels = self.roles.text_columns, self.roles.label_columns or ()
        for name in self.free:
            looks = self.looks[name]
            if len(labels) == 1 and looks.surely_classes and self._same(labels[0], name):
                lines.append(f"not used: {name}, which says the same as {labels[0]}")
            elif looks.surely_classes or (looks.may_be_classes and plain(name) in LABELS):
                flag = f"--label-column {_quoted(name)}"
                lines.append(f"not used: {name}, which could be labels too ({flag})")
            elif looks.date:
                lines.append(f"not used: {name}, which holds dates")
            elif text is not None and self._is_text(name):
                joined = _quoted(",".join([*text, name]))
                lines.append(f"not used: {name}, which holds words too (--text-column {joined})")
            else:
                left.append(name)
        ids = [n for n in self.looks if n and plain(n) in IDS and n not in self._used()]
        if left := [*ids, *left]:
            more = f" and {len(left) - TOLD} more" if len(left) > TOLD else ""
            lines.append(f"not used: {', '.join(left[:TOLD])}{more}")
        return lines

    def _used(self) -> set[str]:
        roles = self.roles
        parts = (roles.text_columns, roles.label_columns, roles.columns)
        return {name for part in parts for name in part or ()}


def _ends_as_labels(name: str) -> bool:
    """Whether the last word of a name is one of labels: main_category."""
    last = WORD.split(name)[-1]
    return last in LABELS and last not in ALONE


def _usual(names: Sequence[str], usual: Sequence[str]) -> str | None:
    """Of these columns the one whose name comes first among the usual ones."""
    named = {plain(name): name for name in reversed(names)}
    return next((named[name] for name in usual if name in named), None)


def _columns(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:TOLD])
    shown += f" and {len(names) - TOLD} more" if len(names) > TOLD else ""
    return f"column{'s' * (len(names) > 1)} {shown}"


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name
