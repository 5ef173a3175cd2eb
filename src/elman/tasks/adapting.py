"""How a trained model may go on learning from what it is scored on: options of `elman evaluate`."""

from __future__ import annotations

from dataclasses import dataclass

from elman.options import require, require_range


@dataclass(frozen=True)
class Adapting:
    """Whether and how fast a model adapts to a text while it is scored.

    Parameters
    ----------
    dynamic
        Score a second time with weights that adapt: each token is scored, then learnt from.
    dynamic_rate
        How fast they adapt; 1 is what suits most models.
    """

    dynamic: bool = False
    dynamic_rate: float = 1.0

    def __post_init__(self) -> None:
        require_range(self, ("dynamic_rate",), 0, 1e6)
        default = self.dynamic or self.dynamic_rate == 1.0
        require(self, "dynamic_rate", default, "--dynamic beside it")
