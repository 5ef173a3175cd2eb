"""A piece whose given voices are kept to the note, and whose others the model made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from elman.data.symbolic.piece import Piece
from elman.decode import Sampling
from elman.tasks.music.composing.harmonise import beam, gibbs
from elman.tasks.music.composing.limits import Limits
from elman.tasks.music.composing.lines import line_of
from elman.tasks.music.composing.network import silent
from elman.tasks.music.composing.options import Composing
from elman.tasks.music.composing.place import Place

if TYPE_CHECKING:
    from elman.tasks.music.composing.frames import FrameComposer


@dataclass
class Harmonised:
    """As `FrameComposition`; its lines come when the last step is done. Interrupted, a beam has
    what it found up to there, and Gibbs sampling the piece after the sweep before."""

    composer: FrameComposer
    asked: Composing
    seed: int
    limits: Limits
    steps: int
    known: Mapping[str, Any]
    frames: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.frames = silent(self.composer.network.head, 0)

    @property
    def told(self) -> list[str]:
        return self.composer.told

    @property
    def place(self) -> Place:
        network, measure = self.composer.network, self.limits.measure
        contexts, state = network.begin(1, measure)
        if len(self.frames):
            after, state = network.read(self.frames[:, None], 0, measure, state)
            contexts = after[-1]
        return Place(state, contexts[0], self.frames, self.known)

    @property
    def piece(self) -> Piece:
        name = "harmonised" if self.asked.method == "beam" else f"harmonised, seed {self.seed}"
        return self.composer.piece(self.frames, self.known, name)

    def __iter__(self) -> Iterator[str]:
        asked, network = self.asked, self.composer.network
        if asked.method == "beam":
            for best in beam.search(network, self.limits, self.steps, asked.beam):
                self.frames = torch.stack(best)
        else:
            sampling = Sampling(asked.temperature, asked.top_k, asked.top_p)
            for frames in gibbs.sample(
                network, self.limits, self.steps, asked.sweeps, sampling, self.seed
            ):
                self.frames = frames
        for frame in self.frames:
            yield line_of(frame, network.lowest)
