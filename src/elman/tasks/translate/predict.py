"""Translations on standard output: line for line, or a table's rows with columns of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from elman.data import pairs, source
from elman.data.pairs import Reading
from elman.data.tables import table
from elman.data.tables.arriving import Arriving
from elman.data.tables.content import BadRows
from elman.errors import UserError
from elman.tasks import prediction
from elman.tasks.prediction import Answer
from elman.tasks.translate.data import Ints
from elman.tasks.translate.writing import Translating, Translation

EMPTY: list[Translation] = []


def predict(
    translate: Translating, reading: Reading, data: Sequence[str], out: TextIO, bad: BadRows
) -> None:
    """A line of text gives a line, an empty one an empty one; a table as `prediction` has it.

    With several translations asked for, a line of text gives as many: its number, the score, the
    translation, with tabs between. A line that cannot be read is a bad row; left out, it gives an
    empty line. Standard input is lines of text.
    """
    if list(data) == ["-"]:
        shown = "standard input"
        arriving = Arriving(shown, sys.stdin.buffer, reading.encoding)
        _filter(translate, shown, _no_table(arriving, shown, reading), arriving, out, bad)
        return
    sources = source.resolve(data)
    found = [prediction.Rows(*pairs.open_sources(one, reading)) for one in sources]
    if prediction.alike(found)[0].table.form != "lines":
        prediction.answer_rows(found, Answering(translate), out, bad)
        return
    for one in sources:
        lines = table.text_lines(one, reading.encoding)
        _filter(translate, one.shown, lines, None, out, bad)


def _no_table(lines: Iterator[str], shown: str, reading: Reading) -> Iterator[str]:
    """The same lines. UserError where the first belongs to a table, as the model was trained on."""
    for number, line in enumerate(lines):
        if number == 0 and reading.form == "table":
            cells = [cell.strip().strip('"') for cell in line.split(",")]
            heads = len(cells) > 1 and reading.source_column in cells
            if heads or "\t" in line or (line.startswith("{") and line.rstrip().endswith("}")):
                told = "begins as a table, where lines of text are read; give it as a file"
                raise UserError(f"{shown}: {told}")
        yield line


def _filter(
    translate: Translating, shown: str, lines: Iterator[str], arriving: Arriving | None,
    out: TextIO, bad: BadRows,
) -> None:  # fmt: skip
    number = 0
    for block in prediction.together(lines, arriving):
        texts = [line.strip() for line in block]
        for text, found in zip(texts, answered(translate, texts), strict=True):
            number += 1
            if isinstance(found, str):
                if text:
                    bad.add(f"{shown}, line {number:,}", found)
                found = EMPTY
            if translate.decoding.n_best == 1:
                out.write((one_line(found[0].text) if found else "") + "\n")
            for best in found if translate.decoding.n_best > 1 else ():
                out.write(f"{number}\t{best.score:.4f}\t{one_line(best.text)}\n")
        out.flush()


@dataclass(frozen=True)
class Answering:
    """A model that answers the rows of a table."""

    translate: Translating

    @property
    def columns(self) -> tuple[str, ...]:
        """A translation and its score; of several the second has a 2 at the end, and so on."""
        numbers = range(1, self.translate.decoding.n_best + 1)
        return tuple(
            name if n == 1 else f"{name}_{n}" for n in numbers for name in ("translation", "score")
        )

    def __call__(self, sequences: Sequence[str]) -> list[Answer]:
        answers: list[Answer] = []
        for found in answered(self.translate, sequences):
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
