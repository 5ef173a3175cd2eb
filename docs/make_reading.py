"""Makes docs/reading.md, the page of what is understood, out of docs/reading.in and the tables of
formats that the code itself reads by.

python docs/make_reading.py
"""

from __future__ import annotations

import inspect
import re
import string
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from elman.data import archives
from elman.data.dates import dates, month_names, zones
from elman.data.dates import judgement as date_judgement
from elman.data.dates import parts as date_parts
from elman.data.dates import value as date_value
from elman.data.encodings import encodings, likeness
from elman.data.forms import columnar, databases, forms, json_texts, sheets, workbooks
from elman.data.labelled import looks as label_looks
from elman.data.labelled import roles as label_roles
from elman.data.labelled import several
from elman.data.labelled import tables as labelled_tables
from elman.data.pairs import columns as pair_columns
from elman.data.tables import delimited, numerals, profile, reading
from elman.data.tables.options import TableOptions
from elman.data.tags import sentence, token_tables
from elman.data.time_series import gaps, grid, ids, layout, time_names, times
from elman.data.trajectories import columns, trajectories

HERE = Path(__file__).parent
WIDTH = 100
LEAST_SIZE = 20  # bits of a number of bytes in MiB
NEEDS = {
    **dict.fromkeys(forms.SHEETS, "python-calamine"),
    **dict.fromkeys(forms.COLUMNAR, "polars"),
    "duckdb": "duckdb",
    "sqlite": "nothing",
    "xlsb": "refused: save it as xlsx",
}

MODULES = (
    archives, columns, label_looks, label_roles, labelled_tables, pair_columns, several,
    trajectories, columnar, databases, date_judgement, delimited, json_texts, profile, reading,
    sheets, workbooks, sentence, token_tables, gaps, grid, ids, layout, time_names, times,
)  # fmt: skip


class Page(string.Formatter):
    """Numbers with commas, names as code; `:size` of a number of bytes."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, tuple | list | frozenset):
            return _names(sorted(value) if isinstance(value, frozenset) else value)
        if format_spec == "size":
            many = int(value) >> LEAST_SIZE
            return f"{many >> 10:,} GiB" if many >= 1 << 10 else f"{many:,} MiB"
        if isinstance(value, int) and not format_spec:
            return f"{value:,}"
        return str(super().format_field(value, format_spec))


def made() -> str:
    """The page as it should be: names in braces are of the modules above."""
    modules = {name: module for name, module in globals().items() if module in MODULES}
    whole = (HERE / "reading.in").read_text(encoding="utf-8")
    filled = Page().format(
        whole,
        **modules,
        tables_of_options=_table(("option", "what it says"), _options(TableOptions)),
        tables_of_forms=_table(("form", "usual endings", "needs"), _forms()),
        tables_of_encodings=_table(
            ("encoding", "name for `--encoding`", "languages"), _encodings()
        ),
        tables_of_numbers=_table(("way of writing", "cells", "read as"), _numbers()),
        tables_of_dates=_table(("style", "such as", ""), _styles(dates.STYLES)),
        tables_of_date_numbers=_table(("number", "such as", ""), _styles(dates.NUMBER_STYLES)),
        tables_of_parts=_table(("part", "names"), _parts()),
        languages=", ".join(month_names.MONTHS),
        zones=_names(sorted(zones.HOURS.keys() - {"Z"})),
        pivot=str(date_value.PIVOT),
        pivot_end=str(date_value.PIVOT + 99),
    )
    return "\n".join(_lines(filled))


def _lines(text: str) -> Iterable[str]:
    """Its lines, those of paragraphs and lists filled anew; tables and headings as they are."""
    for block in text.rstrip().split("\n\n"):
        if block.startswith(("|", "#")):
            yield block
        else:
            for part in re.split(r"\n(?=- |\d\. )", block):
                indent = " " * (len(part) - len(re.sub(r"^(?:- |\d\. )", "", part)))
                yield textwrap.fill(
                    " ".join(part.split()), WIDTH, subsequent_indent=indent,
                    break_long_words=False, break_on_hyphens=False,
                )  # fmt: skip
        yield ""


def _options(kind: type) -> Iterable[Sequence[str]]:
    """Each field of options as a flag, and its sentence."""
    text = inspect.cleandoc(kind.__doc__ or "")
    said = dict(re.findall(r"^(\w+)\n((?: {4}.*\n?)+)", text, re.MULTILINE))
    for field in fields(kind):
        yield _code("--" + field.name.replace("_", "-")), " ".join(said[field.name].split())


def _forms() -> Iterable[Sequence[str]]:
    for form, name in forms.NAMES.items():
        endings = [ending for ending, of in forms.ENDINGS.items() if of == form]
        yield name, _names(endings), NEEDS[form]


def _encodings() -> Iterable[Sequence[str]]:
    for _, codec, told in dict.fromkeys(encodings.MARKS):
        yield told, _code(codec), "any"
    for codec, told in encodings.WIDE:
        yield told, _code(codec), "any"
    for one in likeness.CODECS:
        yield one.told, _code(one.name), ", ".join(one.languages)


def _numbers() -> Iterable[Sequence[str]]:
    for one in numerals.UNDERSTOOD:
        yield one.what, _names(one.cells), ", ".join(f"{value:.10g}" for value in one.values)


def _styles(styles: Iterable[dates.Style | Any]) -> Iterable[Sequence[str]]:
    for style in styles:
        yield style.name, _names(style.examples), style.sentence


def _parts() -> Iterable[Sequence[str]]:
    for part, names in date_parts.NAMES.items():
        yield part, _names(names.split())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *dict.fromkeys(map(tuple, rows))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines).replace("|  |", "| |")


def _names(names: Iterable[str]) -> str:
    return ", ".join(map(_code, names))


def _code(text: str) -> str:
    """A text as Markdown shows it as it is."""
    return {"": "an empty one", "\t": "tab"}.get(text, f"`{text}`")


if __name__ == "__main__":
    (HERE / "reading.md").write_text(made(), encoding="utf-8")
