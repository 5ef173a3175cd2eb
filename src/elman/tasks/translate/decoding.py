"""How a trained model writes sentences: the options of `elman evaluate` and `elman predict`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from elman.options import require
from elman.search import Search

Unknown: TypeAlias = Literal["copy", "keep", "avoid"]


@dataclass(frozen=True)
class Decoding(Search):
    """How a trained model writes, and which words.

    Parameters
    ----------
    require
        Words or phrases that every sentence must hold, with commas between.
    forbid
        Words or phrases that no sentence may hold, with commas between.
    unknown
        What becomes of a word that the vocabulary lacks: the source's word at which attention
        looks, <unk> as it is, or never written. Copied where there is attention, else avoided.
    """

    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    unknown: Unknown | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = "--temperature 0: only a search can be required to write something"
        require(self, "require", not self.require or self.temperature == 0, fits)
