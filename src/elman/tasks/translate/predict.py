"""Translations on standard output: line for line, or a table's rows with columns of ours."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from torch import nn

from elman.data import source
from elman.data.labelled.roles import LabelRoles
from elman.data.pairs.lines import lines_of
from elman.data.pairs.reading import open_sources
from elman.data.pairs.roles import PairRoles
from elman.data.tables import table
from elman.data.tables.arriving import STANDARD_INPUT, Arriving, standard_input
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import Table
from elman.errors import UserError
from elman.tasks import prediction
from elman.tasks.prediction import Answer
from elman.tasks.task import Kept
from elman.tasks.translate.data import Ints
from elman.tasks.translate.decoding import Decoding
from elman.tasks.translate.model import Translator
from elman.tasks.translate.options import TranslateOptions
from elman.tasks.translate.reading import settled
from elman.tasks.translate.writing import Translating, Translation

EMPTY: list[Translation] = []


def predict(
    decoding: Decoding, model: nn.Module, kept: Kept, options: TranslateOptions, device: str,
    data: Sequence[str], out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    """A line of text gives a line, an empty one an empty one; a table as `prediction` has it.

    With several translations asked for, a line of text gives as many: its number, the score, the
    translation, with tabs between. A line that cannot be read is a bad row; left out, it gives an
    empty line. Standard input is a table where it begins as one and the model learnt from one, else
    lines; a text of it in another script is counted among the bad rows, but ends nothing.
    """
    encoder, roles, written = settled(kept)
    assert isinstance(model, Translator)
    translate = Translating(model, encoder, written, decoding, device)
    if list(data) == ["-"]:
        _stream(translate, roles, out, bad)
        return
    sources = source.resolve(data)
    found = [prediction.Rows(*open_sources(one, roles)) for one in sources]
    if prediction.alike(found)[0].table.form != "lines":
        prediction.answer_rows(found, Answering(translate), out, bad)
        return
    for one in sources:
        _filter(translate, one.shown, lines_of(one, roles), None, out, bad)


def _stream(translate: Translating, roles: PairRoles, out: TextIO, bad: BadRows) -> None:
    arriving = standard_input(roles.encoding or "utf-8")
    first = next(arriving, None)
    lines = arriving if first is None else itertools.chain([first], arriving)
    strange = Strange(bad)
    if first is not None and _begins_table(first, roles):
        rows = prediction.Rows(*_table(first, lines, roles), arriving)
        prediction.answer_rows([rows], Answering(translate, strange), out, bad)
    else:
        _filter(translate, STANDARD_INPUT, lines, arriving, out, bad, strange)
    strange.end()


def _begins_table(first: str, roles: PairRoles) -> bool:
    """Whether a line is the first of a table such as the model learnt from."""
    if roles.form != "table":
        return False
    named = roles.source_column in (cells := _cells(first)) and len(cells) > 1
    return named or "\t" in first or (first.startswith("{") and first.rstrip().endswith("}"))


def _table(first: str, lines: Iterator[str], roles: PairRoles) -> tuple[Table, LabelRoles]:
    column, known = roles.source_column or "", roles.table
    begins = column in _cells(first) or not column.isdecimal()
    asked = TableOptions(header=begins if known is None else known.header)
    opened = table.open_stream(STANDARD_INPUT, lines, asked, known, blanks=True)
    if opened.form != "json" and column not in opened.columns:
        raise UserError(
            f'{STANDARD_INPUT}: begin with a line of names, "{column}" among them, where now '
            f"stands: {', '.join(opened.columns)[:60]}"
        )
    return opened, LabelRoles(text_columns=(column,))


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in re.split("[,;\t]", line)]


def _filter(
    translate: Translating, shown: str, lines: Iterator[str], arriving: Arriving | None,
    out: TextIO, bad: BadRows, strange: Strange | None = None,
) -> None:  # fmt: skip
    number = 0
    for block in prediction.together(lines, arriving):
        texts = [line.strip() for line in block]
        for text, found in zip(texts, answered(translate, texts), strict=True):
            number += 1
            where = f"{shown}, line {number:,}"
            if strange is not None and strange.passes(translate, where, text, found):
                found = EMPTY
            elif isinstance(found, str):
                if text:
                    bad.add(where, found)
                found = EMPTY
            if translate.decoding.n_best == 1:
                out.write((one_line(found[0].text) if found else "") + "\n")
            for best in found if translate.decoding.n_best > 1 else ():
                out.write(f"{number}\t{best.score:.4f}\t{one_line(best.text)}\n")
        out.flush()


@dataclass
class Strange:
    """Texts of a stream in scripts that the model cannot read: counted, and no end of the stream,
    unless no other ever comes."""

    bad: BadRows
    first: str = ""  # of these
    others: int = 0  # texts that were answered

    def passes(
        self, translate: Translating, where: str, text: str, found: list[Translation] | str
    ) -> bool:
        """Whether a text that nothing was found for is one of these; then it is counted."""
        if not isinstance(found, str):
            self.others += 1
            return False
        if not translate.encoder.strange(text):
            return False
        self.first = self.first or f"{where}: {found}"
        BadRows(True, first=self.bad.first).refuse(f"{where}: {found}")  # told with the others
        self.bad.count += 1
        return True

    def end(self) -> None:
        """UserError where no text could be read."""
        if self.first and not self.others and not self.bad.skip:
            raise UserError(self.first)


@dataclass(frozen=True)
class Answering:
    """A model that answers the rows of a table; those of a stream whatever their script."""

    translate: Translating
    strange: Strange | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """A translation and its score; of several the second has a 2 at the end, and so on."""
        numbers = range(1, self.translate.decoding.n_best + 1)
        return tuple(
            name if n == 1 else f"{name}_{n}" for n in numbers for name in ("translation", "score")
        )

    def __call__(self, sequences: Sequence[str]) -> list[Answer]:
        answers: list[Answer] = []
        for text, found in zip(sequences, answered(self.translate, sequences), strict=True):
            where = f'{STANDARD_INPUT}, "{one_line(text)[:20]}"'
            if self.strange and self.strange.passes(self.translate, where, text, found):
                answers.append(dict.fromkeys(self.columns, ""))
                continue
            if isinstance(found, str):
                answers.append(found)
                continue
            cells = [cell for best in found for cell in (best.text, round(best.score, 4))]
            answers.append(dict(zip(self.columns, cells, strict=False)))
        return answers


def answered(translate: Translating, texts: Sequence[str]) -> list[list[Translation] | str]:
    """For each text its translations, or what is wrong with it."""
    encoder = translate.encoder
    ids = [encoder.strange(text) or encoder.source_ids(text) for text in texts]
    good: dict[int, Ints] = {k: one for k, one in enumerate(ids) if not isinstance(one, str)}
    found = iter(translate([texts[k] for k in good], list(good.values())))
    return [one if isinstance(one, str) else next(found) for one in ids]


def one_line(text: str) -> str:
    """The text without ends of lines in it."""
    return " ".join(text.splitlines())
