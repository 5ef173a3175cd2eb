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
from elman.data.table import text_lines
from elman.errors import UserError


def read_vectors(path: Path, words: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The vectors of these words [V, E], zero where the file has none, and which it has.

    UserError: a line with another number of values, or one that is no number; no word found.
    """
    index = {word: k for k, word in enumerate(words)}
    table: NDArray[np.float32] | None = None
    found = np.zeros(len(words), dtype=bool)
    (one,) = source.resolve([str(path)])
    for number, line in enumerate(text_lines(one), start=1):
        word, *values = line.rstrip().split(" ")
        if number == 1 and len(values) == 1:
            continue
        if table is None:
            table = np.zeros((len(words), len(values)), dtype=np.float32)
        if len(values) != table.shape[1]:
            raise UserError(
                f"{one.shown}, line {number:,}: {len(values)} values, where the first word has "
                f"{table.shape[1]}"
            )
        if (k := index.get(word)) is not None and not found[k]:
            try:
                table[k] = values
            except ValueError:
                raise UserError(f"{one.shown}, line {number:,}: a value is no number") from None
            found[k] = True
    if table is None or not found.any():
        raise UserError(f"{one.shown}: has none of the {len(words):,} words of the data")
    return table, found
