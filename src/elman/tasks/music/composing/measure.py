"""Where the steps of a grid lie in bars and beats."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from elman.errors import UserError
from elman.tasks.music.composing.rules import Hold


@dataclass(frozen=True)
class Measure:
    """Bars of `beats` notes of 1/`unit`, of a grid of so many steps a quarter.

    `pickup` steps stand before the first whole bar. UserError: a bar is no whole number of steps.
    """

    per_quarter: int
    beats: int = 4
    unit: int = 4
    pickup: int = 0

    def __post_init__(self) -> None:
        if self.beat_steps * self.beats % 1:
            raise UserError(
                f"metre {self.beats}/{self.unit}: a bar is no whole number of steps of the model's "
                f"grid, which has {self.per_quarter} a quarter"
            )

    @property
    def beat_steps(self) -> Fraction:
        """Steps of a beat, which need not be whole."""
        return Fraction(4 * self.per_quarter, self.unit)

    @property
    def bar(self) -> int:
        """Steps of a bar."""
        return int(self.beat_steps * self.beats)

    @property
    def held(self) -> int:
        """Steps that last a beat, one at least."""
        return max(int(self.beat_steps), 1)

    def step(self, bar: int, beat: Fraction) -> int:
        """The step on which a beat falls, both counted from 1. UserError: there is none."""
        within = (beat - 1) * self.beat_steps
        if beat >= self.beats + 1 or within % 1:
            raise UserError(
                f"beat {beat}: no step of a bar of {self.beats}/{self.unit} on the model's grid, "
                f"which has {self.per_quarter} a quarter"
            )
        return self.pickup + (bar - 1) * self.bar + int(within)

    def longest(self, hold: Hold) -> int:
        """Steps that a note may sound: whole ones, one at least."""
        return max(int(hold.count * (self.beat_steps if hold.beats else self.bar)), 1)

    def steps_of_bars(self, begin: int, bars: int) -> int:
        """How many steps from `begin` are so many bars; the first may have begun already."""
        into = (begin - self.pickup) % self.bar
        return max(bars * self.bar - into, 0) if bars else 0
