"""Token ids in memory, read as those of a file are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Text:
    """What the code reads of a file of token ids."""

    def __init__(self, ids: NDArray[np.int64]) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, start: int, count: int) -> NDArray[np.int64]:
        return self.ids[start : start + count]
