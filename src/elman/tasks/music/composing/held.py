"""How many steps each note has sounded up to here, without a break: int64 [P], of voices [V, P].

A network that was trained on pieces that end on a note never learnt what comes after it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from elman.tasks.music.frames.heads.head import SILENCE


def sounds(frame: Tensor, pitches: int) -> Tensor:
    """Which notes sound, bool [P], of voices [V, P], in a frame bool [P] or int64 [V]."""
    if frame.dtype == torch.bool:
        return frame
    return (frame != SILENCE)[:, None] & (frame[:, None] == torch.arange(pitches))


def after(held: Tensor, frame: Tensor) -> Tensor:
    """The same one frame later."""
    return torch.where(sounds(frame, held.shape[-1]), held + 1, 0)


def of(frames: Tensor, pitches: int) -> Tensor:
    """After frames [T, …], which may be none."""
    shape = (pitches,) if frames.dtype == torch.bool else (frames.shape[1], pitches)
    held, still = torch.zeros(shape, dtype=torch.int64), torch.ones(shape, dtype=torch.bool)
    for step in range(len(frames) - 1, -1, -1):
        still &= sounds(frames[step], pitches)
        if not bool(still.any()):
            break
        held += still
    return held
