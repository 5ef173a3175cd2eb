"""Tables in files that are no text: spreadsheets, columnar files, databases."""

from __future__ import annotations

from elman.data.forms.columnar import open_columnar
from elman.data.forms.databases import open_database
from elman.data.forms.forms import (
    COLUMNAR,
    DATABASES,
    ENOUGH,
    NAMES,
    SHEETS,
    Form,
    form_of,
    form_of_bytes,
)
from elman.data.forms.sheets import open_sheet
from elman.data.source import Source
from elman.data.tables.content import Content
from elman.data.tables.options import TableOptions
from elman.errors import UserError

PACKED = (".gz", ".zst")


def open_other_form(source: Source, asked: TableOptions) -> Content | None:
    """The table in a file that is no text; None of a text.

    UserError: an option that does not fit the form, a file that is packed once more, and as of
    `open_sheet`, `open_columnar`, `open_database`.
    """
    form = form_within(source)
    what = "a text" if form is None else a_file(form)
    if asked.sheet is not None and form not in SHEETS:
        raise UserError(f"{source.shown}: {what} has no sheets; leave out --sheet")
    for name, given in (("table", asked.table), ("query", asked.query)):
        if given is not None and form not in DATABASES:
            raise UserError(f"{source.shown}: {what} is no database; leave out --{name}")
    if form in SHEETS:
        return open_sheet(source, asked)
    if form in COLUMNAR:
        return open_columnar(source, asked)
    return open_database(source, asked) if form in DATABASES else None


def form_within(source: Source) -> Form | None:
    """The form of a source that is no text. UserError: it is packed once more."""
    if source.path.suffix not in PACKED:
        return form_of(source.path, source.shown)
    form = form_of_bytes(next(iter(source.blocks()), b"")[:ENOUGH])
    if form is not None:
        raise UserError(f"{source.shown}: a packed {NAMES[form]}; unpack it first")
    return None


def a_file(form: Form) -> str:
    """`an xlsx spreadsheet`, as messages say it."""
    return f"{'an' if form[0] in 'aox' else 'a'} {NAMES[form]}"
