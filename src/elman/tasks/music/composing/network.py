"""A trained model of frames as composing uses it: it reads frames, and its head tells the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from elman.tasks.music.composing.measure import Measure
from elman.tasks.music.frames.heads.head import SILENCE, Head
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.task import State


class Network(Protocol):
    """Frames are those of its head: of rolls bool [..., P], of voices int64 [..., V].

    Pieces stand side by side, N of them, all at the same step of the same measure.
    """

    @property
    def head(self) -> Head: ...

    @property
    def lowest(self) -> int:
        """The pitch, as in MIDI, of the head's note 0."""

    def begin(self, rows: int, measure: Measure) -> tuple[Tensor, State]:
        """What is known before the first frame: context [N, C], and the state."""

    def read(
        self, frames: Tensor, first: int, measure: Measure, state: State
    ) -> tuple[Tensor, State]:
        """What is known after each of `frames` [T, N, …], the first of which is step `first`:
        contexts [T, N, C], and the state after the last, [D, N, H] for each part."""


@dataclass(frozen=True)
class Trained:
    """A `FrameModel` as a `Network`."""

    model: FrameModel

    @property
    def head(self) -> Head:
        return self.model.together

    @property
    def lowest(self) -> int:
        return self.model.reading.lowest

    @torch.no_grad()
    def begin(self, rows: int, measure: Measure) -> tuple[Tensor, State]:
        before = self.model.silence(1, rows)
        context, state = self.model(before, self._places(1, rows, 0, measure))
        return context[0], state

    @torch.no_grad()
    def read(
        self, frames: Tensor, first: int, measure: Measure, state: State
    ) -> tuple[Tensor, State]:
        places = self._places(len(frames), frames.shape[1], first + 1, measure)
        context, state = self.model(frames.to(places.device), places, state)
        return context, state

    def _places(self, steps: int, rows: int, first: int, measure: Measure) -> Tensor:
        """The kinds of places of so many steps from `first` on, [T, N]."""
        reading = self.model.reading
        at = (first - measure.pickup + np.arange(steps)) % measure.bar
        bar = np.full(steps, measure.bar if reading.bars else 0)
        kinds = torch.from_numpy(reading.places(at, bar, first))
        return kinds[:, None].expand(-1, rows).to(self.model.features.device)


def silent(head: Head, *shape: int) -> Tensor:
    """Frames [*shape, …] in which nothing sounds."""
    if head.voices:
        return torch.full((*shape, head.voices), SILENCE)
    return torch.zeros(*shape, head.pitches, dtype=torch.bool)
