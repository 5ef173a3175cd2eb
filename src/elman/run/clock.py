"""How far a run is: by the clock where minutes were promised, else by the steps of its epochs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

REPORT_SECONDS = 2.2  # curves and pages after the last validation; importing the plotter is most
SCORINGS = 3.5  # validations still to come: the last, that of the best weights, and the page's
SEARCHED = 5.0  # the same where the final answers are searched for by a beam, or calibrated


@dataclass
class Clock:
    """Measures a run in seconds, those of earlier sittings included.

    `seconds` is the promise, or None where epochs count; `validation` how long the last one took,
    and `scorings` how many times as long all scorings after the training take.
    """

    seconds: float | None
    started: float = field(default_factory=time.perf_counter)
    spent: float = 0.0  # seconds of earlier sittings
    validation: float = 0.0
    scorings: float = SCORINGS
    told: float | None = None  # what the clock of the first of several processes showed last

    @property
    def elapsed(self) -> float:
        """Seconds since the run began, pauses between sittings left out."""
        return self.now if self.told is None else self.told

    @property
    def now(self) -> float:
        """The same by the clock of this process."""
        return self.spent + time.perf_counter() - self.started

    @property
    def share(self) -> float:
        """Share of the promised time that is used up, in [0, 1], less what the end will need."""
        return self.share_at(self.elapsed)

    @property
    def left(self) -> float:
        """Seconds of the promised time that are left, less what the end will need."""
        assert self.seconds is not None
        return max(0.0, self._usable - self.elapsed)

    def share_at(self, elapsed: float) -> float:
        """The share when so many seconds had passed."""
        return min(1.0, elapsed / self._usable)

    @property
    def _usable(self) -> float:
        assert self.seconds is not None
        reserve = REPORT_SECONDS + self.scorings * self.validation
        return self.seconds - min(reserve, 0.5 * self.seconds)
