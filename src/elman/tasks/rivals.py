"""What a network has to beat: the simple things that one would try first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from elman.chance import Tally
from elman.metrics import Scores


@dataclass(frozen=True)
class Rival:
    """Something simple that answers the same questions, and its scores on the same data.

    `tally` is of the first score, with the units of the network's own. A network that is worse than
    a `guess`, which knows nothing of the data, has diverged.
    """

    name: str
    scores: Scores
    tally: Tally | None = None
    guess: bool = False


def chosen_first(rivals: Sequence[Rival], name: str) -> list[Rival]:
    """The rivals, beginning with the one of this name, which the training part chose."""
    return sorted(rivals, key=lambda rival: rival.name != name)
