"""What every adapter gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prepared:
    """`once()` does the work to its end; what it gives fits `numpy.asarray`.

    `comparable`: it is the output, then the gradient of what was read if there is one, and must be
    the same whoever does this work. `batch_first`: they are [B, T, H], and not [T, B, H].
    """

    once: Callable[[], Sequence[Any]]
    comparable: bool = False
    batch_first: bool = False
