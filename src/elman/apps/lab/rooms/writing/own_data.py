"""Some of the data that a run was trained on, to begin a question with."""

from __future__ import annotations

import io
import itertools
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from elman.data import source
from elman.data.labelled.roles import roles_from_json
from elman.data.pairs.reading import open_sources
from elman.data.tables import table
from elman.data.tables.content import BadRows
from elman.data.tables.reading import Reading, reading_from_json
from elman.data.tables.table import Row, Table
from elman.data.tables.writer import Writer
from elman.data.tags import reading as tagged
from elman.data.time_series.layout import reading_from_json as series_from_json
from elman.errors import ElmanError
from elman.run.trained import Run
from elman.tasks.tag.reading import settled as settled_tags
from elman.tasks.translate.reading import settled as settled_pairs

MOST = 600  # rows of an example


class Example(NamedTuple):
    """Rows by column, and the same as they would stand in a file."""

    rows: Sequence[Mapping[str, Any]] = ()
    text: str = ""


def example(run: Run) -> Example:
    """The first sequence of a run's own data, of series the ends; nothing where the data is gone,
    or holds no rows."""
    kept, data = run.trained.preprocessing, run.trained.data
    try:
        one = source.resolve(data)[0]
        match run.task:
            case "classify":
                known = roles_from_json(kept["reading"])
                if not known.of_table:
                    lines = "".join(source.read_text([one])).splitlines()
                    return Example([{"text": line} for line in lines[:1]])
                return _of(table.open_table(one, known=known.table), 1)
            case "tag":
                sentences = tagged.open_file(one, settled_tags(kept)[2], labelled=False)
                pieces = (p.sentence for p in sentences.pieces(BadRows(True)))
                found = (s.tokens for s in pieces if s is not None and 3 < len(s.tokens) < 40)
                return Example([{"tokens": tokens} for tokens in itertools.islice(found, 1)])
            case "translate":
                roles = settled_pairs(kept)[1]
                pairs, own = open_sources(one, roles)
                column = (own.text_columns or (table.LINE,))[0]
                rows = itertools.islice(pairs.rows(BadRows(True)), 1)
                return Example([{"text": row.values[column]} for row in rows])
            case "regress":
                opened = table.open_table(one, known=reading_from_json(kept["reading"]))
                return _of(opened, MOST, tuple(kept["columns"]["sequence_column"] or ()))
            case "forecast":
                reading: Reading | None = series_from_json(kept["reading"]).table
                return _of(table.open_table(one, known=reading), MOST, last=True)
    except (ElmanError, KeyError, TypeError, ValueError, OSError):
        pass
    return Example()


def _of(opened: Table, most: int, sequence: tuple[str, ...] = (), *, last: bool = False) -> Example:
    """So many rows of a table, the first or the last, of one sequence where columns name it."""
    read = opened.rows(BadRows(True))
    rows = list(deque(read, most) if last else itertools.islice(_first(read, sequence), most))
    out = io.StringIO()
    writer = Writer.of(out, opened, ())
    for row in rows:
        writer.write(row.values)
    return Example([row.values for row in rows], out.getvalue())


def _first(rows: Iterator[Row], columns: tuple[str, ...]) -> Iterator[Row]:
    """The rows of the sequence that the first row is of."""
    first: list[Any] | None = None
    for row in rows:
        own = [row.values.get(name) for name in columns]
        first = own if first is None else first
        if own != first:
            return
        yield row
