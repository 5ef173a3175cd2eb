"""Word vectors in the usual text formats: GloVe's, and word2vec's and fastText's with a first line
of two counts.

    2000000 300
    the -0.0653 -0.0930 …
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from elman.data import source
from elman.data.tables.table import text_lines
from elman.errors import UserError
from elman.wording import counted


def read_vectors(path: Path, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The vectors of these words [V, E], zero where the file has none, and which it has.

    UserError: a line with too few values, one that is no finite number, no word found.
    """
    index = {word: k for k, word in enumerate(words)}
    table: NDArray[np.float32] | None = None
    found = np.zeros(len(words), dtype=bool)
    (one,) = source.resolve([str(path)])
    for number, line in enumerate(text_lines(one), start=1):
        word, *values = line.rstrip().split(" ")
        if not values or (number == 1 and len(values) == 1):
            continue
        if table is None:
            table = np.zeros((len(words), len(values)), dtype=np.float32)
        width = table.shape[1]
        if len(values) < width:
            raise UserError(
                f"{one.shown}, line {number:,}: {counted(len(values), 'value')}, where the first "
                "word has "
                f"{width}"
            )
        if len(values) > width:  # some files have words with spaces in them
            word, values = " ".join([word, *values[:-width]]), values[-width:]
        if (k := index.get(word)) is not None and not found[k]:
            try:
                with np.errstate(over="ignore"):
                    table[k] = [float(value) for value in values]
            except ValueError:
                raise UserError(f"{one.shown}, line {number:,}: a value is no number") from None
            if not np.isfinite(table[k]).all():
                raise UserError(f"{one.shown}, line {number:,}: a value is not finite")
            found[k] = True
    if table is None or not found.any():
        raise UserError(f"{one.shown}: has none of the {len(words):,} words of the data")
    return table, found
