"""What leaves of a model of events: what it says of the next token.

    form        "events"
    symbols     names of the tokens, by their ids, as miditok has them: ["PAD_None", …]

Program `model`: that of a language model, `tokens` [B, T] → `scores` [B, T, V] of the next at each
step, with states.

No grammar of events and no rules of composing leave: they stay with `elman generate`.
"""

from __future__ import annotations

from torch import nn

from elman.export.program import Export
from elman.tasks.music.events.data import settled
from elman.tasks.music.events.model import EventModel, EventModels
from elman.tasks.music.options import MusicOptions
from elman.tasks.task import Kept
from elman.tasks.text.export import Original, program


def export(model: nn.Module, kept: Kept, options: MusicOptions) -> Export:
    assert isinstance(model, EventModel | EventModels)
    surroundings = {"form": "events", "symbols": [str(name) for name in settled(kept).tokens]}
    return Export("music", {"model": program(model)}, surroundings, {"model": Original(model)})
