"""Two files aligned line by line."""

from __future__ import annotations

from collections.abc import Iterator

from elman.data import source
from elman.data.encodings import encodings
from elman.data.pairs.pairs import Pairs
from elman.data.pairs.roles import PairRoles
from elman.data.source import Source, encoding_of
from elman.data.tables.arriving import ENCODING
from elman.data.tables.content import BadRows
from elman.data.tables.delimited import split_lines
from elman.data.tables.options import TableOptions
from elman.data.tables.reading import Reading
from elman.data.tables.table import NOTHING
from elman.errors import UserError

FILES = ("1", "2")  # the columns of two aligned files


def lines_of(one: Source, roles: PairRoles, asked: TableOptions = NOTHING) -> Iterator[str]:
    """The lines of a text, with their ends, in the encoding that it has."""
    texts = source.read_text(
        [one], encoding=asked.encoding, expected=roles.encoding, instead=ENCODING
    )
    return split_lines(one.shown, texts)


def aligned(
    first: Source, second: Source, roles: PairRoles, bad: BadRows, asked: TableOptions
) -> Pairs:
    """Pairs of the lines of two files. UserError: files of different length, no such columns."""
    columns = (roles.source_column, roles.target_column)
    for name in columns:
        if name not in (None, *FILES):
            raise UserError(
                f"{first.shown} and {second.shown} are columns 1 and 2; there is no column {name}"
            )
    if columns[0] == columns[1] is not None:
        raise UserError(f"source and target both from column {columns[0]}")
    swapped = columns[0] == FILES[1] or columns[1] == FILES[0]
    ours, theirs = (second, first) if swapped else (first, second)
    sources, targets = (
        [line.strip() for line in lines_of(one, roles, asked)] for one in (ours, theirs)
    )
    if len(sources) != len(targets):
        raise UserError(
            f"{ours.shown} has {len(sources):,} lines, {theirs.shown} {len(targets):,}; "
            "the lines of two aligned files must belong together, one to one"
        )
    found = [asked.encoding or encoding_of(one, roles.encoding).encoding for one in (ours, theirs)]
    settled = PairRoles(
        FILES[swapped], FILES[not swapped], "lines", Reading(encoding=found[0])
    )  # fmt: skip
    facts = (
        [] if any(columns) else [f"taken: sources from {ours.shown}, targets from {theirs.shown}"]
    )
    for one, encoding in zip((ours, theirs), found, strict=True):
        if how := encodings.told(encoding):
            facts.append(f"{one.shown}: read as {how}")
    pairs = Pairs(facts=tuple(facts), roles=settled)
    for number, pair in enumerate(zip(sources, targets, strict=True), start=1):
        if all(pair):
            pairs.append(*pair, f"{ours.shown}, line {number:,}")
        else:
            empty = theirs if pair[0] else ours
            bad.add(f"{empty.shown}, line {number:,}", "is empty")
    return pairs
