"""How a sequence is looked for."""

from __future__ import annotations

from dataclasses import dataclass

from elman.decode import Sampling
from elman.options import require, require_range


@dataclass(frozen=True)
class Search(Sampling):
    """How whole sequences are chosen: the best that a beam finds, or drawn at random.

    Parameters
    ----------
    temperature
        0 searches for the best sequence; above 0 sequences are drawn, wilder the higher it is.
    beam
        Hypotheses that a search keeps side by side; 1 takes the likeliest token each time.
    length_penalty
        Above 0 favours longer sequences: log probabilities are divided by ((5 + n) / 6) to this
        power, n the number of tokens, the end among them; 0 for none.
    no_repeat
        No run of so many tokens may occur twice; 0 allows all.
    min_length
        Tokens that a sequence has at least, where the maximum allows it.
    max_length
        Tokens that a sequence has at most; from the length of the source if not given.
    n_best
        Sequences for each source, best first.
    """

    temperature: float = 0.0
    beam: int = 5
    length_penalty: float = 0.6
    no_repeat: int = 0
    min_length: int = 0
    max_length: int | None = None
    n_best: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, ("beam", "n_best"), 1, 100_000)
        require_range(self, ("length_penalty",), 0, 10)
        require_range(self, ("no_repeat", "min_length", "max_length"), 0, 1_000_000)
        if self.temperature == 0:
            for name, none in (("top_k", 0), ("top_p", 1), ("repetition_penalty", 1)):
                left = getattr(self, name) == none
                require(self, name, left, "--temperature above 0: a search draws nothing")
            require(self, "n_best", self.n_best <= self.beam, f"at most --beam, {self.beam}")
        if self.max_length is not None:
            fits = f"at most --max-length, {self.max_length}"
            require(self, "min_length", self.min_length <= self.max_length, fits)
