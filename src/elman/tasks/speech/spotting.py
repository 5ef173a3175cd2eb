"""Command words in sound that goes on: a window slides over it, and what is surely a class is told.

samples ─ windows as long as clips, four in each length ─ classes ─ the surest within a length
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from elman.tasks.speech.data import Encoder, Floats
from elman.tasks.speech.model import Recogniser

STEPS = 4  # windows that begin within the length of one
SURE = 0.9  # where no threshold is given


@dataclass(frozen=True)
class Spotted:
    """A command that was heard between `start` and `stop`, in seconds from the beginning."""

    label: str
    confidence: float
    start: float
    stop: float


@final
class Spotter:
    """What a network that names whole clips hears of one stream of samples.

    Windows of `seconds` begin at every quarter of that. Of those in which a class is at least as
    probable as `threshold`, the surest is told, and none that begins less than a window's length
    from it. What is told does not depend on the pieces in which samples come.
    """

    def __init__(
        self, model: Recogniser, encoder: Encoder, seconds: float, threshold: float | None = None
    ) -> None:
        self._model, self._labels = model, encoder.labels
        self._threshold = SURE if threshold is None else threshold
        self._rate = encoder.hearing.rate
        self._step = max(1, round(seconds * self._rate / STEPS))
        self._window = STEPS * self._step
        self._samples: Floats = np.zeros(0, dtype=np.float32)
        self._first = 0  # number of the first sample that is held
        self._best: tuple[int, int, float] | None = None  # where it begins, class, probability
        self._told = -self._window  # where the last that was told begins

    @property
    def window(self) -> float:
        """Seconds that are heard together."""
        return self._window / self._rate

    @property
    def delay(self) -> float:
        """Seconds from the beginning of a command until it is told: none may be surer after it."""
        return (2 * self._window) / self._rate

    def hear(self, samples: Floats) -> list[Spotted]:
        """What is certain with these samples [S] more, and was not before."""
        self._samples = np.concatenate([self._samples, samples])
        found = list[Spotted]()
        while len(self._samples) >= self._window:
            found += self._judge(self._first, self._chances(self._samples[: self._window]))
            self._samples = self._samples[self._step :]
            self._first += self._step
        return found

    def end(self) -> list[Spotted]:
        """What was not certain, now that no more samples come; the last window is filled up with
        silence. Nothing may be heard after it."""
        found = self.hear(np.zeros(self._window, dtype=np.float32))
        return found if self._best is None else [*found, self._tell(self._best)]

    def _chances(self, window: Floats) -> NDArray[np.float64]:
        """The probability of each class [C]."""
        wave = torch.from_numpy(window.copy())[None]
        with torch.no_grad():
            scores, _ = self._model(wave, torch.tensor([len(window)]))
        chances: NDArray[np.float64] = scores[0].double().softmax(-1).numpy()
        return chances

    def _judge(self, begin: int, chances: NDArray[np.float64]) -> list[Spotted]:
        """Take a window in; what it makes certain."""
        found = list[Spotted]()
        if self._best is not None and begin - self._best[0] >= self._window:
            found.append(self._tell(self._best))
            self._told, self._best = self._best[0], None
        k = int(chances.argmax())
        sure = float(chances[k])
        free = begin - self._told >= self._window
        if sure >= self._threshold and free and (self._best is None or sure > self._best[2]):
            self._best = (begin, k, sure)
        return found

    def _tell(self, best: tuple[int, int, float]) -> Spotted:
        begin, k, sure = best
        start = begin / self._rate
        return Spotted(self._labels[k], sure, start, start + self.window)
