"""What tells the notes of a step, one file a head: exact nats of whole frames, and frames drawn."""

from __future__ import annotations

from elman.tasks.music.frames.heads.chain import Chain
from elman.tasks.music.frames.heads.head import Head
from elman.tasks.music.frames.heads.independent import Independent
from elman.tasks.music.frames.heads.voices import Voices
from elman.tasks.music.options import HeadName


def make_head(
    name: HeadName, context: int, pitches: int, voices: int, size: int, dropout: float
) -> Head:
    """The head of that name over a context of so many numbers. `voices` is 0 where there are none,
    `size` the units of the chain."""
    if name == "independent":
        return Independent(context, pitches)
    if name == "voices":
        return Voices(context, pitches, voices, size, dropout)
    return Chain(context, pitches, size, dropout)
