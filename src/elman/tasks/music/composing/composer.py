"""A trained model of music as one that composes, whatever its form."""

from __future__ import annotations

from typing import cast

from torch import nn

from elman.tasks.music.composing.frames import FrameComposer
from elman.tasks.music.composing.network import Trained
from elman.tasks.music.composing.place import Composer
from elman.tasks.music.composing.usual import usual_measure
from elman.tasks.music.frames.model import FrameModel
from elman.tasks.music.options import MusicOptions
from elman.tasks.task import Kept


def compose(model: nn.Module, kept: Kept, options: MusicOptions, device: str) -> Composer:
    if isinstance(model, FrameModel):
        reading = model.reading
        usual, longest = usual_measure(reading), reading.longest
        return FrameComposer(Trained(model), reading.per_quarter, usual, longest=longest)
    from elman.tasks.music.events.composing import composer

    return cast(Composer, composer(model, kept, options, device))
