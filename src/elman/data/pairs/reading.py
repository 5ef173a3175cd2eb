"""All pairs that files hold: two aligned line by line, or tables.

train.de train.en    line 3 of the one is line 3 of the other
cmn.txt              I'm fine.	我很好。	CC-BY 2.0 (France) Attribution: …
pairs.jsonl          {"source": "I'm fine.", "target": "我很好。"}
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from elman.data import source
from elman.data.labelled.roles import LabelRoles
from elman.data.pairs.columns import settle
from elman.data.pairs.lines import aligned, lines_of
from elman.data.pairs.pairs import Pairs
from elman.data.pairs.roles import PairRoles, of_form
from elman.data.pairs.tables import is_table, open_table, read_table
from elman.data.source import Source
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.options import TableOptions
from elman.data.tables.table import NOTHING, Table
from elman.errors import UserError


def read(
    data: Sequence[str], roles: PairRoles, bad: BadRows, asked: TableOptions = NOTHING
) -> Pairs:
    """All pairs that the items of data hold. A pair with an empty side is a bad row.

    UserError: none at all, files of different length, no such columns.
    """
    sources = source.resolve(data)
    tables = [is_table(one, roles, asked) for one in sources]
    if all(tables):
        roles = of_form(roles, "table")
        parts = []
        for one in sources:
            parts.append(read_table(one, roles, bad, asked))
            roles = parts[-1].roles  # what was guessed of one table holds for the next
        pairs = _joined(parts)
    elif len(sources) == 2:
        pairs = aligned(sources[0], sources[1], of_form(roles, "lines"), bad, asked)
    else:
        raise UserError(
            f"{sources[tables.index(False)].shown}: lines of one text; give two files whose lines "
            "belong together, source and target, or tables with a column for each"
        )
    if not len(pairs):
        raise bad.nothing_left(f"{data[0]}: holds no pairs")
    beside = (fact for one in sources for fact in one.facts)
    return replace(pairs, facts=tuple(dict.fromkeys((*pairs.facts, *beside))))


def open_sources(one: Source, roles: PairRoles) -> tuple[Table, LabelRoles]:
    """A file of sources to be answered row by row, and where in it they stand.

    A table as in `read`, which may lack the column of targets, or plain lines. UserError as there.
    """
    if not is_table(one, roles, NOTHING):
        opened = table.plain_lines(one.shown, partial(lines_of, one, roles))
        column = table.LINE
    else:
        roles = of_form(roles, "table")
        opened = open_table(one, roles, NOTHING, targets=False)
        column = settle(opened, roles, targets=False)[0].source_column or ""
    return opened, LabelRoles(text_columns=(column,))


def _joined(parts: Sequence[Pairs]) -> Pairs:
    return Pairs(
        list(itertools.chain.from_iterable(part.sources for part in parts)),
        list(itertools.chain.from_iterable(part.targets for part in parts)),
        list(itertools.chain.from_iterable(part.where for part in parts)),
        tuple(dict.fromkeys(fact for part in parts for fact in part.facts)),
        parts[-1].roles,
    )
